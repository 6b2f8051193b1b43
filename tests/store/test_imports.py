"""Tables of other tools: every number arrives, every doubtful cell is named."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import InvalidInput, LeakageError, StoreError, UnknownName
from tests.store.fakes import FakeEncoder, clinical

IDS = ["P001", "P002", "P003"]


def table(n=3, prefix="", **more):
    rng = np.random.default_rng(0)
    columns = {
        f"{prefix}{name}": rng.normal(size=n)
        for name in (
            "original_shape_Sphericity",
            "original_firstorder_Mean",
            "wavelet-LLH_glcm_Contrast",
            "log-sigma-2-0-mm-3D_glrlm_RunEntropy",
        )
    }
    ids = [f"P{i:03d}" for i in range(1, n + 1)]
    return pd.DataFrame({"PatientID": ids, **columns, **more})


@pytest.fixture
def filled(store):
    store.add_patients(clinical(6), index_time="surgery")
    store.add_outcome("mfs", time="mfs_days", event="metastasis", competing="death")
    return store


def save(frame, path, **options):
    frame.to_csv(path, index=False, **options)
    return path


def test_imported_values_are_units_like_any_other(filled, tmp_path):
    frame = table()
    path = save(frame, tmp_path / "t1.csv")
    report = filled.import_features(path, extractor="legacy", sequence="T1")
    assert (report.imported, report.skipped) == (3, 0)
    assert report.feature_sets == {"legacy.t1": 4}
    m = filled.matrix(None, features="legacy.t1", outcome="mfs")
    assert list(m.X.index) == [f"P{i:03d}" for i in range(1, 7)]
    expected = frame.set_index("PatientID").to_numpy()
    assert np.array_equal(m.X.loc[IDS].iloc[:, 1:].to_numpy(), expected)
    told = m.missing.set_index("patient")["reason"]
    assert list(told.index) == ["P004", "P005", "P006"]
    assert told["P004"] == "no T1 row in t1.csv"
    assert m.provenance["feature_sets"]["legacy.t1"]["version"] == "imported"
    found = filled.explain("P002", "legacy.t1.original_firstorder_Mean")
    assert found.value == frame["original_firstorder_Mean"][1]
    assert found.chain["image"]["kind"] == "imported"
    assert found.chain["image"]["path"] == str(path)
    assert found.chain["image"]["file_is_unchanged"] is True
    assert found.chain["feature"]["family"] == "firstorder"
    assert found.chain["extractor"]["params"]["source_sha256"]
    assert any("line 3" in note for note in found.chain["run"]["warnings"])


def test_the_same_table_again_changes_nothing(filled, tmp_path):
    path = save(table(), tmp_path / "t1.csv")
    first = filled.import_features(path, extractor="legacy", sequence="T1")
    before = filled.status()
    moved = path.rename(tmp_path / "elsewhere.csv")
    again = filled.import_features(moved, extractor="legacy", sequence="T1")
    assert (again.imported, again.skipped) == (0, 3)
    assert again.extractor_id == first.extractor_id
    assert filled.status().equals(before)


def test_a_corrected_table_is_another_extractor_and_never_mixed(filled, tmp_path):
    frame = table()
    ids = [filled.import_features(frame, extractor="old", sequence="T1").extractor_id]
    frame.iloc[0, 1] = 5.0
    ids += [filled.import_features(frame, extractor="old", sequence="T1").extractor_id]
    with pytest.raises(StoreError, match=rf"{ids[0]}.*{ids[1]}"):
        filled.matrix(None, features="old.t1")
    m = filled.matrix(None, features="old.t1", extractor=ids[1])
    assert m.X.iloc[0, 1] == 5.0


def test_readers_and_sessions_become_readings(filled):
    rows = [table(reader=reader, session=s) for reader in "AB" for s in (1, 2)]
    frame = pd.concat(rows, ignore_index=True)
    frame["original_firstorder_Mean"] = np.arange(12.0)
    filled.import_features(frame, extractor="old", sequence="T1")
    readings = filled.readings("old.t1").load()
    assert readings.shape == (12, 4)
    assert readings.loc[("P002", "B", 2), "old.t1.original_firstorder_Mean"] == 10.0
    m = filled.matrix(None, features="old.t1", reader="B", session=2)
    assert m.X.loc["P003", "old.t1.original_firstorder_Mean"] == 11.0


def test_imported_rows_are_no_images_to_encode(study, root):
    study.encode(FakeEncoder(), required=["T1"])
    before = study.status()["count"]
    study.import_features(table(), extractor="old", sequence="T1")
    after = study.status()["count"]
    assert after["units"] == before["units"] + 3
    assert (after["images"], after["masks"]) == (before["images"], before["masks"])
    report = study.encode(FakeEncoder(), required=["T1"])
    assert (report.encoded, report.failed) == (0, 0)
    assert len(study.images_and_masks()) == 12
    m = study.matrix(None, features=["fake.t1", "old.t1"])
    assert m.X["fake.t1.mean"].notna().all()
    assert m.X["old.t1.original_firstorder_Mean"].notna().sum() == 3


def test_a_date_of_acquisition_counts(filled):
    frame = table(scanned=["2019-12-01", "2020-03-01", "2019-12-01"])
    filled.import_features(frame, extractor="old", sequence="T1", acquired_at="scanned")
    m = filled.matrix(None, features="old.t1")
    assert m.X.loc["P002"].iloc[1:].isna().all()
    assert "2020-03-01, after the index time" in m.missing["reason"].iloc[0]
    with pytest.raises(LeakageError, match="P002"):
        filled.matrix(None, features="old.t1.original_firstorder_Mean")


def test_diagnostics_are_provenance(filled):
    frame = table(
        **{
            "diagnostics_Versions_PyRadiomics": "3.0.1",
            "diagnostics_Configuration_Settings": "{'binWidth': 25}",
            "diagnostics_Mask-original_VoxelNum": [100, 200, 300],
        }
    )
    filled.import_features(frame, extractor="old", sequence="T1")
    found = filled.explain("P002", "old.t1.original_firstorder_Mean")
    settings = found.chain["extractor"]["params"]["settings"]
    assert settings["diagnostics_Versions_PyRadiomics"] == "3.0.1"
    assert found.chain["mask"]["n_voxels"] == 200
    assert len(filled.matrix(None, features="old.t1").X.columns) == 5


def test_fault_061_two_bin_widths_in_one_table(filled):
    told = ["{'binWidth': 25}", "{'binWidth': 25}", "{'binWidth': 10}"]
    frame = table(**{"diagnostics_Configuration_Settings": told})
    with pytest.raises(InvalidInput, match=r"P001 .*25.*P003 .*10.*two extractor"):
        filled.import_features(frame, extractor="old", sequence="T1")


def test_fault_061_mixed_extractors_in_one_matrix(study):
    study.encode(FakeEncoder(params={"bin": 25}))
    study.encode(FakeEncoder(params={"bin": 10}))
    ids = study.sql("SELECT extractor_id AS e FROM extractor")["e"]
    with pytest.raises(StoreError, match="never mixed") as error:
        study.matrix(None, features="fake.t1")
    assert all(name in str(error.value) for name in ids)


def test_sequences_from_prefixes(filled):
    frame = table(prefix="T1_").merge(table(prefix="FS_"), on="PatientID")
    report = filled.import_features(frame, extractor="old")
    assert report.feature_sets == {"old.t1": 4, "old.fs": 4}
    report = filled.import_features(frame, extractor="new", sequence={"FS": "STIR"})
    assert report.feature_sets == {"new.t1": 4, "new.stir": 4}
    with pytest.raises(UnknownName, match="prefix of columns in DataFrame 'T2'"):
        filled.import_features(frame, extractor="x", sequence={"T2": "T2"})
    with pytest.raises(InvalidInput, match=r"which sequence .*'T1', 'FS'"):
        filled.import_features(frame, extractor="x", sequence="T1")
    with pytest.raises(InvalidInput, match="sequence='T1'"):
        filled.import_features(table(), extractor="x")


TOOLS = {
    "lifex": (
        "GLCM_JointMaximum(IBSI:GYBY)[]",
        "INTENSITY-BASED_MeanIntensity(IBSI:Q4LE)[HU]",
        "MORPHOLOGICAL_Volume(IBSI:RNU0)[mL]",
    ),
    "mirp": ("stat_mean", "cm_joint_max_d1_3d_avg", "wavelet_coif1_lll_morph_volume"),
    "captk": (
        "T1_ED_Intensity_Mean",
        "T1_ED_GLCM_Bins-10_Radius-1_Contrast",
        "T1_ED_NGTDM_Busyness",
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_are_recognised(filled, tool):
    frame = pd.DataFrame(
        {"SubjectID": IDS, "INFO_Operator": "x", "age": 1, "Modality": "CT"}
        | {name: [1.0, 2.0, 3.0] for name in TOOLS[tool]}
    )
    report = filled.import_features(frame, extractor="old")
    assert report.format == tool
    phase = "ct"
    assert report.feature_sets == {f"old.{phase}": 3}
    assert "age" in report.ignored
    if tool == "lifex":
        found = filled.explain("P001", "old.ct.INTENSITY-BASED_MeanIntensity")
        assert found.chain["feature"]["ibsi"] == "Q4LE"
        assert found.chain["feature"]["unit"] == "HU"


def test_a_table_of_no_known_tool(filled):
    frame = pd.DataFrame({"id": IDS, "depth": [1, 2, 3]})
    with pytest.raises(InvalidInput, match=r"depth.*format='wide'"):
        filled.import_features(frame, extractor="old", sequence="T1")
    report = filled.import_features(
        frame, extractor="old", sequence="T1", format="wide"
    )
    assert report.feature_sets == {"old.t1": 1}
    with pytest.raises(InvalidInput, match=r"extractor='a\.b'"):
        filled.import_features(frame, extractor="a.b", sequence="T1", format="wide")


def test_fault_050_duplicate_rows(filled, tmp_path):
    frame = table()
    frame.loc[2, "PatientID"] = "P001"
    path = save(frame, tmp_path / "t.csv")
    with pytest.raises(InvalidInput, match=r"'P001', T1, reader A.*line 2 and line 4"):
        filled.import_features(path, extractor="old", sequence="T1")
    assert filled.status().loc["units", "count"] == 0


def test_fault_051_ids_that_excel_changed(store, tmp_path):
    store.add_patients(pd.DataFrame({"site": "x"}, index=["007", "8", "10"]))
    frame = table()
    frame["PatientID"] = ["7.0", " 8 ", "11"]
    path = save(frame, tmp_path / "t.csv")
    with pytest.raises(UnknownName, match=r"7\.0 \(the store has 007\), 11\. Correct"):
        store.import_features(path, extractor="old", sequence="T1")
    report = store.import_features(path, extractor="old", sequence="T1", unknown="skip")
    assert report.imported == 1
    assert any("7.0 (the store has 007)" in note for note in report.notes)
    m = store.matrix(None, features="old.t1")
    assert list(m.X.index[m.X.iloc[:, 1].notna()]) == ["8"]


def test_fault_052_duplicate_columns(filled, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,original_glcm_Idm,Original_GLCM_Idm\nP001,1,2\n")
    with pytest.raises(InvalidInput, match=r"columns 2 and 3 .*'Original_GLCM_Idm'"):
        filled.import_features(path, extractor="old", sequence="T1")
    frame = pd.DataFrame([["P001", 1.0, 2.0]], columns=["id", "a", "a"])
    with pytest.raises(InvalidInput, match=r"columns 2 and 3 .*'a'"):
        filled.import_features(frame, extractor="old", sequence="T1", format="wide")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_fault_053_excel_with_decimal_comma(filled, tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_text("ID;Größe;Höhe\nP001;1,5;3\nP002;-2,25e2;4\n", encoding=encoding)
    report = filled.import_features(path, extractor="old", sequence="T1", format="wide")
    assert "decimal comma" in report.notes
    told = {"utf-8-sig": "utf-8 with BOM", "cp1252": "cp1252"}[encoding]
    assert f"read as {told}, separated by ;" in report.notes
    m = filled.matrix(None, features="old.t1")
    assert list(m.X["old.t1.Größe"][:2]) == [1.5, -225.0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id;a;b\nP001;1,5;2.5\n", r"line 2, column 'a': '1,5'.*column 'b': '2.5'"),
        ("id;a\nP001;1.234,5\n", r"line 2, column 'a': '1.234,5' is ambiguous"),
        ('id,a\nP001,"1,234"\n', r"line 2, column 'a': '1,234' is ambiguous"),
    ],
)
def test_fault_053_ambiguous_marks(filled, tmp_path, text, told):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=told):
        filled.import_features(path, extractor="old", sequence="T1", format="wide")


def test_fault_053_a_stated_mark_is_kept_to(filled, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id;a;b\nP001;1.234,5;7\n")
    filled.import_features(
        path, extractor="old", sequence="T1", format="wide", decimal=","
    )
    assert filled.explain("P001", "old.t1.a").value == 1234.5
    path.write_text("id;a;b\nP001;1.5;7\n")
    with pytest.raises(InvalidInput, match=r"column 'a', patient P001: '1.5'"):
        filled.import_features(
            path, extractor="x", sequence="T1", format="wide", decimal=","
        )


@pytest.mark.parametrize("cell", ["-", "#DIV/0!", "<0.01", "n/a", "1_000", "0x1f"])
def test_fault_054_undeclared_codes(filled, tmp_path, cell):
    frame = table().astype(object)
    frame.iloc[1, 2] = cell
    path = save(frame, tmp_path / "t.csv")
    told = rf"line 3, column 'original_firstorder_Mean', patient P002: '{cell}'"
    with pytest.raises(InvalidInput, match=told.replace("/", r"\/")):
        filled.import_features(path, extractor="old", sequence="T1")
    filled.import_features(
        path, extractor="old", sequence="T1", missing=("", "NA", cell)
    )
    value = filled.explain("P002", "old.t1.original_firstorder_Mean").value
    assert np.isnan(value)


def test_a_row_without_numbers_is_a_failure(filled):
    frame = table()
    frame.iloc[1, 1:] = np.nan
    report = filled.import_features(frame, extractor="old", sequence="T1")
    assert report.imported == 2
    assert any("P002 T1 (row 1)" in note for note in report.notes)
    m = filled.matrix(None, features="old.t1")
    told = m.missing.set_index("patient").loc["P002", "reason"]
    assert "row 1 of DataFrame holds no number" in told


def test_fault_065_a_float32_cast_is_recorded(filled):
    frame = table().astype(
        dict.fromkeys(table().columns[1:], "float32"),
    )
    report = filled.import_features(frame, extractor="old", sequence="T1")
    assert "4 float32 columns cast to float64" in report.notes
    found = filled.explain("P001", "old.t1.original_firstorder_Mean")
    assert found.value == float(frame["original_firstorder_Mean"][0])
    assert "4 float32 columns cast to float64" in found.chain["run"]["warnings"]
    assert filled.matrix(None, features="old.t1").X.dtypes.iloc[1] == np.float64


def test_bits_survive(filled, tmp_path):
    values = [0.1, -0.0, 1e-308]
    frame = table()
    frame["original_firstorder_Mean"] = values
    path = save(frame, tmp_path / "t.csv")
    filled.import_features(path, extractor="old", sequence="T1")
    column = filled.matrix(None, features="old.t1").X
    found = column["old.t1.original_firstorder_Mean"].to_numpy()[:3]
    assert found.tobytes() == np.array(values).tobytes()


def test_a_dataframe_indexed_by_patient(filled):
    report = filled.import_features(
        table().set_index("PatientID"), extractor="old", sequence="T1"
    )
    assert report.imported == 3
    assert "imported 3 units of old.t1 (4 features)" in str(report)


def test_the_sts_table(real_data, store):
    path = real_data / "tables" / "sts" / "sts_pyradiomics_T1_FS.csv"
    frame = pd.read_csv(path)
    store.add_patients(frame[["case_PatientID"]].set_index("case_PatientID"))
    report = store.import_features(path, extractor="published")
    assert report.feature_sets == {"published.t1": 1037, "published.fs": 1037}
    m = store.matrix(None, features="published.fs")
    expected = frame[[c for c in frame if c.startswith("FS_")]].to_numpy()
    assert np.array_equal(m.X.iloc[:, 1:].to_numpy(), expected)


def test_the_nsclc_table_has_a_cell_of_excel(real_data, tmp_path):
    path = real_data / "tables" / "nsclc_radiogenomics" / "joined.csv"
    ids = pd.read_csv(path, dtype=str)["SubjectID"]
    with FeatureStore(tmp_path / "nsclc") as store:
        store.add_patients(pd.DataFrame({"site": "x"}, index=ids))
        with pytest.raises(InvalidInput, match=r"line 201, .*R01-159: '#NAME\?'"):
            store.import_features(path, extractor="captk")
        report = store.import_features(
            path,
            extractor="captk",
            sequence={"T1_ED": "CT"},
            missing=("", "NA", "#NAME?"),
        )
        assert report.format == "captk"
        assert report.feature_sets == {"captk.ct": 102}
        assert store.matrix(None, features="captk.ct").X.shape == (204, 103)
