"""Bad files on their way into a store: one patient's, never the cohort's."""

import os
import signal
import time

import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io import isolation
from sarcfeat.store import files as files_module
from sarcfeat.store import images as images_module
from sarcfeat.store import looking
from sarcfeat.store.identity import file_sha256
from sarcfeat.store.looking import inspect_image
from tests.store.fakes import (
    FakeEncoder,
    add_files,
    clinical,
    image_path,
    mask_path,
    write_patient,
    write_volume,
)

PATTERN = "{patient}/{sequence}_image.nii.gz"


def killed_by(path, *more):
    """Read an image, or die of it as a crash in a library does."""
    if "P003" in path:
        os.kill(os.getpid(), signal.SIGSEGV)
    return inspect_image(path, *more)


def stuck_on(path, *more):
    """Read an image, or never come back."""
    if "P003" in path:
        time.sleep(600)
    return inspect_image(path, *more)


def test_fault_020_a_parser_that_crashes_costs_its_own_file(store, root, monkeypatch):
    monkeypatch.setattr(images_module, "inspect_image", killed_by)
    reports = add_files(store, root)
    assert [(r.ok, r.failed) for r in reports] == [(5, 1), (5, 1)]
    row = reports[0].failures.iloc[0]
    assert (row.patient, row.code) == ("P003", "WorkerDied")
    assert row.reason.startswith("Patient P003, T1: the worker process died (SIGSEGV")
    assert str(image_path(root, "P003")) in row.reason
    report = store.encode(FakeEncoder())
    assert (report.encoded, report.failed) == (5, 1)


def test_fault_021_a_parser_that_hangs_costs_its_own_file(store, root, monkeypatch):
    monkeypatch.setattr(images_module, "inspect_image", stuck_on)
    monkeypatch.setattr(
        images_module,
        "isolated",
        # Of the others, a busy machine may take longer.
        lambda *args: isolation.isolated(
            *args, timeout=1.5 if "P003" in args[1] else 60
        ),
    )
    start = time.monotonic()
    report = store.add_images(root / "images", pattern=PATTERN)
    assert time.monotonic() - start < 300
    assert (report.ok, report.failed) == (5, 1)
    row = report.failures.iloc[0]
    assert (row.patient, row.code) == ("P003", "WorkerTimedOut")
    assert "no answer within 1.5 s" in row.reason
    assert str(image_path(root, "P003")) in row.reason


def test_files_are_read_in_another_process(store, root, monkeypatch):
    seen = []

    def where(function, *args):
        seen.append(isolation.isolated(os.getpid))
        return isolation.isolated(function, *args)

    monkeypatch.setattr(files_module, "isolated", where)
    store.add_images(root / "images", pattern=PATTERN)
    assert len(seen) == 6
    assert len(set(seen)) == 1
    assert os.getpid() not in seen


def test_fault_016_values_that_are_no_hounsfield_units(store, tmp_path):
    rng = np.random.default_rng(0)
    good = rng.integers(-1000, 1500, (4, 6, 6)).astype(np.int16)
    write_volume(tmp_path / "a" / "P1" / "CT_image.nii.gz", good)
    wrong = (good.astype(np.int32) - 32768).astype(np.int32)
    write_volume(tmp_path / "a" / "P2" / "CT_image.nii.gz", wrong)
    report = store.add_images(tmp_path / "a", pattern=PATTERN)
    assert report.ok == 2
    told = [note for note in report.notes if "Hounsfield" in note]
    assert len(told) == 1
    assert told[0].startswith(
        f"P2 CT: CT values go from {wrong.min()} to {wrong.max()}"
    )
    sql = "SELECT acquisition ->> '$.notes[0]' AS note FROM image ORDER BY patient_id"
    kept = store.sql(sql)["note"].tolist()
    assert pd.isna(kept[0])
    assert "no Hounsfield units" in kept[1]


def test_fault_014_bad_voxels_are_counted_when_read(store, tmp_path):
    voxels = np.ones((4, 6, 6), np.float32)
    voxels[0, 0, :2] = np.nan
    write_volume(tmp_path / "a" / "P1" / "T1_image.nii.gz", voxels)
    report = store.add_images(tmp_path / "a", pattern=PATTERN)
    assert "P1 T1: 2 voxels are NaN or infinite" in report.notes


def test_fault_022_links_and_dots_cannot_leave_the_folder(store, root, tmp_path):
    outside = tmp_path / "outside"
    write_patient(outside, "P009")
    secret = image_path(outside, "P009")
    link = image_path(root, "P009")
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)
    report = store.add_images(root / "images", pattern=PATTERN)
    assert (report.ok, report.failed) == (6, 1)
    row = report.failures.iloc[0]
    assert (row.patient, row.code) == ("P009", "UntrustedFile")
    assert f"Patient P009, T1: {link} leads out of its folder" in row.reason
    kept = store.sql("SELECT error_code FROM attempt WHERE patient_id = 'P009'")
    assert kept["error_code"].tolist() == ["UntrustedFile"]
    table = root / "images" / "manifest.csv"
    table.write_text(
        "patient,sequence,path\n"
        f"P009,T1,{os.path.relpath(secret, table.parent)}\n"
        "P001,T1,P001/T1_image.nii.gz\n"
    )
    report = store.add_images(table)
    assert (report.ok, report.failed) == (1, 1)
    assert "leads out of its folder" in report.failures["reason"].item()
    table.write_text(f"patient,sequence,path\nP009,T1,{secret}\n")
    assert store.add_images(table).ok == 1  # whoever wrote it meant this file


def test_fault_024_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = str(write_volume(tmp_path / "t1.nii.gz", np.ones((4, 6, 6), np.float32)))
    new = write_volume(tmp_path / "new.nii.gz", np.zeros((4, 6, 6), np.float32))
    real, left = looking.read_volume, [1]

    def changing(name):
        volume = real(name)
        if left[0]:
            left[0] -= 1
            os.utime(new, ns=(0, time.time_ns() + left[0]))
            (tmp_path / "t1.nii.gz").write_bytes(new.read_bytes() + b"\0" * left[0])
        return volume

    monkeypatch.setattr(looking, "read_volume", changing)
    seen = inspect_image(path, file_sha256(path), "MR")  # once: read again
    assert seen.sha256 == file_sha256(path) == file_sha256(str(new))
    left[0] = 2
    with pytest.raises(InputCorrupt, match=r"t1\.nii\.gz changed while .* twice"):
        inspect_image(path, file_sha256(path), "MR")


def test_fault_032_a_mask_elsewhere_is_refused_and_the_rest_goes_on(store, root):
    import SimpleITK

    path = mask_path(root, "P002")
    mask = SimpleITK.ReadImage(str(path))
    mask.SetOrigin((500, 0, 0))
    SimpleITK.WriteImage(mask, str(path))
    _, report = add_files(store, root)
    assert (report.ok, report.failed) == (5, 1)
    reason = report.failures["reason"].item()
    assert str(path) in reason
    assert "origin (0, 0, 0) mm against (500, 0, 0) mm" in reason
    report = store.add_masks(
        root / "masks_A", pattern="{patient}/{sequence}_mask.nii.gz", resample=True
    )
    assert (report.ok, report.failed) == (5, 1)
    assert "Patient P002" in report.failures["reason"].item()
    assert "only 0 mL lie in the image" in report.failures["reason"].item()


def test_one_bad_patient_of_each_kind_stops_no_other(store, root):
    store.add_patients(clinical(6))
    image_path(root, "P001").write_bytes(b"")
    image_path(root, "P002").write_bytes(b"not an image")
    data = image_path(root, "P003").read_bytes()
    image_path(root, "P003").write_bytes(data[: len(data) // 2])
    images, _ = add_files(store, root)
    assert (images.ok, images.failed) == (3, 3)
    codes = images.failures.set_index("patient")["code"].to_dict()
    assert codes == {
        "P001": "InputEmpty",
        "P002": "InputCorrupt",
        "P003": "InputCorrupt",
    }
    for row in images.failures.itertuples():
        assert row.patient in row.reason
        assert str(image_path(root, row.patient)) in row.reason
    assert store.encode(FakeEncoder()).encoded == 3
