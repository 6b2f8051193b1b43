import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_laplace
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sarcfeat.datasets import load_folder, make_cohort
from sarcfeat.datasets.simulation_folder import MANIFEST
from sarcfeat.exceptions import CohortError, InvalidInput
from sarcfeat.io import VolumeRef

pytest.importorskip("SimpleITK", reason="needs the extra radiomics")


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("simulated") / "cohort"
    make_cohort(n=6, sites=2, readers=2, seed=1, root=root)
    return root


def test_the_cohort_has_all_its_parts(folder):
    cohort = load_folder(folder)
    assert len(cohort.patients) == 6
    assert cohort.sites == ["H1", "H2"]
    assert cohort.readers == ["A", "B"]
    assert cohort.sequences == {"t1": 6, "t2": 6}
    assert cohort.required == ("t1", "t2")
    assert cohort.index_time == "surgery_date"
    assert len(cohort.masks) == 6 * 2 * 2
    assert set(cohort.outcomes) == {"mfs", "os"}
    assert cohort.predictors == ["age", "male", "size_mm", "grade", "performance_1"]
    assert {"true_risk", "heterogeneity", "necrosis", "rim", "volume_ml"} <= set(
        cohort.truth.columns
    )


def test_truth_is_beside_the_patients_and_never_among_them(folder):
    cohort = load_folder(folder)
    assert not set(cohort.truth.columns) & set(cohort.patients.columns)
    assert "risk" not in (folder / "patients.csv").read_text(encoding="utf-8")


def test_masks_lie_on_their_images(folder):
    cohort = load_folder(folder)
    image = VolumeRef(cohort.images["path"][0]).load()
    mask = VolumeRef(cohort.masks["path"][0]).load()
    assert image.geometry == mask.geometry
    assert set(np.unique(mask.array)) == {0.0, 1.0}


def test_same_seed_same_bytes_for_any_number_of_jobs(folder, tmp_path):
    make_cohort(n=6, sites=2, readers=2, seed=1, root=tmp_path / "two", n_jobs=2)
    assert digests(folder) == digests(tmp_path / "two")


def test_another_seed_gives_other_images(folder, tmp_path):
    make_cohort(n=2, sites=2, readers=2, seed=2, root=tmp_path)
    one, other = digests(folder), digests(tmp_path)
    assert one["images/SIM0001/t1.nii.gz"] != other["images/SIM0001/t1.nii.gz"]


def test_the_same_cohort_is_reused_without_touching_a_file(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    cohort = make_cohort(n=6, sites=2, readers=2, seed=1, root=folder)
    assert len(cohort.patients) == 6
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_an_interrupted_cohort_is_written_again(tmp_path):
    make_cohort(n=2, sites=1, readers=1, seed=0, root=tmp_path)
    whole = digests(tmp_path)
    said = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    said["complete"] = False
    (tmp_path / MANIFEST).write_text(json.dumps(said), encoding="utf-8")
    (tmp_path / "outcomes.csv").unlink()
    make_cohort(n=2, sites=1, readers=1, seed=0, root=tmp_path)
    assert digests(tmp_path) == whole


def test_another_cohort_in_the_folder_is_refused(folder):
    with pytest.raises(CohortError, match=r"simulated with \{'n': 6.*asked for"):
        make_cohort(n=7, sites=2, readers=2, seed=1, root=folder)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CohortError, match="not empty and holds no simulated cohort"):
        make_cohort(n=2, root=tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "n must be a whole number from 1 to 9999; got 0"),
        ({"readers": 27}, "readers must be a whole number from 1 to 26; got 27"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_wrong_numbers_are_refused(wrong, message, tmp_path):
    with pytest.raises(InvalidInput, match=message):
        make_cohort(**{"n": 2, "root": tmp_path / "new", **wrong})
    assert not (tmp_path / "new").exists()


def test_a_temporary_cohort_lives_as_long_as_the_object():
    cohort = make_cohort(n=1, sites=1, readers=1, seed=0)
    path = Path(cohort.images["path"][0])
    assert path.is_file()
    assert len(pickle.loads(pickle.dumps(cohort)).patients) == 1
    del cohort
    assert not path.exists()


def simple_features(image, mask):
    """Signal and edges of a region after a per-image z-score; no texture matrix."""
    z = (image - image.mean()) / image.std()
    features = []
    for volume in (z, gaussian_laplace(z, (0.5, 1, 1)), gaussian_laplace(z, (1, 2, 2))):
        values = volume[mask > 0]
        features += [values.mean(), values.std()]
        features += np.percentile(values, [10, 25, 50, 75, 90]).tolist()
    return features


@pytest.mark.slow
def test_the_imaging_risk_can_be_learnt_from_the_voxels(tmp_path):
    cohort = make_cohort(n=300, seed=11, root=tmp_path, n_jobs=2)
    masks = cohort.masks.query("reader == 'A'")
    pairs = cohort.images.merge(masks, on=["patient", "sequence"])
    rows = {
        (row.patient, row.sequence): simple_features(
            VolumeRef(row.path_x).load().array, VolumeRef(row.path_y).load().array
        )
        for row in pairs.itertuples()
    }
    X = pd.DataFrame(rows).T.unstack().loc[cohort.patients.index]
    site = cohort.patients["site"]
    X = (X - X.groupby(site).transform("mean")) / X.groupby(site).transform("std")
    imaging = cohort.truth["imaging_risk"]
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 12)))
    found = cross_val_predict(model, X.to_numpy(), imaging, cv=5)
    assert spearmanr(found, imaging)[0] > 0.85
