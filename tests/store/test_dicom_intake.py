"""DICOM goes in, a volume under a pseudonym is what stays."""

import gzip
import json
import traceback
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK
from pydicom.valuerep import STR_VR

from sarcfeat import FeatureStore
from sarcfeat.exceptions import IdentifiableFace, InvalidInput, StoreError
from sarcfeat.io import Pseudonyms, create_salt, find_source, load_salt
from sarcfeat.store.intake import refresh
from tests.io.dicom_study import (
    BY_VR,
    CANARIES,
    NUMBER,
    make_slice,
    malformed,
    poison,
    stack,
    write_slices,
)
from tests.store.fakes import FakeEncoder, write_volume


@pytest.fixture
def salt(tmp_path):
    return create_salt(tmp_path / "secrets" / "study.salt")


def who(salt, patient=NUMBER):
    return Pseudonyms(load_salt(salt)).patient(patient)


def test_series_become_images_under_pseudonyms(store, tmp_path, salt):
    slices = stack(4)
    for one in slices:
        one.SeriesDescription = "T1 TSE tra"
    write_slices(tmp_path / "in" / "a", slices)
    write_slices(tmp_path / "in" / "b", stack(3, series=2, patient="other"))
    report = store.add_dicom(tmp_path / "in", salt=salt, sequence="T1")
    assert (report.ok, report.failed) == (2, 0)
    rows = store.sql("SELECT * FROM image ORDER BY patient_id")
    assert set(rows["patient_id"]) == {who(salt), who(salt, "other")}
    assert (rows["phase"] == "T1").all()
    uri = rows.set_index("patient_id").loc[who(salt), "uri"]
    assert uri.startswith(str(store.path / "images" / who(salt)))
    voxels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(uri))
    np.testing.assert_array_equal(voxels, [one.pixel_array for one in slices])
    told = json.loads(rows.set_index("patient_id").loc[who(salt), "acquisition"])
    assert told["header"]["PixelSpacing"] == [1.5, 1.5]
    assert "SeriesDescription" not in told["header"]
    seen = store.sql("SELECT acquisition ->> '$.header.Modality' AS m FROM image")
    assert seen["m"].tolist() == ["MR", "MR"]


def test_verify_and_erase_reach_the_volumes(store, tmp_path, salt):
    write_slices(tmp_path / "in", [*stack(4), *stack(3, series=2, patient="other")])
    store.add_dicom(tmp_path / "in", salt=salt)
    assert store.verify().ok
    path = next((store.path / "images" / who(salt)).glob("*.nii.gz"))
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert store.verify().patients == [who(salt)]
    store.erase(who(salt), reason="withdrawal")
    assert not (store.path / "images" / who(salt)).exists()
    assert (store.path / "images" / who(salt, "other")).exists()
    assert store.verify().ok


def test_adding_again_reads_and_writes_nothing(store, tmp_path, salt):
    folder = write_slices(tmp_path / "in", stack(4))
    store.add_dicom(folder, salt=salt)
    before = store.sql("SELECT commit_no FROM store_meta")["commit_no"].item()
    files = {p: p.stat().st_mtime_ns for p in (store.path / "images").rglob("*.gz")}
    report = store.add_dicom(folder, salt=salt)
    assert (report.ok, report.read) == (1, 0)
    assert store.sql("SELECT commit_no FROM store_meta")["commit_no"].item() == before
    assert files == {p: p.stat().st_mtime_ns for p in files}
    assert not list((store.path / "images").rglob(".new-*"))


def test_fault_104_images_keep_their_distance_in_days(store, tmp_path, salt):
    first, second = stack(3), stack(3, series=2)
    for one in second:
        one.AcquisitionDate = "19480613"
    write_slices(tmp_path / "in", [*first, *second])
    store.add_dicom(tmp_path / "in", salt=salt)
    dates = pd.to_datetime(store.sql("SELECT acquired_at FROM image")["acquired_at"])
    assert (dates.max() - dates.min()).days == 366
    assert dates.max() < pd.Timestamp("1948-06-13", tz="UTC")


def test_sequences_and_patients_are_named_by_rules(store, tmp_path, salt):
    t1, t2 = stack(3), stack(3, series=2)
    for one in t1:
        one.SeriesDescription = "AX T1 FS Zzcanary"
    for one in t2:
        one.SeriesDescription = "AX T2"
    write_slices(tmp_path / "in", [*t1, *t2, *stack(3, series=3, patient="other")])
    report = store.add_dicom(
        tmp_path / "in",
        salt=salt,
        sequence={"T1": r"\bT1\b", "T2": r"\bT2\b"},
        patients={NUMBER: "S07"},
    )
    rows = store.sql("SELECT patient_id, phase FROM image ORDER BY phase")
    assert rows.to_numpy().tolist() == [["S07", "T1"], ["S07", "T2"]]
    assert "1 series left out, of another sequence" in str(report)


def test_two_series_of_one_sequence_and_day_are_told_apart_by_rules(
    store, tmp_path, salt
):
    first, second = stack(3), stack(3, series=2)
    for one in second:
        one.SeriesDescription = "T1 gado"
    folder = write_slices(tmp_path / "in", [*first, *second])
    report = store.add_dicom(folder, salt=salt, sequence="T1")
    assert (report.ok, report.failed) == (1, 1)
    failure = report.failures.iloc[0]
    assert failure["patient"] == who(salt)
    files = sorted(str(p) for p in (store.path / "images").rglob("*.nii.gz"))
    assert len(files) == 2
    for words in (*files, "of one day", "add_dicom(sequence="):
        assert words in failure["reason"]
    rules = {"T1 gado": "gado", "T1": ""}
    assert store.add_dicom(folder, salt=salt, sequence=rules).failed == 0
    seen = store.sql("SELECT phase FROM image WHERE retired_no IS NULL ORDER BY 1")
    assert seen["phase"].tolist() == ["T1", "T1 gado"]
    # The files carry the names of the rules that hold, none of the earlier ones.
    names = [p.name for p in (store.path / "images").rglob("*.nii.gz")]
    assert sorted(name.startswith("T1_gado") for name in names) == [False, True]


def test_patients_that_were_not_given_are_failures(store, tmp_path, salt):
    folder = write_slices(tmp_path / "in", stack(3, patient="other"))
    report = store.add_dicom(folder, salt=salt, patients={NUMBER: "S07"})
    assert report.failed == 1
    assert report.failures["reason"].item().startswith(f"Patient {who(salt, 'other')}")


@pytest.mark.parametrize("own", ["../P1", "a/b", "", ".hidden"])
def test_an_own_id_cannot_leave_the_folder(store, tmp_path, salt, own):
    folder = write_slices(tmp_path / "in", stack(3))
    with pytest.raises(InvalidInput, match="cannot be a patient's id"):
        store.add_dicom(folder, salt=salt, patients={NUMBER: own})


def test_fault_102_a_refused_series_is_a_row_and_stops_no_other(store, tmp_path, salt):
    bad = stack(3, series=2, patient="other")
    bad[1].BurnedInAnnotation = "YES"
    folder = write_slices(tmp_path / "in", [*stack(3), *bad])
    report = store.add_dicom(folder, salt=salt)
    assert (report.ok, report.failed) == (1, 1)
    failure = report.failures.iloc[0]
    assert (failure["patient"], failure["code"]) == (
        who(salt, "other"),
        "BurnedInAnnotation",
    )
    code = failure["reason"].rsplit(" ", 1)[1].rstrip(")")
    assert find_source(folder, code, key=load_salt(salt)).name.endswith("_4.dcm")
    kept = store.sql(
        "SELECT patient_id, error_code FROM attempt WHERE status = 'failed'"
    )
    assert kept.to_numpy().tolist() == [[who(salt, "other"), "BurnedInAnnotation"]]
    refresh(store._open)  # what is refused stays refused for its own reason
    assert (
        len(store.sql("SELECT 1 FROM attempt WHERE error_code = 'InputMissing'")) == 0
    )


def test_fault_103_heads_are_warned_of_and_noted(store, tmp_path, salt):
    slices = stack(3)
    for one in slices:
        one.BodyPartExamined = "HEAD"
    folder = write_slices(tmp_path / "in", slices)
    with pytest.warns(IdentifiableFace, match=who(salt)):
        report = store.add_dicom(folder, salt=salt)
    assert "not defaced" in str(report)


def test_what_is_not_an_image_is_left_out_and_said(store, tmp_path, salt):
    slices = [make_slice(0, series=5), *stack(3, series=6)]
    slices[0].Modality = "RTSTRUCT"
    for one in slices[1:]:
        one.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    folder = write_slices(tmp_path / "in", slices)
    (folder / "readme.txt").write_text("x")
    report = store.add_dicom(folder, salt=salt)
    assert (report.ok, report.failed) == (0, 0)
    for text in ("RTSTRUCT objects", "localizers", "1 files are not DICOM"):
        assert text in str(report)


def test_fault_101_the_salt_must_lie_outside_the_store(store, tmp_path):
    folder = write_slices(tmp_path / "in", stack(3))
    inside = create_salt(store.path / "study.salt")
    with pytest.raises(InvalidInput, match=r"study\.salt lies inside the store"):
        store.add_dicom(folder, salt=inside)


def leaks(text):
    data = text if isinstance(text, bytes) else text.encode()
    return [word for word in CANARIES if word.encode() in data]


def contents(folder):
    """Yield every byte of a folder: names, files, and files unpacked."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)).encode()
        if path.is_file():
            data = path.read_bytes()
            yield data
            yield data.decode("utf-16-le", "ignore").encode()
            if data.startswith(b"\x1f\x8b"):
                yield gzip.decompress(data)


def rows_of(store):
    """Return every cell of the catalogue as text: its file may be compressed."""
    tables = store.sql("SELECT table_name FROM information_schema.tables")["table_name"]
    return [store.sql(f'SELECT * FROM "{name}"').to_string() for name in tables]


def poisoned_study(folder):
    """Two good series, one with text in its pixels, one with a slice missing."""
    slices = [
        *stack(4),
        *stack(4, series=2, modality="PT"),
        *stack(3, series=3),
        *(one for number, one in enumerate(stack(4, series=4)) if number != 1),
        make_slice(patient="", series=5),
    ]
    with malformed():
        for one in slices:
            poison(one)
        slices[8].BurnedInAnnotation = "YES"
        write_slices(folder / "Zzcanary" / NUMBER, slices)
    (folder / "Zzcanary" / "Zzcanary_19470613.txt").write_text("Zzcanary")
    return folder


def test_fault_101_the_canary_is_wherever_text_can_be(tmp_path):
    """In every text VR, private tags, sequences, UIDs, preamble, names of files."""
    assert set(BY_VR) == {str(vr) for vr in STR_VR}
    poisoned_study(tmp_path)
    (path, *_) = sorted(p for p in tmp_path.rglob("*.dcm"))
    assert leaks(str(path))
    with malformed():
        one = pydicom.dcmread(path)
        told = Counter(str(item.VR) for item in one.iterall() if leaks(str(item.value)))
        ages = {str(item.value) for item in one.iterall() if item.VR == "AS"}
    # Ages of 97 years, which name nobody by themselves, are looked for apart.
    assert set(BY_VR) - {"AS"} <= set(told)
    assert all("097Y" in age for age in ages)
    assert told["UN"]
    assert any(item.tag.is_private and leaks(str(item.value)) for item in one.iterall())
    assert leaks(one.preamble)
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert leaks(str(one[name].value))
    assert leaks(one.file_meta.MediaStorageSOPInstanceUID)


def test_fault_101_canary_nothing_of_the_patient_is_in_the_store(
    tmp_path, salt, caplog, capfd
):
    folder = poisoned_study(tmp_path / "in")
    told = []
    with (
        warnings.catch_warnings(record=True) as caught,
        FeatureStore(tmp_path / "study") as store,
    ):
        warnings.simplefilter("always")
        report = store.add_dicom(folder, salt=salt)
        assert (report.ok, report.failed) == (2, 3)
        told += [str(report), report.failures.to_string()]
        image = store.sql("SELECT uri FROM image WHERE kind = 'MR'")["uri"].item()
        mask = np.zeros((4, 6, 5), np.uint8)
        mask[1:3, 1:4, 1:4] = 1
        path = write_volume(tmp_path / "masks" / who(salt) / "MR_mask.nii.gz", mask)
        drawn = SimpleITK.ReadImage(str(path))
        drawn.CopyInformation(SimpleITK.ReadImage(image))
        SimpleITK.WriteImage(drawn, str(path))
        store.add_masks(tmp_path / "masks", pattern="{patient}/{sequence}_mask.nii.gz")
        told.append(str(store.encode(FakeEncoder())))
        assert store.status().loc["units", "count"] == 1
        store.readings("fake.mr").load()
        told.append(str(store.explain(who(salt), "fake.mr.mean")))
        m = store.matrix(None, features="fake.mr")
        told.append(m.X.to_string())
        (tmp_path / "out").mkdir()
        for suffix in ("csv", "parquet", "npz"):
            store.export(m, tmp_path / "out" / f"m.{suffix}")
        told += rows_of(store)
        with pytest.raises(StoreError) as raised:
            store.sql("SELECT nothing")
        told += ["".join(traceback.format_exception(raised.value)), repr(store)]
        copies = published(store)
    told += [str(item.message) for item in caught]
    told += [caplog.text, *capfd.readouterr()]
    assert [leaks(text) for text in told if leaks(text)] == []
    assert not any("097Y" in text for text in told)
    searched = 0
    for place in (tmp_path / "study", tmp_path / "out", *copies):
        for data in contents(place):
            searched += len(data)
            assert leaks(data) == []
    assert searched > 50_000
    # The search does find them where they are.
    assert any(leaks(data) for data in contents(folder))


def published(store):
    """Return the folders of published copies; they lie in the store by default."""
    store.publish()
    return [store.path / "snapshots"]
