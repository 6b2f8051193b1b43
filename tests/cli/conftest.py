import shutil

import pytest

from sarcfeat.datasets import make_cohort


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory):
    """Return a simulated cohort of 40 patients in the documented layout."""
    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    make_cohort(40, sites=2, readers=2, seed=3, root=folder)
    for stale in folder.glob("*/*/t2.nii.gz"):
        stale.unlink()
    for stale in folder.glob("masks/*/*/t2.nii.gz"):
        stale.unlink()
    settings = folder / "cohort.toml"
    text = settings.read_text("utf-8").replace('["t1", "t2"]', '["t1"]')
    settings.write_text(text, "utf-8")
    return folder


@pytest.fixture
def broken_cohort(cohort_folder, tmp_path):
    """Return a copy in which three patients cannot be encoded, and the three."""
    import SimpleITK

    folder = tmp_path / "cohort"
    shutil.copytree(cohort_folder, folder)
    shifted, empty, missing = "SIM0004", "SIM0011", "SIM0020"
    for reader in "AB":
        path = folder / "masks" / reader / shifted / "t1.nii.gz"
        mask = SimpleITK.ReadImage(str(path))
        mask.SetOrigin([x + 7 for x in mask.GetOrigin()])
        SimpleITK.WriteImage(mask, str(path))
        path = folder / "masks" / reader / empty / "t1.nii.gz"
        mask = SimpleITK.ReadImage(str(path))
        SimpleITK.WriteImage(mask * 0, str(path))
    (folder / "images" / missing / "t1.nii.gz").unlink()
    return folder, {
        shifted: "GeometryMismatch",
        empty: "EmptyROI",
        missing: "InputMissing",
    }
