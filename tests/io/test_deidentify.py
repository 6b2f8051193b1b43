"""DICOM without the patient."""

import io
import os
import traceback
import warnings
from datetime import date

import numpy as np
import pandas as pd
import pydicom
import pytest

from sarcfeat.exceptions import (
    BurnedInAnnotation,
    IdentifiableFace,
    InputCorrupt,
    InputMissing,
    InputRepaired,
    InvalidInput,
    UnknownName,
)
from sarcfeat.io import (
    Pseudonyms,
    create_salt,
    deidentify,
    deidentify_folder,
    deidentify_table,
    find_series,
    find_source,
    load_salt,
    read_series,
)
from sarcfeat.io.dicom_tags import KEEP, UIDS
from tests.io.dicom_study import (
    CANARIES,
    make_slice,
    malformed,
    poison,
    stack,
    write_slices,
)

KEY = bytes(range(32))
WHO = Pseudonyms(KEY).patient("8675309")


@pytest.fixture
def poisoned():
    with malformed():
        yield poison(make_slice(modality="PT"))


def bytes_of(dataset):
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def leaks(data):
    return [word for word in CANARIES if word.encode() in data]


def test_fault_101_no_text_element_survives(poisoned):
    before = bytes_of(poisoned)
    assert leaks(before) == [word for word in CANARIES if word != "1947-06-13"]
    clean = deidentify(poisoned, key=KEY)
    assert leaks(bytes_of(clean)) == []
    assert bytes_of(poisoned) == before
    assert clean.PatientID == clean.PatientName == WHO
    assert clean.PatientIdentityRemoved == "YES"
    assert list(clean.ImageType) == ["ORIGINAL", "PRIMARY"]


def test_fault_101_only_tags_of_the_allow_list_stay(poisoned):
    own = {
        "SOPClassUID", "SpecificCharacterSet", "PatientID", "PatientName",
        "PatientIdentityRemoved",
        "DeidentificationMethod", "LongitudinalTemporalInformationModified",
        "StudyDate", "SeriesDate",
        "AcquisitionDate", "AcquisitionTime", "SeriesTime", "PixelData",
        "RadiopharmaceuticalInformationSequence",
    }  # fmt: skip
    clean = deidentify(poisoned, key=KEY)
    assert {element.keyword for element in clean} <= own | set(UIDS) | set(KEEP)


def test_fault_101_free_text_in_a_field_of_the_allow_list_is_dropped():
    one = make_slice()
    with malformed():
        for keyword in (
            "Manufacturer",
            "BodyPartExamined",
            "ConvolutionKernel",
            "Units",
        ):
            setattr(one, keyword, "Zzcanary")
    one.PatientSex = "J"
    clean = deidentify(one, key=KEY)
    for keyword in ("Manufacturer", "BodyPartExamined", "ConvolutionKernel", "Units"):
        assert keyword not in clean
    assert "PatientSex" not in clean


def test_voxels_and_geometry_stay():
    one = make_slice(3)
    one.RescaleSlope, one.RescaleIntercept = "0.00004738971086", "-1024"
    one.Manufacturer = "SIEMENS Healthineers"
    clean = deidentify(one, key=KEY)
    np.testing.assert_array_equal(clean.pixel_array, one.pixel_array)
    for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        assert list(getattr(clean, keyword)) == list(getattr(one, keyword))
    assert float(clean.RescaleSlope) == 0.00004738971086
    assert clean.Manufacturer == "SIEMENS"


def test_what_hides_behind_the_pixels_is_dropped():
    one = make_slice()
    one.PixelData += b"Zzcanary"
    clean = deidentify(one, key=KEY)
    assert len(clean.PixelData) == 2 * one.Rows * one.Columns
    assert leaks(bytes_of(clean)) == []


def test_uids_are_replaced_and_stay_related():
    a, b = (deidentify(make_slice(n), key=KEY) for n in (0, 1))
    assert a.SeriesInstanceUID == b.SeriesInstanceUID != make_slice().SeriesInstanceUID
    assert a.SOPInstanceUID != b.SOPInstanceUID
    assert a.file_meta.MediaStorageSOPInstanceUID == a.SOPInstanceUID
    assert a.SOPInstanceUID.startswith("2.25.")
    assert deidentify(make_slice(), key=bytes(32)).PatientID != a.PatientID


def test_fault_104_dates_move_by_a_constant_and_intervals_stay():
    first, second = make_slice(), make_slice()
    second.StudyDate = second.SeriesDate = second.AcquisitionDate = "19480229"
    days = [
        date.fromisoformat(str(deidentify(one, key=KEY).AcquisitionDate))
        for one in (first, second)
    ]
    assert days[1] - days[0] == date(1948, 2, 29) - date(1947, 6, 13)
    assert date(1937, 6, 1) < days[0] < date(1947, 6, 13)
    other = make_slice(patient="other")
    assert deidentify(other, key=KEY).StudyDate != f"{days[0]:%Y%m%d}"


def test_fault_104_a_date_that_is_none_is_dropped():
    one = make_slice()
    with malformed():
        one.StudyDate, one.SeriesDate = "13/06/1947", "00000000"
    clean = deidentify(one, key=KEY)
    assert "StudyDate" not in clean
    assert "SeriesDate" not in clean


@pytest.mark.parametrize(
    ("written", "kept"),
    [("061Y", "061Y"), ("089Y", "089Y"), ("090Y", "090Y"), ("103Y", "090Y"),
     ("014M", "014M"), ("old", None)],
)  # fmt: skip
def test_fault_104_ages_above_89_are_cut(written, kept):
    one = make_slice()
    with malformed():
        one.PatientAge = written
    assert deidentify(one, key=KEY).get("PatientAge") == kept


def test_fault_104_decay_times_count_from_the_injection():
    one = make_slice(modality="PT")
    one.AcquisitionTime, one.SeriesTime = "001537.5", "001500"
    item = pydicom.Dataset()
    item.RadiopharmaceuticalStartTime = "2310"  # the evening before
    item.RadionuclideTotalDose = "386818624"
    item.Radiopharmaceutical = "FDG -- fluorodeoxyglucose"
    one.RadiopharmaceuticalInformationSequence = [item]
    clean = deidentify(one, key=KEY)
    kept = clean.RadiopharmaceuticalInformationSequence[0]
    assert (kept.RadiopharmaceuticalStartTime, kept.Radiopharmaceutical) == (
        "000000",
        "FDG",
    )
    assert clean.AcquisitionTime == "010537.500000"
    assert clean.SeriesTime == "010500"
    assert "AcquisitionTime" not in deidentify(make_slice(), key=KEY)


def burned(**changes):
    one = make_slice(modality=changes.pop("modality", "MR"))
    for keyword, value in changes.items():
        setattr(one, keyword, value)
    return one


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        (burned(BurnedInAnnotation="YES"), "BurnedInAnnotation is YES"),
        (burned(modality="SC"), "Secondary Capture Image Storage"),
        (burned(modality="US"), "Ultrasound Image Storage"),
        (burned(ConversionType="WSD"), "captured from a screen"),
        (burned(ImageType=["DERIVED", "PRIMARY", "LABEL"]), "ImageType says LABEL"),
    ],
)
def test_fault_102_text_in_the_pixels_is_refused(dataset, reason):
    with pytest.raises(BurnedInAnnotation, match=f"Patient {WHO}: .*{reason}"):
        deidentify(dataset, key=KEY)


def test_fault_102_overlay_in_unused_bits_is_refused():
    one = make_slice()
    one.add_new(0x60000102, "US", 12)
    with pytest.raises(BurnedInAnnotation, match=f"{WHO}.*unused bits"):
        deidentify(one, key=KEY)


def test_fault_102_overlay_beside_the_pixels_is_dropped():
    one = make_slice()
    one.add_new(0x60000102, "US", 0)
    one.add_new(0x60003000, "OW", b"Zzcanary")
    assert 0x60003000 not in deidentify(one, key=KEY)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("BodyPartExamined", "HEAD"), ("SeriesDescription", "AX_HEAD_T1"),
     ("StudyDescription", "IRM tête"), ("RecognizableVisualFeatures", "YES")],
)  # fmt: skip
def test_fault_103_a_head_is_warned_of(keyword, value):
    one = make_slice()
    one.SpecificCharacterSet = "ISO_IR 192"
    setattr(one, keyword, value)
    with pytest.warns(IdentifiableFace, match=f"Patient {WHO}.*not defaced.*pydeface"):
        deidentify(one, key=KEY)


@pytest.mark.parametrize("said", ["surface coil", "THIGH", "overhead"])
def test_words_that_only_look_like_a_head(said):
    one = make_slice()
    one.StudyDescription = said
    deidentify(one, key=KEY)


def test_a_patient_without_id_is_refused_and_can_be_named():
    one = make_slice(patient="")
    with pytest.raises(InvalidInput, match="no PatientID"):
        deidentify(one, key=KEY)
    assert deidentify(one, key=KEY, patient="S07").PatientID == "S07"


def test_other_objects_and_slices_without_geometry_are_refused():
    one = make_slice()
    one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    with pytest.raises(InvalidInput, match=f"{WHO}.*Enhanced MR Image Storage"):
        deidentify(one, key=KEY)
    two = make_slice()
    del two.ImagePositionPatient
    with pytest.raises(InvalidInput, match=f"{WHO}.*no ImagePositionPatient"):
        deidentify(two, key=KEY)
    three = make_slice()
    three.PixelData = three.PixelData[:-4]
    with pytest.raises(InputCorrupt, match=f"{WHO}.*fewer than the header"):
        deidentify(three, key=KEY)


def test_fault_101_tracebacks_and_logs_hold_nothing(poisoned, tmp_path, caplog, capfd):
    del poisoned.PixelSpacing
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(InvalidInput) as raised:
            deidentify(poisoned, key=KEY)
        folder = write_slices(tmp_path / "Zzcanary_8675309", [poisoned])
        series, _ = find_series(folder, key=KEY)
        with pytest.raises(InvalidInput) as from_file:
            read_series(series[0], key=KEY)
    told = [
        *("".join(traceback.format_exception(e.value)) for e in (raised, from_file)),
        *(str(item.message) for item in caught if item.category is not UserWarning),
        repr(series),
        caplog.text,
        *capfd.readouterr(),
    ]
    # The path of this very test is in its own traceback's frames, its data are not.
    assert leaks("\n".join(told).encode()) == []


def test_a_folder_is_copied_under_pseudonyms(tmp_path):
    slices = stack(3)
    slices.append(burned(BurnedInAnnotation="YES", SOPInstanceUID="1.2.3"))
    source = write_slices(tmp_path / "in" / "Zzcanary", slices)
    (source / "Zzcanary.txt").write_text("Zzcanary")
    left = deidentify_folder(source, tmp_path / "out", key=KEY)
    files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert len(files) == 3
    assert all(path.parts[-3] == WHO for path in files)
    assert (
        leaks("".join(map(str, (p.relative_to(tmp_path) for p in files))).encode())
        == []
    )
    assert [leaks(path.read_bytes()) for path in files] == [[], [], []]
    assert len(left) == 2
    codes = [line.split()[1].rstrip(":") for line in left]
    names = {find_source(source, code, key=KEY).name for code in codes}
    assert names == {"Zzcanary.txt", "Zzcanary_Jeanne_19470613_8675309_3.dcm"}
    assert find_source(source, "0" * 12, key=KEY) is None
    with pytest.raises(InvalidInput, match="not empty"):
        deidentify_folder(source, tmp_path / "out", key=KEY)
    with pytest.raises(InvalidInput, match="inside the source"):
        deidentify_folder(source, source / "out", key=KEY)


def test_series_with_a_gap_a_double_or_another_size_are_refused(tmp_path):
    def read(slices, name):
        series, _ = find_series(write_slices(tmp_path / name, slices), key=KEY)
        return read_series(series[0], key=KEY)[0]

    assert read(stack(4), "whole").GetSize() == (5, 6, 4)
    slices = stack(5)
    with pytest.raises(InvalidInput, match=r"slice is missing .* 3.00 and 9.00 mm"):
        read([slices[0], slices[1], slices[3], slices[4]], "gap")
    double = make_slice(9)
    double.ImagePositionPatient = [0, 0, 3]
    with pytest.raises(InvalidInput, match="lie on one another between 3"):
        read([*stack(4), double], "double")
    with pytest.warns(InputRepaired, match=f"{WHO}: 1 files are copies"):
        assert read([*stack(4), stack(4)[1]], "copy").GetSize() == (5, 6, 4)
    changed = make_slice(1)
    changed.PixelData = bytes(len(changed.PixelData))
    with pytest.raises(InvalidInput, match="one instance have other pixels"):
        read([*stack(4), changed], "changed")
    with pytest.raises(
        InvalidInput, match=f"{WHO}: the slices .* differ in PixelSpacing"
    ):
        read([*stack(2), burned(PixelSpacing=[1, 1], SOPInstanceUID="1.2")], "other")
    tilted = stack(4)
    for number, one in enumerate(tilted):
        one.ImagePositionPatient = [0, 0.4 * number, 3 * number]
    with pytest.raises(InvalidInput, match=r"shift sideways by 1\.20 mm"):
        read(tilted, "tilted")
    mixed = stack(4)
    mixed[2].PatientID = "other"
    with pytest.raises(InvalidInput, match="of several patients"):
        read(mixed, "mixed")
    with pytest.raises(InvalidInput, match="one slice"):
        read(stack(1), "one")


def test_slopes_of_each_slice_are_applied(tmp_path):
    slices = stack(3)
    for number, one in enumerate(slices):
        one.RescaleSlope, one.RescaleIntercept = str(0.5 * (number + 1)), "-3"
    series, _ = find_series(write_slices(tmp_path / "pet", slices), key=KEY)
    import SimpleITK

    found = SimpleITK.GetArrayFromImage(read_series(series[0], key=KEY)[0])
    for number, one in enumerate(slices):
        expected = one.pixel_array * 0.5 * (number + 1) - 3
        np.testing.assert_allclose(found[number], expected, rtol=1e-6)


def test_a_real_study_gives_the_published_volumes(real_data):
    import SimpleITK

    series, others = find_series(real_data / "dicom" / "STS_008", key=KEY)
    names = {"CT": "CT", "MR": "MR_T1", "PT": "PET"}
    assert sorted(one.modality for one in series if one.modality in names) == sorted(
        names
    )
    assert others == []
    for one in series:
        if one.modality not in names:
            continue
        image, header = read_series(one, key=KEY)
        path = real_data / f"images/sts/STS_008/{names[one.modality]}_image.nii.gz"
        expected = SimpleITK.ReadImage(str(path))
        np.testing.assert_allclose(
            SimpleITK.GetArrayFromImage(image),
            SimpleITK.GetArrayFromImage(expected),
            rtol=1e-5,
        )
        np.testing.assert_allclose(image.GetSpacing(), expected.GetSpacing(), rtol=1e-5)
        np.testing.assert_allclose(image.GetOrigin(), expected.GetOrigin(), rtol=1e-5)
        assert b"STS_008" not in bytes_of(header)
        assert b"20010902" not in bytes_of(header)


def test_salt_is_private_outside_the_store_and_never_overwritten(tmp_path, monkeypatch):
    path = create_salt(tmp_path / "secrets" / "study.salt", store=tmp_path / "store")
    assert path.stat().st_mode & 0o777 == 0o600
    key = load_salt(path, store=tmp_path / "store")
    assert len(key) == 32
    monkeypatch.setenv("SARCFEAT_SALT", str(path))
    assert load_salt() == key
    assert load_salt(create_salt(tmp_path / "other.salt")) != key
    with pytest.raises(InvalidInput, match=r"study.salt is there already"):
        create_salt(path)
    os.chmod(path, 0o644)
    with pytest.raises(
        InvalidInput, match=r"study.salt can be read by others \(mode 644"
    ):
        load_salt(path)
    monkeypatch.delenv("SARCFEAT_SALT")
    with pytest.raises(InputMissing, match="No salt file"):
        load_salt()


def test_fault_101_salt_inside_the_store_is_refused(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    with pytest.raises(InvalidInput, match=r"study.salt lies inside the store"):
        create_salt(store / "study.salt", store=store)
    (tmp_path / "link").symlink_to(store)
    real = create_salt(store / "hidden.salt")
    with pytest.raises(InvalidInput, match="lies inside the store"):
        load_salt(tmp_path / "link" / real.name, store=store)
    path = tmp_path / "short.salt"
    path.touch(0o600)
    path.write_text("abc")
    with pytest.raises(InvalidInput, match="64 hexadecimal"):
        load_salt(path)
    with pytest.raises(InvalidInput, match="The key has 3 bytes"):
        Pseudonyms(b"abc")


def test_fault_101_tables_go_under_the_pseudonyms_of_the_images():
    table = pd.DataFrame(
        {
            "name": ["Zzcanary"],
            "age": [96],
            "surgery": ["1947-06-20"],
            "born": ["1851"],
        },
        index=["8675309 "],
    )
    clean = deidentify_table(table, key=KEY, keep=["age"], dates=["surgery"])
    assert clean.index.tolist() == [WHO]
    assert list(clean.columns) == ["age", "surgery"]
    assert clean["age"].tolist() == [90]
    scan = date.fromisoformat(str(deidentify(make_slice(), key=KEY).AcquisitionDate))
    assert (clean["surgery"].iloc[0].date() - scan).days == 7
    with pytest.raises(UnknownName, match="Did you mean 'surgery'"):
        deidentify_table(table, key=KEY, keep=[], dates=["surgry"])
    table["surgery"] = "Zzcanary"
    with pytest.raises(InvalidInput, match="'surgery' holds a cell") as raised:
        deidentify_table(table, key=KEY, keep=[], dates=["surgery"])
    assert leaks("".join(traceback.format_exception(raised.value)).encode()) == []
