"""A column of bags as a net's data."""

import threading

import numpy as np
import pytest
import torch

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import BagArray
from sarcfeat.nets import BagNet, Bags, CoxLoss, Recipe, fit, predict
from sarcfeat.nets.ahead import ahead
from sarcfeat.nets.bags import count_bad
from sarcfeat.survival import make_y


def cohort(n=12, seed=0, dtype=np.float16):
    rng = np.random.default_rng(seed)
    return [
        BagArray(
            f"P{i}",
            rng.normal(size=(20 + 10 * i, 4)).astype(dtype),
            region=(np.arange(20 + 10 * i) % 3).astype(np.uint8),
            region_names=("C", "P"),
        )
        for i in range(n)
    ]


def test_training_draws_and_judging_does_not():
    data = Bags(cohort(), n_tiles=30, judged=25)
    rows = np.array([0, 5])
    drawn = data.load(rows, np.random.default_rng(1))
    assert drawn.offsets == (0, 20, 50)
    assert drawn.tiles.dtype == torch.float16
    again = data.load(rows, np.random.default_rng(1))
    assert torch.equal(drawn.tiles, again.tiles)
    other = data.load(rows, np.random.default_rng(2))
    assert not torch.equal(drawn.tiles, other.tiles)
    judged = data.load(rows, None)
    assert judged.offsets == (0, 20, 45)
    assert torch.equal(judged.tiles, data.load(rows, None).tiles)
    one = data.load(rows[1:], None)
    assert torch.equal(one.tiles, judged.tiles[20:])


def test_fault_042_replacement_only_if_asked():
    rng = np.random.default_rng(0)
    rows = np.array([0])
    assert len(Bags(cohort(), n_tiles=30).load(rows, rng).tiles) == 20
    assert len(Bags(cohort(), n_tiles=30, replace=True).load(rows, rng).tiles) == 30


def test_all_tiles_come_in_pieces_within_the_ceiling():
    bags = cohort()
    data = Bags(bags, n_tiles=30, max_bytes=20_000, held=80)
    assert data.piece == 20_000 // (8 * (2 * 4 + 80))
    pieces = list(data.pieces(11))
    assert max(map(len, pieces)) == data.piece
    assert torch.equal(torch.cat(pieces), torch.from_numpy(bags[11].features))
    small = Bags(bags[:3], max_bytes=3000).load(np.arange(3), None)
    net = BagNet(4, width=8).eval()
    whole = predict(net, data, batch_size=5)
    assert torch.equal(predict(net, data, batch_size=12), whole)
    with torch.no_grad():
        torch.testing.assert_close(net(small), whole[:3])


def test_only_the_regions_asked_for():
    data = Bags(cohort(), regions=("P",), n_tiles=None)
    assert data.counts.tolist() == [
        np.sum(np.arange(20 + 10 * i) % 3 == 2) for i in range(12)
    ]
    found = data.load(np.array([1]), np.random.default_rng(0)).tiles
    assert torch.equal(found, torch.from_numpy(cohort()[1].features[2::3]))


def test_fault_041_and_045_are_refused_by_name():
    bags = cohort(3)
    bags[1] = BagArray("NONE", np.zeros((0, 4), np.float16))
    with pytest.raises(InvalidInput, match=r"1 patients have no tiles: NONE"):
        Bags(bags)
    bags[1] = BagArray("WIDE", np.zeros((5, 7), np.float16))
    with pytest.raises(InvalidInput, match=r"4 \(patient P2\), 7 \(patient WIDE\)"):
        Bags(bags)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fault_047_tiles_with_nan_are_counted(dtype):
    features = np.random.default_rng(0).normal(size=(3000, 6)).astype(dtype)
    assert count_bad(features) == 0
    features[[3, 2500], [1, 2]] = np.nan, -np.inf
    features[5] = np.finfo(dtype).max
    assert count_bad(features) == 2
    data = Bags([BagArray("P7", features)], n_tiles=None)
    with pytest.raises(InvalidInput, match=r"P7: 2 of 3,000 tiles have NaN"):
        data.load(np.array([0]), np.random.default_rng(0))
    with pytest.raises(InvalidInput, match=r"P7: \d of [\d,]+ tiles have NaN"):
        list(data.pieces(0))


def test_reading_ahead_is_one_ahead_in_another_thread_and_errors_come_through():
    seen = []

    def items():
        for i in range(4):
            seen.append((i, threading.current_thread().name))
            yield i
        raise KeyError("the end")

    got = ahead(items())
    assert next(got) == 0
    assert next(got) == 1
    assert {name for _, name in seen} != {threading.current_thread().name}
    assert len(seen) <= 3
    assert [next(got), next(got)] == [2, 3]
    with pytest.raises(KeyError, match="the end"):
        next(got)


def test_training_is_the_same_with_and_without_the_thread():
    rng = np.random.default_rng(0)
    y = make_y(rng.random(12) < 0.8, rng.exponential(1, 12))
    net = BagNet(4, width=8, dropout=0.5)
    for step_size in (4, 8):
        found = []
        for threaded in (True, False):
            data = Bags(cohort(), n_tiles=15, judged=15)
            data.prefetch = threaded
            recipe = Recipe(epochs=3, batch_size=4, step_size=step_size, lr=0.01)
            found.append(fit(net, data, y, CoxLoss(), recipe).module.state_dict())
        assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])
