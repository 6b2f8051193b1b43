"""Images and masks: patterns, manifests, the cache, every bad file."""

import os

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import CohortError, InputMissing, UnknownName
from sarcfeat.store import files as files_module
from sarcfeat.store import images as images_module
from sarcfeat.store import masks as masks_module
from sarcfeat.store.looking import inspect_image, inspect_mask
from sarcfeat.store.sources import compile_pattern
from tests.store.fakes import (
    FakeEncoder,
    add_files,
    clinical,
    image_path,
    mask_path,
    write_patient,
    write_volume,
)

MASKS = "{patient}/{sequence}_mask.nii.gz"
IN_PLACE = "{patient}/{sequence}_image.nii"


@pytest.fixture
def reads(monkeypatch):
    """Count how often a volume is parsed."""
    seen = []

    def counting(function, path, *more):
        if function in (inspect_image, inspect_mask):
            seen.append(path)
        return function(path, *more)

    for module in (images_module, masks_module):
        monkeypatch.setattr(module, "isolated", counting)
    return seen


def test_unchanged_files_are_not_read_again(root, store, reads, monkeypatch):
    first = add_files(store, root, readers=("A", "B"))
    assert [r.read for r in first] == [6, 6, 6]
    assert len(reads) == 18
    hashed = []
    monkeypatch.setattr(
        "sarcfeat.store.files.isolated", lambda _, path: hashed.append(path) or ""
    )
    second = add_files(store, root, readers=("A", "B"))
    assert [(r.ok, r.read) for r in second] == [(6, 0)] * 3
    store.encode(FakeEncoder())
    assert len(reads) == 18
    assert hashed == []


def test_touched_file_is_hashed_not_parsed(root, store, reads):
    add_files(store, root)
    os.utime(image_path(root, "P001"))
    reads.clear()
    report, _ = add_files(store, root)
    assert (report.ok, report.read, reads) == (6, 0, [])


@pytest.fixture
def in_place(tmp_path, store):
    """One image whose file can change without its size or time changing."""
    path = tmp_path / "images" / "P001" / "T1_image.nii"
    voxels = np.random.default_rng(0).normal(size=(2, 4, 4)).astype(np.float32)
    write_volume(path, voxels)
    store.add_images(path.parents[1], pattern=IN_PLACE)

    def change():
        before = path.stat()
        write_volume(path, voxels + 1)
        assert path.stat().st_size == before.st_size
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return path.parents[1], change


def test_size_and_time_are_trusted_unless_rehash(in_place, store, reads):
    folder, change = in_place
    reads.clear()
    change()
    trusting = store.add_images(folder, pattern=IN_PLACE)
    assert (trusting.ok, trusting.read, reads) == (1, 0, [])
    assert len(store.sql("SELECT image_id FROM image")) == 1
    checked = store.add_images(folder, pattern=IN_PLACE, rehash=True)
    assert (checked.ok, checked.read, len(reads)) == (1, 1, 1)
    live = store.sql("SELECT retired_no IS NULL AS live FROM image ORDER BY commit_no")
    assert live["live"].tolist() == [False, True]


def test_rehash_of_unchanged_files_writes_nothing(root, store, reads, monkeypatch):
    add_files(store, root)
    before = store.version
    reads.clear()
    hashed = []
    original = files_module.isolated
    monkeypatch.setattr(
        files_module, "isolated", lambda f, p: hashed.append(p) or original(f, p)
    )
    masks = store.add_masks(root / "masks_A", pattern=MASKS, rehash=True)
    assert (masks.ok, masks.read, len(hashed), reads) == (6, 0, 6, [])
    assert store.version == before


def test_pattern_is_literal_but_for_its_fields():
    found = compile_pattern("{patient}/(x)+{sequence}.nii").match("P/1.nii")
    assert found is None
    found = compile_pattern("{patient}/(x)+{sequence}.nii").match("P/(x)+T1.nii")
    assert found.groupdict() == {"patient": "P", "sequence": "T1"}
    twice = compile_pattern("{patient}/{patient}_{sequence}.nii")
    assert twice.match("P1/P1_t1.nii")
    assert not twice.match("P1/P2_t1.nii")
    with pytest.raises(UnknownName, match="Did you mean 'sequence'"):
        compile_pattern("{patient}/{sequenc}.nii")
    with pytest.raises(CohortError, match=r"has no {sequence}"):
        compile_pattern("{patient}.nii")


def test_reader_and_session_in_the_pattern(root, store):
    add_files(store, root, readers=())
    for path in root.glob("masks_B/*/*"):
        new = root / "again" / f"{path.parent.name}_T1_B_2.nii.gz"
        new.parent.mkdir(exist_ok=True)
        os.rename(path, new)
    report = store.add_masks(
        root / "again", pattern="{patient}_{sequence}_{reader}_{session}.nii.gz"
    )
    assert report.ok == 6
    rows = store.sql("SELECT DISTINCT reader, session FROM mask")
    assert rows.to_numpy().tolist() == [["B", 2]]


def test_kind_by_the_sequences_name(root, store):
    write_patient(root, "P001", sequence="PET")
    write_patient(root, "P001", sequence="CT_art")
    add_files(store, root)
    rows = store.sql("SELECT DISTINCT phase, kind FROM image ORDER BY 1")
    assert rows.to_numpy().tolist() == [["CT_art", "CT"], ["PET", "PET"], ["T1", "MR"]]


def test_nothing_fits_the_pattern(root, store):
    with pytest.raises(CohortError, match=r"No file in .* Files there: P001/T1_image"):
        store.add_images(root / "images", pattern="{patient}_{sequence}.nrrd")
    with pytest.raises(CohortError, match="say how its files are named"):
        store.add_images(root / "images")
    with pytest.raises(InputMissing, match="No folder or manifest"):
        store.add_images(root / "imagse", pattern=MASKS)


def test_manifest_as_csv_relative_to_its_folder(root, store):
    manifest = root / "images.csv"
    manifest.write_text(
        "patient,sequence,path,acquired_at,kind\n"
        "P001,T1,images/P001/T1_image.nii.gz,2019-12-01,CT\n"
    )
    assert store.add_images(manifest).ok == 1
    row = store.sql("SELECT kind, phase, uri FROM image").iloc[0]
    assert row.tolist() == ["CT", "T1", str(image_path(root, "P001"))]
    with pytest.raises(CohortError, match="has no column 'sequence'"):
        store.add_images(pd.DataFrame({"patient": ["P1"], "path": ["x"]}))


@pytest.mark.parametrize(
    ("array", "code", "says"),
    [
        (np.zeros((4, 6, 6), np.uint8), "EmptyROI", "has no voxel in any region"),
        (
            np.full((4, 6, 6), 3, np.uint8),
            "LabelMissing",
            "no voxel of label 1; labels present: 3",
        ),
        (
            np.full((5, 6, 6), 1, np.uint8),
            "GeometryMismatch",
            r"size (6, 6, 4) against (6, 6, 5)",
        ),
        (np.full((4, 6, 6), 0.5, np.float32), "InvalidInput", "a probability map"),
    ],
    ids=["fault_026_empty", "fault_029_label", "fault_030_grid", "fault_033_float"],
)
def test_bad_masks(root, store, array, code, says):
    write_volume(mask_path(root, "P003"), array)
    _, report = add_files(store, root)
    assert (report.ok, report.failed) == (5, 1)
    row = report.failures.iloc[0]
    assert (row.patient, row.reader, row.code) == ("P003", "A", code)
    assert says in row.reason
    assert "Patient P003" in row.reason
    assert str(mask_path(root, "P003")) in row.reason


def test_fault_031_rounding_of_headers_is_accepted(root, store):
    mask = np.ones((4, 6, 6), np.uint8)
    write_volume(mask_path(root, "P003"), mask, spacing=(1.0004, 1.0, 2.0))
    _, report = add_files(store, root)
    assert report.failed == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "InputEmpty"), (b"not an image", "InputCorrupt")],
    ids=["fault_002_empty", "fault_004_not_an_image"],
)
def test_bad_image_is_listed_once(root, store, content, code):
    image_path(root, "P002").write_bytes(content)
    images, *_ = add_files(store, root, readers=("A", "B"))
    assert images.failures["code"].tolist() == [code]
    assert "Patient P002, T1" in images.failures["reason"].iloc[0]
    report = store.encode(FakeEncoder())
    assert (report.encoded, report.failed) == (10, 1)
    assert report.failures.iloc[0][["patient", "code"]].tolist() == ["P002", code]


def test_mask_whose_image_is_missing_names_where_it_should_be(root, store):
    image_path(root, "P002").unlink()
    _, report = add_files(store, root)
    assert report.failures["code"].tolist() == ["InputMissing"]
    reason = report.failures["reason"].iloc[0]
    assert f"Expected {image_path(root, 'P002')}" in reason
    assert "Patient P002" in reason


def test_file_that_goes_bad_retires_its_image(study, root):
    image_path(root, "P001").write_bytes(b"")
    report = study.encode(FakeEncoder())
    assert (report.encoded, report.failed) == (10, 1)
    assert report.failures["code"].tolist() == ["InputEmpty"]
    write_patient(root, "P001", readers=())
    report = study.encode(FakeEncoder())
    assert (report.encoded, report.skipped, report.failed) == (2, 10, 0)


def test_stray_mask_can_be_deleted(root, store):
    write_volume(mask_path(root, "P099"), np.ones((4, 6, 6), np.uint8))
    add_files(store, root)
    assert store.encode(FakeEncoder()).failures["patient"].tolist() == ["P099"]
    mask_path(root, "P099").unlink()
    add_files(store, root)
    assert store.encode(FakeEncoder()).failed == 0


def test_fault_036_same_reader_twice(root, store):
    add_files(store, root, readers=())
    rows = [["P001", "T1", mask_path(root, "P001", reader=r)] for r in "AB"]
    manifest = pd.DataFrame(rows, columns=["patient", "sequence", "path"])
    report = store.add_masks(manifest)
    assert (report.ok, report.failed) == (1, 1)
    assert "Give the second reading session=2" in report.failures["reason"].iloc[0]
    manifest["session"] = [1, 2]
    assert store.add_masks(manifest).failed == 0


def test_two_images_need_their_dates(root, store):
    write_patient(root, "P001", sequence="T1b", readers=())
    rows = [["P001", "T1", image_path(root, "P001", s)] for s in ("T1", "T1b")]
    manifest = pd.DataFrame(rows, columns=["patient", "sequence", "path"])
    report = store.add_images(manifest)
    assert report.failed == 1
    assert "two different T1 images" in report.failures["reason"].iloc[0]
    manifest["acquired_at"] = ["2019-01-01", "2019-06-01"]
    assert store.add_images(manifest).failed == 0


def test_two_scans_of_one_day_need_their_time_or_a_name(root, store):
    write_patient(root, "P001", sequence="T1b", readers=())
    first, second = (image_path(root, "P001", s) for s in ("T1", "T1b"))
    rows = [["P001", "T1", first], ["P001", "T1", second]]
    manifest = pd.DataFrame(rows, columns=["patient", "sequence", "path"])
    manifest["acquired_at"] = "2019-01-01"
    report = store.add_images(manifest)
    assert (report.ok, report.failed) == (1, 1)
    reason = report.failures["reason"].item()
    assert f"Patient P001, T1: two different T1 images of one day, {first}" in reason
    assert f"The first is kept, {second} is left out" in reason
    assert "time of day" in reason
    assert "T1_2" in reason
    assert store.sql("SELECT uri FROM image")["uri"].tolist() == [str(first)]
    timed = manifest.assign(acquired_at=["2019-01-01 10:30", "2019-01-01 10:45"])
    assert store.add_images(timed).failed == 0
    assert len(store.sql("SELECT uri FROM image WHERE retired_no IS NULL")) == 2
    named = manifest.assign(sequence=["T1", "T1_2"])
    with FeatureStore(store.path.parent / "named") as other:
        assert other.add_images(named).failed == 0


def test_fault_037_identical_readers_are_told(root, store):
    same = mask_path(root, "P001", reader="A").read_bytes()
    mask_path(root, "P001", reader="B").write_bytes(same)
    *_, report = add_files(store, root, readers=("A", "B"))
    assert report.failed == 0
    assert any("P001 T1 (A = B)" in note for note in report.notes)
    assert store.encode(FakeEncoder()).encoded == 12


def test_patients_without_a_clinical_row_are_told(root, store):
    store.add_patients(clinical(5))
    report, _ = add_files(store, root)
    assert report.notes == ("1 patients have files and no clinical row: P006",)


def test_fault_023_odd_paths(tmp_path, store):
    odd = tmp_path / "dossier d'été (1) [x]"
    write_patient(odd, "Müller 1")
    images, masks = add_files(store, odd)
    assert (images.ok, masks.ok) == (1, 1)
    assert store.encode(FakeEncoder()).encoded == 1
