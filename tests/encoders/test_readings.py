"""Perturbed readings, and the robustness ICC that they are for, end to end."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK

from sarcfeat.encoders import Radiomics, perturb
from sarcfeat.encoders.readings import add_noise, grow_mask, noise_level, rotate
from sarcfeat.exceptions import EmptyROI, UnknownName
from sarcfeat.store import FeatureStore, Readings
from sarcfeat.transform import ICCFilter

from .conftest import ellipsoid, texture, write

pytest.importorskip("radiomics")

FEW = {
    "setting": {"binWidth": 50},
    "featureClass": {"shape": ["MeshVolume"], "firstorder": ["Mean"], "glcm": ["Idmn"]},
}


def voxels(path):
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def test_growing_and_shrinking_move_the_contour():
    ball = ellipsoid()
    radius = [
        np.cbrt(grow_mask(ball, (3, 1, 1), mm).sum() * 3 * 3 / (4 * np.pi))
        for mm in (-2.0, 0.0, 2.0)
    ]
    assert np.diff(radius) == pytest.approx([2, 2], abs=0.5)
    np.testing.assert_array_equal(grow_mask(ball, (3, 1, 1), 0.0), ball)
    with pytest.raises(EmptyROI, match="moves by -50 mm"):
        grow_mask(ball, (3, 1, 1), -50)


def test_noise_is_estimated_and_added():
    image = SimpleITK.GetImageFromArray(np.zeros((6, 50, 50)))
    noisy = add_noise(image, 7.0, random_state=0)
    array = SimpleITK.GetArrayFromImage(noisy)
    assert array.std() == pytest.approx(7, rel=0.05)
    assert noise_level(1000 + array) == pytest.approx(7, rel=0.1)


def test_rotation_there_and_back_keeps_the_lesion():
    image = SimpleITK.GetImageFromArray(texture(seed=3))
    inside = np.zeros((20, 32, 36), "uint8")
    inside[6:14, 8:24, 14:22] = 1
    mask = SimpleITK.GetImageFromArray(inside)
    turned = rotate(image, mask, 30)
    back = SimpleITK.GetArrayFromImage(rotate(*turned, -30)[1])
    assert (back & inside).sum() > 0.9 * inside.sum()
    once = SimpleITK.GetArrayFromImage(turned[1])
    assert (once & inside).sum() < 0.9 * inside.sum()
    assert once.sum() == pytest.approx(inside.sum(), rel=0.05)


def test_equal_seeds_give_equal_files(lesion, tmp_path):
    first = perturb(*lesion, tmp_path / "a", random_state=3)
    again = perturb(*lesion, tmp_path / "b", random_state=3)
    other = perturb(*lesion, tmp_path / "c", random_state=4)
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(voxels(one), voxels(two))
        assert (voxels(one) != voxels(three)).any()
    still = perturb(*lesion, tmp_path / "d", random_state=3, kinds={})
    np.testing.assert_array_equal(voxels(still[1]), voxels(lesion[1]))
    with pytest.raises(UnknownName, match=r"'grwo'\. Did you mean 'grow'"):
        perturb(*lesion, tmp_path / "e", random_state=0, kinds={"grwo": 1})


def test_icc_of_perturbed_readings_through_a_store(tmp_path):
    """Twelve lesions of different size; volume is robust, a lone maximum is not."""
    patients = [f"P{n:02d}" for n in range(12)]
    rows = []
    for n, patient in enumerate(patients):
        inside = ellipsoid(radius=6 + 0.6 * n)
        grey = 300 + 40 * n + texture(seed=n) / 4
        folder = tmp_path / patient
        folder.mkdir()
        image = write(folder / "image.nrrd", grey.astype("float32"))
        mask = write(folder / "mask.nrrd", inside.astype("uint8"))
        rows.append((patient, "A", mask))
        for k, reader in enumerate(("B", "C")):
            kinds = {"contour": 1}
            _, drawn = perturb(
                image, mask, folder / reader, random_state=100 * n + k, kinds=kinds
            )
            rows.append((patient, reader, drawn))
    with FeatureStore(tmp_path / "store") as store:
        index = pd.Index(patients, name="patient")
        store.add_patients(pd.DataFrame({"site": "X"}, index=index))
        store.add_images(
            pd.DataFrame(
                {
                    "patient": patients,
                    "sequence": "T1",
                    "path": [str(tmp_path / p / "image.nrrd") for p in patients],
                }
            ),
            progress=False,
        )
        frame = pd.DataFrame(rows, columns=["patient", "reader", "path"])
        frame = frame.assign(sequence="T1", session=1, path=frame["path"].map(str))
        store.add_masks(frame, progress=False)
        assert store.encode(Radiomics(FEW), progress=False).encoded == 36
        readings = store.readings("radiomics.t1")
        table = readings.load()
    X = table.xs(("A", 1), level=("reader", "session"))
    chosen = ICCFilter(readings, threshold=0.9).fit(X)
    kept = list(chosen.get_feature_names_out())
    assert "radiomics.t1.original_shape_MeshVolume" in kept
    assert "radiomics.t1.original_firstorder_Mean" in kept
    by_hand = ICCFilter(Readings.from_frame(table), threshold=0.9).fit(X)
    assert list(by_hand.get_feature_names_out()) == kept
