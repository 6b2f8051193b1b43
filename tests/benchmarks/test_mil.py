"""The rows of training on bags: their form, and the ceiling of memory."""

import pytest

from benchmarks.speed_rows import mil


@pytest.mark.slow
def test_training_and_prediction_stay_under_the_ceiling(tmp_path):
    # A bag of 10,000 tiles counts as 88 MiB, and the allocator keeps some tens more.
    found = mil.memory_row(3, 15_000, 512, tmp_path, max_bytes=256 * mil.MIB)
    assert found["met"], found
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


@pytest.mark.slow
def test_an_epoch_is_timed_beside_a_plain_loop(tmp_path):
    found = mil._epoch_row(4, 300, 16, tmp_path)
    assert found["ours"] > 0
    assert found["peer"] > 0
    assert found["target"] == pytest.approx(1 / 1.3)
