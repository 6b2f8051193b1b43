"""Bags through nets: weights, orders, pieces, batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.exceptions import UnknownName
from sarcfeat.nets import BagNet, Ragged, TileStream

POOLS = ("gated", "plain", "mean", "queries")


def net(pool, seed=0, dim=5):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = BagNet(dim, pool, width=8, attention=6, queries=3, heads=2, layers=2)
    made.mean += 0.3
    made.scale *= 2
    return made.eval()


def tiles(n, seed=0, dim=5, dtype=torch.float32):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.normal(size=(n, dim)) * 3, dtype=dtype)


def one(made, bag):
    with torch.no_grad():
        return made(Ragged(bag, (0, len(bag))))


@settings(max_examples=8, deadline=None)
@given(
    pool=st.sampled_from(POOLS),
    n=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_weights_sum_to_one_and_follow_the_tiles(pool, n, seed):
    made, bag = net(pool), tiles(n, seed)
    order = torch.as_tensor(np.random.default_rng(seed).permutation(n))
    with torch.no_grad():
        weights = made.weights([bag])
        assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
        assert (weights >= 0).all()
        torch.testing.assert_close(made.weights([bag[order]]), weights[order])
    torch.testing.assert_close(one(made, bag), one(made, bag[order]))


@settings(max_examples=8, deadline=None)
@given(
    pool=st.sampled_from(POOLS),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    cut=st.integers(1, 50),
)
def test_pieces_and_batches_give_the_numbers_of_the_whole_bag(pool, sizes, cut):
    made = net(pool)
    bags = [tiles(n, seed) for seed, n in enumerate(sizes)]
    offsets = tuple(np.cumsum([0, *sizes]).tolist())
    alone = torch.cat([one(made, bag) for bag in bags])
    with torch.no_grad():
        together = made(Ragged(torch.cat(bags), offsets))
        streamed = made(TileStream([bag.split(cut) for bag in bags]))
        pieces = torch.stack([made.weights(b.split(cut)).sum() for b in bags])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(streamed, alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(pieces, torch.ones(len(bags), dtype=torch.float64))


def test_extreme_logits_pool_in_pieces_without_overflow():
    made = net("plain")
    with torch.no_grad():
        made.pool.weigh.weight *= 1e4
        bag = tiles(64)
        found = made(TileStream([bag.split(7)]))
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, one(made, bag), rtol=1e-4, atol=1e-5)


def test_gated_attention_is_the_formula_of_the_paper():
    made, bag = net("gated"), tiles(20)
    with torch.no_grad():
        h = made.embed(bag)
        pool = made.pool
        logit = (torch.tanh(pool.tanh(h)) * torch.sigmoid(pool.gate(h))) @ (
            pool.weigh.weight[0]
        )
        a = logit.softmax(0)
        expected = made.head((a[:, None] * h).sum(0))
    torch.testing.assert_close(one(made, bag)[0], expected)
    x = (bag - made.mean) / made.scale
    with torch.no_grad():
        torch.testing.assert_close(made.embed(bag), made.rest(made.first(x)))


def test_float16_tiles_train_with_the_gradient_of_float32():
    made = net("gated")
    half = tiles(30_000, dtype=torch.float16)
    grads = []
    for bag in (half, half.float()):
        made.zero_grad()
        made(Ragged(bag, (0, 10_000, 30_000))).sum().backward()
        grads.append([p.grad.clone() for p in made.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_the_first_layers_gradient_by_finite_differences():
    made, bag = net("plain").double(), tiles(12, dtype=torch.float64)

    def risk(weight):
        with torch.no_grad():
            made.first.weight.copy_(weight)
        return made(Ragged(bag, (0, 5, 12)))

    start = made.first.weight.detach().clone()
    risk(start).sum().backward()
    found = made.first.weight.grad.clone()
    step = torch.zeros_like(start)
    step[2, 1] = 1e-5
    with torch.no_grad():
        slope = (risk(start + step) - risk(start - step)).sum() / 2e-5
    assert float(found[2, 1]) == pytest.approx(float(slope), rel=1e-6)


def test_an_unknown_pool_is_answered_with_the_near_miss():
    with pytest.raises(UnknownName, match="Did you mean 'gated'"):
        BagNet(3, "gate")
