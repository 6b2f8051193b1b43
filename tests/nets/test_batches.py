import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sarcfeat.nets import event_balanced, shuffled


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 20))
def test_every_patient_comes_once_and_events_are_shared(event, size):
    event = np.array(event)
    batches = event_balanced(event, size, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(len(event)))
    assert max(map(len, batches)) <= size
    counts = [int(event[b].sum()) for b in batches]
    assert max(counts) - min(counts) <= 2


def test_batches_differ_from_epoch_to_epoch_and_not_by_chance():
    event = np.arange(30) % 3 == 0
    first, again, next_ = (
        event_balanced(event, 8, np.random.default_rng([0, epoch]))
        for epoch in (1, 1, 2)
    )
    assert [b.tolist() for b in first] == [b.tolist() for b in again]
    assert [b.tolist() for b in first] != [b.tolist() for b in next_]


def test_shuffled_has_no_batch_of_one():
    assert [len(b) for b in shuffled(9, 4, np.random.default_rng(0))] == [3, 3, 3]
