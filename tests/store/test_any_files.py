"""From what hospitals export to masks on images, end to end."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK

from sarcfeat.io import create_salt, read_volume
from tests.io.dicom_masks import make_rtstruct, make_seg, save, square
from tests.io.dicom_study import CANARIES, ROOT, make_slice, stack, write_slices
from tests.store.fakes import FakeEncoder, write_volume

SERIES = "{patient}/{sequence}"
CONTOURS = "{patient}/{sequence}_rt.dcm"


@pytest.fixture
def salt(tmp_path, monkeypatch):
    made = create_salt(tmp_path / "secrets" / "study.salt")
    monkeypatch.setenv("SARCFEAT_SALT", str(made))
    return made


@pytest.fixture
def hospital(tmp_path, salt):
    """Two patients: T1 as slices 1.5 × 1.5 × 3 mm, with contours on three of them."""
    root = tmp_path / "hospital"
    for series, patient in enumerate(("P1", "P2")):
        folder = root / "images" / patient / "T1"
        slices = stack(5, size=(12, 10), patient=f"{patient}Zzcanary", series=series)
        write_slices(folder, slices)
        curves = [square(3 * k, 3, 6) for k in (1, 2, 3)]
        save(make_rtstruct({"GTV": curves}), root / "rt" / patient / "T1_rt.dcm")
    return root


def voxels_of(store, sequence="T1", patient="P1"):
    sql = "SELECT uri FROM mask WHERE phase = ? AND patient_id = ?"
    path = store.sql(f"{sql} AND retired_no IS NULL", [sequence, patient])["uri"].item()
    return read_volume(path).array


def test_slices_and_contours_become_features(store, hospital):
    report = store.add_images(hospital / "images", pattern=SERIES)
    assert (report.ok, report.failed) == (2, 0)
    masks = store.add_masks(hospital / "rt", pattern=CONTOURS)
    assert (masks.ok, masks.failed) == (2, 0)
    expected = np.zeros((5, 12, 10))
    expected[1:4, 3:7, 3:7] = 1
    np.testing.assert_array_equal(voxels_of(store), expected)
    assert store.encode(FakeEncoder()).encoded == 2
    again = store.add_images(hospital / "images", pattern=SERIES)
    assert (again.ok, again.read) == (2, 0)
    assert store.add_masks(hospital / "rt", pattern=CONTOURS).read == 0


def test_fault_101_nothing_of_the_headers_is_in_the_store(store, hospital):
    store.add_images(hospital / "images", pattern=SERIES)
    store.add_masks(hospital / "rt", pattern=CONTOURS)
    tables = store.sql("SELECT table_name FROM information_schema.tables")["table_name"]
    text = "".join(store.sql(f'SELECT * FROM "{name}"').to_string() for name in tables)
    text += "".join(str(path) for path in store.path.rglob("*"))
    assert [word for word in CANARIES if word in text] == []
    assert str(hospital) not in text


def test_contours_go_to_other_sequences_by_geometry(store, hospital):
    # PET of 4.5 × 4.5 × 6 mm voxels over the same place.
    for patient in ("P1", "P2"):
        slices = []
        for number in range(3):
            one = make_slice(number, modality="PT", series=4, size=(5, 5))
            one.PixelSpacing = [4.5, 4.5]
            one.ImagePositionPatient = [-3, -3, 6 * number]
            slices.append(one)
        write_slices(hospital / "images" / patient / "PET", slices)
    store.add_images(hospital / "images", pattern=SERIES)
    report = store.add_masks(hospital / "rt", pattern=CONTOURS, propagate_to=["PET"])
    assert (report.ok, report.failed) == (4, 0)
    assert "P1 PET, reader A: propagated from T1" in str(report)
    found = voxels_of(store, "PET")
    # Centres at −3, 1.5, 6, … mm: 6 lies in the square from 3.75 to 9.75 mm.
    expected = np.zeros((3, 5, 5))
    expected[1, 2, 2] = 1
    np.testing.assert_array_equal(found, expected)
    sql = "SELECT DISTINCT kind FROM image WHERE phase = 'PET'"
    assert store.sql(sql)["kind"].tolist() == ["PET"]
    again = store.add_masks(hospital / "rt", pattern=CONTOURS, propagate_to=["PET"])
    assert (again.ok, again.read) == (4, 0)


def shifted_volume(path, array, spacing, origin):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


def test_voxels_go_to_other_sequences_and_drawn_masks_stay(store, tmp_path):
    rng = np.random.default_rng(0)
    mask = np.zeros((6, 8, 8), np.uint8)
    mask[2:4, 2:6, 2:6] = 1
    for patient in ("P1", "P2"):
        home = tmp_path / "a" / patient
        for name, n in (("T1", 1), ("T2", 2)):
            voxels = rng.normal(size=(6 // n, 8 // n, 8 // n)).astype(np.float32)
            origin = (0.5 * (n - 1),) * 3
            shifted_volume(home / f"{name}_image.nrrd", voxels, (n, n, n), origin)
        write_volume(home / "T1_mask.mha", mask, (1, 1, 1))
    drawn = np.zeros((3, 4, 4), np.uint8)
    drawn[1, 1:3, 1] = 1
    place = tmp_path / "a" / "P2" / "T2_mask.mha"
    shifted_volume(place, drawn, (2, 2, 2), (0.5,) * 3)
    store.add_images(tmp_path / "a", pattern="{patient}/{sequence}_image.nrrd")
    report = store.add_masks(
        tmp_path / "a", pattern="{patient}/{sequence}_mask.mha", propagate_to="T2"
    )
    assert (report.ok, report.failed) == (4, 0)
    assert "P1 T2, reader A: propagated from T1" in str(report)
    assert "P2 T2, reader A: propagated" not in str(report)
    assert voxels_of(store, "T2", "P1").sum() == 4  # 32 mm³ in voxels of 8
    np.testing.assert_array_equal(voxels_of(store, "T2", "P2"), drawn)


def test_fault_030_a_mask_of_another_grid_is_resampled_when_asked(store, tmp_path):
    image = np.random.default_rng(0).normal(size=(4, 6, 6)).astype(np.float32)
    write_volume(tmp_path / "a" / "P1_arterial_ct.nii.gz", image, (1, 1, 2))
    mask = np.zeros((8, 6, 6), np.uint8)
    mask[2:6, 1:4, 1:4] = 1
    write_volume(tmp_path / "a" / "P1_arterial_mask.nii.gz", mask, (1, 1, 1))
    store.add_images(tmp_path / "a", pattern="{patient}_{phase}_ct.nii.gz")
    assert store.sql("SELECT kind FROM image")["kind"].tolist() == ["CT"]
    pattern = "{patient}_{phase}_mask.nii.gz"
    refused = store.add_masks(tmp_path / "a", pattern=pattern)
    assert refused.failures["code"].tolist() == ["GeometryMismatch"]
    report = store.add_masks(tmp_path / "a", pattern=pattern, resample=True)
    assert (report.ok, report.failed) == (1, 0)
    assert "resampled by nearest neighbour (size (6, 6, 4) against" in str(report)
    assert voxels_of(store, "arterial").sum() == 18
    encoded = store.encode(FakeEncoder())
    assert (encoded.encoded, encoded.failed) == (1, 0)


def test_segmentations_are_masks(store, hospital):
    slices = stack(5, size=(12, 10))
    for number, one in enumerate(slices):
        one.SOPInstanceUID = f"{ROOT}.77.{number}"
        one.StudyTime = one.StudyID = one.PatientBirthDate = one.PatientSex = ""
        one.AccessionNumber = ""
    inside = np.zeros((2, 5, 12, 10), np.uint8)
    inside[0, 1:3, 4:7, 2:5] = 1
    inside[1, 4, 0, 0] = 1
    path = hospital / "seg" / "P1" / "T1_seg.dcm"
    make_seg(slices, inside, path, ("tumour", "node"))
    store.add_images(hospital / "images", pattern=SERIES)
    pattern = "{patient}/{sequence}_seg.dcm"
    unclear = store.add_masks(hospital / "seg", pattern=pattern)
    assert "2 segments; expected one. Choose it by roi=" in str(unclear)
    assert str(path) in str(unclear)
    report = store.add_masks(hospital / "seg", pattern=pattern, roi="^tum")
    assert (report.ok, report.failed) == (1, 0), str(report)
    np.testing.assert_array_equal(voxels_of(store), inside[0])


def test_fault_034_a_mask_of_another_patient_is_refused_by_its_frame(store, hospital):
    path = hospital / "rt" / "P2" / "T1_rt.dcm"
    curves = [square(3 * k, 3, 6) for k in (1, 2, 3)]
    save(make_rtstruct({"GTV": curves}, frame=f"{ROOT}.6"), path)
    store.add_images(hospital / "images", pattern=SERIES)
    report = store.add_masks(hospital / "rt", pattern=CONTOURS)
    assert (report.ok, report.failed) == (1, 1)
    reason = report.failures["reason"].item()
    assert reason.startswith("Patient P2, T1, reader A: ")
    assert str(path) in reason
    assert "another frame of reference" in reason
    assert store.encode(FakeEncoder()).encoded == 1


def test_fault_034_a_lesion_of_air_is_noted(store, tmp_path):
    image = np.full((4, 6, 6), -1000, np.int16)
    write_volume(tmp_path / "a" / "P1_CT_image.nii.gz", image)
    mask = np.zeros((4, 6, 6), np.uint8)
    mask[1:3, 1:4, 1:4] = 1
    write_volume(tmp_path / "a" / "P1_CT_mask.nii.gz", mask)
    store.add_images(tmp_path / "a", pattern="{patient}_{sequence}_image.nii.gz")
    report = store.add_masks(tmp_path / "a", pattern="{patient}_{sequence}_mask.nii.gz")
    assert report.ok == 1
    assert "P1 CT: the lesion has a mean of -1000 HU, which is air" in str(report)
    assert "P1_CT_mask.nii.gz" in str(report)


def test_fault_008_two_series_in_one_folder(store, hospital):
    folder = hospital / "images" / "P2" / "T1"
    write_slices(folder, stack(4, series=9), name="other")
    report = store.add_images(hospital / "images", pattern=SERIES)
    assert (report.ok, report.failed) == (1, 1)
    row = report.failures.iloc[0]
    assert (row.patient, row.file) == ("P2", str(folder))
    assert "Patient P2, T1: the folder holds 2 DICOM series" in row.reason
    assert "MR of 5 slices" in row.reason
    assert "MR of 4 slices" in row.reason


def test_bids_folders(store, tmp_path):
    rng = np.random.default_rng(0)
    for patient in ("01", "02"):
        for sequence in ("T1w", "T2fs", "ceT1w"):
            image = rng.normal(size=(4, 6, 6)).astype(np.float32)
            name = f"sub-{patient}_ses-1_{sequence}.nii.gz"
            place = tmp_path / f"sub-{patient}" / "ses-1" / "anat" / name
            write_volume(place, image)
            mask = np.zeros((4, 6, 6), np.uint8)
            mask[1:3, 1:4, 1:4] = 1
            home = tmp_path / "derivatives" / "masks" / f"sub-{patient}" / "ses-1"
            write_volume(home / f"sub-{patient}_ses-1_{sequence}_mask.nii.gz", mask)
    stem = "sub-{patient}_ses-{session}_{sequence}"
    folder = "sub-{patient}/ses-{session}"
    report = store.add_images(tmp_path, pattern=f"{folder}/anat/{stem}.nii.gz")
    assert (report.ok, report.failed) == (6, 0)
    masks = store.add_masks(
        tmp_path / "derivatives" / "masks", pattern=f"{folder}/{stem}_mask.nii.gz"
    )
    assert (masks.ok, masks.failed) == (6, 0)
    assert store.encode(FakeEncoder()).encoded == 6
    assert set(store.sql("SELECT phase FROM image")["phase"]) == {
        "T1w",
        "T2fs",
        "ceT1w",
    }


def test_a_manifest_names_folders_and_contours(store, hospital):
    rows = [
        [p, "CE-T1", str(hospital / "images" / p / "T1"), "2020-01-02"]
        for p in ("P1", "P2")
    ]
    columns = ["patient", "sequence", "path", "acquired_at"]
    images = store.add_images(pd.DataFrame(rows, columns=columns))
    assert (images.ok, images.failed) == (2, 0)
    rows = [
        [p, "CE-T1", str(hospital / "rt" / p / "T1_rt.dcm"), reader, session]
        for p in ("P1", "P2")
        for reader, session in (("A", 1), ("A", 2), ("B", 1))
    ]
    columns = ["patient", "sequence", "path", "reader", "session"]
    masks = store.add_masks(pd.DataFrame(rows, columns=columns))
    assert (masks.ok, masks.failed) == (6, 0)
    told = store.sql("SELECT acquired_at FROM image")["acquired_at"].astype(str)
    assert told.str.startswith("2020-01-02").all()
