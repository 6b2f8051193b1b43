"""The same work with other numbers, the same name with other parameters."""

import numpy as np
import pytest

from sarcfeat.exceptions import StoreError
from tests.store.fakes import FakeEncoder, OddEncoder, mask_path


def test_fault_097_same_unit_with_other_numbers(study, root):
    """Reported by name; the first numbers are served, the others kept aside."""
    first, others = (1.0, np.nan), (-0.0, np.inf)
    study.encode(OddEncoder(names=("a", "b"), values=first))
    for _ in range(2):  # the same others are kept once
        report = study.encode(OddEncoder(names=("a", "b"), values=others), retry="all")
        assert set(report.failures["code"]) == {"NonDeterministicExtraction"}
        assert report.failed == 12
    row = report.failures.query("patient == 'P002' and reader == 'B'").iloc[0]
    for word in ("P002", "T1", str(mask_path(root, "P002", reader="B"))):
        assert word in row["reason"]
    assert "The first are kept" in row["reason"]
    X = study.matrix("all", features="fake.t1").X
    assert (X["fake.t1.a"] == 1.0).all()
    aside = study.sql(
        "SELECT v, names FROM other_vector JOIN unit USING (unit_id) ORDER BY unit_id"
    )
    assert len(aside) == 12
    assert list(aside["names"].iloc[0]) == ["a", "b"]
    kept = np.asarray(aside["v"].iloc[0], dtype=np.float64)
    assert kept.tobytes() == np.array(others).tobytes()
    assert study.verify().ok


def test_fault_097_the_same_numbers_again_are_no_fault(study):
    study.encode(FakeEncoder())
    report = study.encode(FakeEncoder(), retry="all")
    assert (report.encoded, report.failed) == (12, 0)
    assert study.sql("SELECT * FROM other_vector").empty


def test_fault_100_one_name_with_other_parameters(study):
    """Two extractors, never mixed; the message asks for a name of its own."""
    study.encode(FakeEncoder(params={"bin": 25}))
    study.encode(FakeEncoder(params={"bin": 32}))
    ids = study.sql("SELECT extractor_id FROM extractor ORDER BY commit_no")
    first, second = ids["extractor_id"]
    assert first != second
    with pytest.raises(StoreError, match=r"2 extractors gave 'fake\.t1'") as caught:
        study.matrix("all", features="fake.t1")
    for word in (first, second, "name of their own"):
        assert word in str(caught.value)
    m = study.matrix("all", features="fake.t1", extractor=second[:8])
    assert m.provenance["feature_sets"]["fake.t1"]["extractor_id"] == second


def test_order_of_keys_and_the_path_do_not_matter(study):
    study.encode(FakeEncoder(params={"bin": 25, "filters": ["none"]}))
    again = study.encode(FakeEncoder(params={"filters": ["none"], "bin": 25}))
    assert (again.encoded, again.skipped) == (0, 12)
