"""What was planted in the regions is found, and no more."""

import pytest

from benchmarks.region_scores import rows


@pytest.mark.slow
def test_the_machine_finds_what_was_planted_and_no_more():
    found = {row["name"]: row for row in rows("bags", quick=True)}
    for name in ("DL-C", "DL-P", "DL-CP", "DL-CPR"):
        assert found[f"bags: c of {name}"]["ours"] > 0.62, found[f"bags: c of {name}"]
    around = found["bags: c of DL-R"]["ours"]
    assert abs(around - 0.5) < 0.08
    assert found["bags: c of DL-CP"]["ours"] > around + 0.1
    assert abs(found["bags: change of c by adding R, attention"]["ours"]) < 0.05
    # No more than there is.
    assert found["bags: c of DL-CP"]["ours"] < found["bags: c of truth"]["ours"] + 0.02
