"""Encode only what is missing, keep going past a bad patient, list why."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import InvalidInput, MissingDependency, UnknownName
from sarcfeat.store import committing, encoding
from tests.store.fakes import (
    DeadlyEncoder,
    FakeEncoder,
    InterruptedEncoder,
    OddEncoder,
    add_files,
    clinical,
    image_path,
    mask_path,
    patients,
    write_patient,
    write_volume,
)

REPOSITORY = Path(__file__).parents[2]


def encoded_masks(log):
    return log.read_text().splitlines() if log.exists() else []


def test_second_encode_does_nothing_and_says_so(study, tmp_path):
    encoder = FakeEncoder(log=str(tmp_path / "log"))
    first = study.encode(encoder)
    assert (first.encoded, first.skipped, first.failed) == (12, 0, 0)
    second = study.encode(encoder)
    assert str(second) == "encoded 0 units, 12 already there, 0 failed"
    assert len(encoded_masks(tmp_path / "log")) == 12


def test_workers_give_the_same_numbers(study, root, tmp_path):
    study.encode(FakeEncoder(), n_jobs=2)
    one = study.matrix("all", features="fake.t1").X
    with FeatureStore(tmp_path / "other") as other:
        other.add_patients(clinical(6))
        add_files(other, root)
        other.encode(FakeEncoder())
        two = other.matrix(None, features="fake.t1").X
    assert one.equals(two)


def test_workers_run_elsewhere_on_one_thread(study, tmp_path):
    log = tmp_path / "log"
    study.encode(FakeEncoder(log=str(log)), n_jobs=2)
    pids = {line.split()[0] for line in encoded_masks(log)}
    assert str(os.getpid()) not in pids


def test_other_parameters_are_another_extractor(study):
    study.encode(FakeEncoder())
    again = study.encode(FakeEncoder(params={"filters": ["none"], "bin": 25}))
    assert again.encoded == 0
    other = study.encode(FakeEncoder(params={"filters": ["none"], "bin": 50}))
    assert other.encoded == 12


@pytest.fixture
def broken(root, tmp_path):
    """Three bad patients of six: geometry, empty mask, missing image."""
    saved = tmp_path / "saved"
    bad = [
        mask_path(root, "P002"),
        mask_path(root, "P004"),
        image_path(root, "P005"),
    ]
    for path in bad:
        kept = saved / path.relative_to(root)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, kept)
    grid = np.ones((4, 6, 6), np.uint8)
    write_volume(bad[0], grid, spacing=(1.0, 1.0, 2.5))
    write_volume(bad[1], np.zeros((4, 6, 6), np.uint8))
    bad[2].unlink()

    def repair():
        for path in bad:
            shutil.copy2(saved / path.relative_to(root), path)

    return bad, repair


def test_three_bad_patients_fail_the_others_are_encoded(store, root, broken, tmp_path):
    bad, repair = broken
    log = tmp_path / "log"
    store.add_patients(clinical(6))
    reports = add_files(store, root)
    assert [(r.ok, r.failed) for r in reports] == [(5, 0), (3, 3)]
    store.add_cohort("all", required=["T1"])
    encoder = FakeEncoder(log=str(log))
    report = store.encode(encoder, cohort="all")
    assert (report.encoded, report.skipped, report.failed) == (3, 0, 3)
    table = report.failures.set_index("patient")
    assert list(table.index) == ["P002", "P004", "P005"]
    assert list(table["code"]) == ["GeometryMismatch", "EmptyROI", "InputMissing"]
    assert [str(path) for path in bad] == list(table["file"])
    for patient, path in zip(table.index, bad, strict=True):
        line = next(x for x in str(report).splitlines() if patient in x)
        assert str(path) in line
        assert table.loc[patient, "reason"] in line
    assert "spacing (1, 1, 2) mm against (1, 1, 2.5) mm" in table.loc["P002", "reason"]

    again = store.encode(encoder, cohort="all")
    assert (again.encoded, again.skipped, again.failed) == (0, 3, 3)
    assert again.failures["reason"].tolist() == report.failures["reason"].tolist()

    repair()
    log.unlink()
    add_files(store, root)
    repaired = store.encode(encoder, cohort="all")
    assert (repaired.encoded, repaired.skipped, repaired.failed) == (3, 3, 0)
    done = {Path(line.split()[1]).parent.name for line in encoded_masks(log)}
    assert done == {"P002", "P004", "P005"}


def test_encode_alone_sees_repaired_files(store, root, broken):
    _, repair = broken
    images = [[p, "T1", str(image_path(root, p))] for p in patients(6)]
    masks = [[p, "T1", str(mask_path(root, p))] for p in patients(6)]
    columns = ["patient", "sequence", "path"]
    store.add_patients(clinical(6))
    report = store.add_images(pd.DataFrame(images, columns=columns))
    assert report.failures["code"].tolist() == ["InputMissing"]
    assert "P005" in str(report)
    store.add_masks(pd.DataFrame(masks, columns=columns))
    first = store.encode(FakeEncoder())
    assert (first.encoded, first.failed) == (3, 3)
    repair()
    second = store.encode(FakeEncoder())
    assert (second.encoded, second.skipped, second.failed) == (3, 3, 0)


def test_fault_025_image_without_mask(store, root):
    mask_path(root, "P003").unlink()
    add_files(store, root)
    report = store.encode(FakeEncoder())
    assert report.encoded == 5
    row = report.failures.iloc[0]
    assert (row.patient, row.code) == ("P003", "InputMissing")
    assert row.file == str(mask_path(root, "P003"))
    assert "P003" in row.reason
    assert str(mask_path(root, "P003")) in row.reason


def test_required_sequence_that_nobody_gave(study):
    report = study.encode(FakeEncoder(), required=["PET"])
    assert (report.encoded, report.failed) == (12, 6)
    assert set(report.failures["code"]) == {"InputMissing"}
    assert "PET_image.nii.gz" in report.failures["reason"].iloc[0]


def test_failure_inside_the_encoder_is_one_patients(study, root):
    one = np.zeros((4, 6, 6), np.uint8)
    one[0, 0, 0] = 1
    write_volume(mask_path(root, "P001"), one)
    report = study.encode(FakeEncoder())
    assert (report.encoded, report.failed) == (11, 1)
    row = report.failures.iloc[0]
    assert (row.patient, row.reader, row.code) == ("P001", "A", "ROITooSmall")
    assert row.file == str(mask_path(root, "P001"))
    known = study.encode(FakeEncoder())
    assert (known.encoded, known.skipped, known.failed) == (0, 11, 1)
    assert known.failures["reason"].tolist() == [row.reason]
    retried = study.encode(FakeEncoder(), retry="failed")
    assert (retried.encoded, retried.skipped, retried.failed) == (0, 11, 1)
    write_patient(root, "P001", readers=("A", "B"))
    cured = study.encode(FakeEncoder())
    assert (cured.encoded, cured.failed) == (1, 0)


def test_changed_image_is_encoded_again_and_the_old_retired(study, root):
    study.encode(FakeEncoder())
    before = study.matrix("all", features="fake.t1").X
    write_patient(root, "P001", readers=(), seed=9)
    report = study.encode(FakeEncoder())
    assert (report.encoded, report.skipped) == (2, 10)
    after = study.matrix("all", features="fake.t1").X
    assert after.loc["P001", "fake.t1.mean"] != before.loc["P001", "fake.t1.mean"]
    assert after.drop(index="P001").equals(before.drop(index="P001"))
    rows = study.sql(
        "SELECT count(*) AS n, count(retired_no) AS retired FROM image "
        "WHERE patient_id = ?",
        ["P001"],
    )
    assert rows.iloc[0].tolist() == [2, 1]
    write_patient(root, "P001", readers=(), seed=0)
    assert study.encode(FakeEncoder()).encoded == 0
    assert study.matrix("all", features="fake.t1").X.equals(before)


def test_identity_does_not_depend_on_the_path(study, root):
    study.encode(FakeEncoder())
    os.rename(root / "images", root / "moved")
    report = study.add_images(
        root / "moved", pattern="{patient}/{sequence}_image.nii.gz"
    )
    assert report.failed == 0
    assert study.encode(FakeEncoder()).encoded == 0


def test_fault_097_other_numbers_are_reported_the_first_kept(study):
    encoder = FakeEncoder(noise=True)
    study.encode(encoder)
    before = study.matrix("all", features="fake.t1").X
    report = study.encode(encoder, retry="all")
    assert (report.encoded, report.failed) == (0, 12)
    assert set(report.failures["code"]) == {"NonDeterministicExtraction"}
    assert "P001" in report.failures["reason"].iloc[0]
    assert study.matrix("all", features="fake.t1").X.equals(before)
    steady = study.encode(FakeEncoder(name="steady"))
    assert steady.encoded == 12
    assert study.encode(FakeEncoder(name="steady"), retry="all").failed == 0


def test_names_and_values_must_fit(study):
    report = study.encode(OddEncoder(names=("a", "b"), values=(1.0,)))
    assert report.failed == 12
    assert "2 names and values of shape (1,)" in report.failures["reason"].iloc[0]
    odd = OddEncoder(names=("a", "a"), values=(1.0, 2.0))
    report = study.encode(odd, retry="failed")
    assert "names features twice: a" in report.failures["reason"].iloc[0]


class LackingEncoder(FakeEncoder):
    def encode(self, *args, **kwargs):
        raise MissingDependency("radiomics is not installed.")


def test_missing_library_is_not_the_patients_fault(study):
    with pytest.raises(MissingDependency, match="radiomics"):
        study.encode(LackingEncoder())


def test_fault_098_ctrl_c_keeps_what_came_back(study, monkeypatch):
    monkeypatch.setattr(committing, "BATCH", 4)
    with pytest.raises(KeyboardInterrupt):
        study.encode(InterruptedEncoder(after=7))
    held = int(study.status().loc["units", "count"])
    assert held == 7
    runs = study.sql("SELECT status FROM run")
    assert runs["status"].tolist() == ["interrupted"]
    report = study.encode(FakeEncoder())
    assert (report.encoded, report.skipped) == (5, 7)


SCRIPT = """
import sys
from sarcfeat import FeatureStore
from tests.store.fakes import FakeEncoder, add_files
if __name__ == "__main__":
    from pathlib import Path
    from sarcfeat.store import committing
    committing.BATCH = 2
    root = Path(sys.argv[1])
    with FeatureStore(root / "killed") as store:
        add_files(store, root)
        store.encode(FakeEncoder(pause=0.2, log=str(root / "log")))
"""


def test_fault_065_a_float32_vector_is_kept_as_float64_and_said(study):
    values = np.array([0.1, -2.5e30], dtype=np.float32)
    study.encode(OddEncoder(values=values))
    found = study.explain("P001", "fake.t1.mean")
    assert found.value == float(values[0]) != 0.1
    assert "2 float32 values cast to float64" in found.chain["run"]["warnings"]
    X = study.matrix("all", features="fake.t1").X
    assert (X.dtypes.iloc[1:] == np.float64).all()
    study.encode(OddEncoder(name="plain", values=(1.0, 2.0)))
    told = study.explain("P001", "plain.t1.mean").chain["run"]["warnings"]
    assert not any("cast" in note for note in told)


def test_fault_087_kill_9_loses_no_committed_unit(tmp_path):
    for patient in patients(20):
        write_patient(tmp_path, patient)
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], env=env)
    log = tmp_path / "log"
    deadline = time.monotonic() + 300
    while len(encoded_masks(log)) < 9 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = len(encoded_masks(log))
    assert 9 <= done < 20
    with FeatureStore(tmp_path / "killed") as store:
        held = int(store.status().loc["units", "count"])
        # Calls end before they are committed, two at a time; the last may be running.
        assert held >= done - 4
        report = store.encode(FakeEncoder())
        assert (report.encoded, report.skipped) == (20 - held, held)
        rows = store.sql("SELECT count(*) AS n FROM feature_vector")
        assert rows["n"].tolist() == [20]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fault_020_dead_worker_costs_its_own_patient(study, n_jobs):
    study.add_cohort("few", patients=patients(3))
    report = study.encode(DeadlyEncoder(), cohort="few", n_jobs=n_jobs)
    assert (report.encoded, report.failed) == (4, 2)
    assert set(report.failures["patient"]) == {"P003"}
    assert set(report.failures["code"]) == {"WorkerDied"}
    reason = report.failures["reason"].iloc[0]
    assert "Patient P003" in reason
    assert "P003/T1_mask.nii.gz" in reason
    assert "SIGKILL: out of memory" in reason
    again = study.encode(DeadlyEncoder(), cohort="few", n_jobs=n_jobs)
    assert (again.encoded, again.skipped, again.failed) == (0, 4, 2)


class HangingEncoder(FakeEncoder):
    def encode(self, image_path, mask_path, *, label=1):
        if "P002" in mask_path:
            time.sleep(600)
        return super().encode(image_path, mask_path, label=label)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fault_021_a_hang_costs_its_own_patient(study, n_jobs):
    study.add_cohort("few", patients=patients(3))
    start = time.monotonic()
    report = study.encode(HangingEncoder(), cohort="few", n_jobs=n_jobs, timeout=4)
    assert time.monotonic() - start < 300
    assert (report.encoded, report.failed) == (4, 2)
    assert set(report.failures["code"]) == {"WorkerTimedOut"}
    reason = report.failures["reason"].iloc[0]
    assert "Patient P002" in reason
    assert "P002/T1_mask.nii.gz" in reason
    assert "no answer within 4 s" in reason


def test_same_image_of_two_patients_is_computed_once(store, root):
    for path in (image_path, mask_path):
        shutil.copy2(path(root, "P001"), path(root, "P002"))
    add_files(store, root)
    assert store.encode(FakeEncoder()).encoded == 5
    X = store.matrix(None, features="fake.t1").X
    assert X.loc["P001", "fake.t1.mean"] == X.loc["P002", "fake.t1.mean"]
    assert X.notna().all().all()


def test_reports_add_up(study):
    one = study.encode(FakeEncoder(), required=["PET"])
    two = study.encode(FakeEncoder(), sequences=["T1"], required=["PET"])
    assert two.failed == 0
    both = encoding.EncodeReport.merge([one, two])
    assert (both.encoded, both.skipped, both.failed) == (12, 12, 6)
    assert len(both.failures) == 6
    assert encoding.EncodeReport.merge([two]).failures.empty


def test_unknown_sequence_and_retry(study):
    with pytest.raises(UnknownName, match="Did you mean 'T1'"):
        study.encode(FakeEncoder(), sequences=["T11"])
    with pytest.raises(InvalidInput, match="retry='always'"):
        study.encode(FakeEncoder(), retry="always")
    assert study.encode(FakeEncoder(), sequences=["t1"]).encoded == 12
