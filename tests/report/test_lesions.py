"""The page of outlined lesions, and preprocessing before and after."""

import base64
import re

import numpy as np
import pandas as pd
import pytest
import SimpleITK

from sarcfeat.exceptions import InvalidInput
from sarcfeat.report import lesion_page, preprocessing_figure
from sarcfeat.store import FeatureStore

PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


def write(path, array, spacing=(1.0, 1.0, 3.0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    patients = [f"P{n:02d}" for n in range(26)]
    for n, patient in enumerate(patients):
        for sequence in ("T1", "PET") if n < 2 else ("T1",):
            image = rng.normal(size=(5, 20, 20)).astype("float32")
            mask = np.zeros(image.shape, "uint8")
            mask[1:4, 5 : 10 + n // 4, 5:15] = 1
            write(tmp_path / "v" / patient / f"{sequence}_image.nrrd", image)
            write(tmp_path / "v" / patient / f"{sequence}_mask.nrrd", mask)
    with FeatureStore(tmp_path / "store") as opened:
        frame = pd.DataFrame({"site": "A"}, index=pd.Index(patients, name="patient"))
        opened.add_patients(frame)
        opened.add_images(
            tmp_path / "v", pattern="{patient}/{sequence}_image.nrrd", progress=False
        )
        opened.add_masks(
            tmp_path / "v", pattern="{patient}/{sequence}_mask.nrrd", progress=False
        )
        yield opened


def test_every_patient_of_every_sequence_is_shown(store, tmp_path):
    page = lesion_page(store, tmp_path / "out" / "page.html").read_text()
    assert "26 patients, 2 sequences" in page
    assert "2 patients, 2 readings by A." in page  # PET
    alts = " ".join(re.findall(r'alt="([^"]+)"', page))
    for patient in (f"P{n:02d}" for n in range(26)):
        assert alts.count(patient) == (2 if patient in ("P00", "P01") else 1)
    pictures = [base64.b64decode(m) for m in PNG.findall(page)]
    assert len(pictures) == 3  # one of PET, 24 + 2 of T1
    assert all(p.startswith(b"\x89PNG") for p in pictures)


def test_one_cohort_and_one_sequence(store, tmp_path):
    store.add_cohort("few", patients=["P00", "P05"])
    page = lesion_page(store, tmp_path / "p.html", cohort="few", sequences=["T1"])
    text = page.read_text()
    assert "Lesions of few" in text
    assert "2 patients, 1 sequences" in text
    with pytest.raises(InvalidInput, match=r"cohort few, sequences \['CT'\]"):
        lesion_page(store, tmp_path / "p.html", cohort="few", sequences=["CT"])


def test_a_lost_file_is_listed_and_the_others_are_shown(store, tmp_path):
    (tmp_path / "v" / "P03" / "T1_image.nrrd").unlink()
    text = lesion_page(store, tmp_path / "p.html", sequences=["T1"]).read_text()
    assert re.search(r"Patient P03, T1: .*P03.*T1_image\.nrrd", text)
    assert "P04" in " ".join(re.findall(r'alt="([^"]+)"', text))


def test_preprocessing_before_and_after(store, tmp_path):
    folder = tmp_path / "v" / "P00"
    figure = preprocessing_figure(
        [{"Resample": {"spacing_mm": [2, 2, 3]}}, "ZScore"],
        folder / "T1_image.nrrd",
        folder / "T1_mask.nrrd",
        tmp_path / "pp.png",
        every_step=True,
    )
    assert figure.path.read_bytes().startswith(b"\x89PNG")
    assert "spacing_mm=[2, 2, 3]" in figure.caption
