"""References to bags: light, pooled over slides, read by regions, samples or chunks."""

import copy
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput
from sarcfeat.io import BagPart, BagRef
from sarcfeat.io.bag_ref import draw_tiles
from sarcfeat.io.bagfile import write_bag

DIM = 4


def a_slide(folder, slide, n, seed, names=None, dtype="<f2"):
    """Write a slide whose regions go round; return its part and what it holds."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, DIM)).astype(dtype)
    coords = np.stack([np.full(n, seed), np.arange(n)], 1).astype("<i8")
    path = folder / f"{slide}.safetensors"
    told = {}
    codes = np.zeros(n, np.uint8)
    if names is not None:
        codes = (np.arange(n) % (len(names) + 1)).astype(np.uint8)
        told = {"region": codes, "region_names": names}
    write_bag(path, features, coords, {}, **told)
    words = np.array(["", *(names or ())])[codes]
    return BagPart(slide, str(path), "safetensors", n), features, words


@pytest.fixture
def pooled(tmp_path):
    """Two slides that name their regions in another order."""
    one = a_slide(tmp_path, "S1", 60, 1, ("C", "P"))
    two = a_slide(tmp_path, "S2", 40, 2, ("R", "C"))
    ref = BagRef("P1", (one[0], two[0]), DIM)
    return ref, np.concatenate([one[1], two[1]]), np.concatenate([one[2], two[2]])


def test_a_reference_is_light_and_comes_back_from_a_pickle(pooled):
    ref, _, _ = pooled
    again = pickle.loads(pickle.dumps(ref))
    assert again == ref
    assert hash(again) == hash(ref)
    assert copy.deepcopy(ref) == ref
    assert sys.getsizeof(pickle.dumps(ref)) < 1000
    assert repr(ref) == "<BagRef P1: 100 × 4 in 2 slides>"


def test_fault_048_slides_are_pooled_and_regions_meet_by_name(pooled):
    ref, features, words = pooled
    bag = ref.load()
    np.testing.assert_array_equal(bag.features, features)
    assert bag.features.dtype == np.float16
    assert bag.slides == ("S1", "S2")
    assert np.bincount(bag.slide).tolist() == [60, 40]
    assert bag.region_names == ("C", "P", "R")
    found = np.array(["", *bag.region_names])[bag.region]
    np.testing.assert_array_equal(found, words)
    np.testing.assert_array_equal(bag.coords[:, 0], bag.slide + 1)
    for regions in (("C",), ("P",), ("C", "R"), ("none",)):
        mine = np.isin(words, regions)
        part = ref.load(regions)
        assert ref.count(regions) == mine.sum() == len(part)
        np.testing.assert_array_equal(part.features, features[mine])


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 99), seed=st.integers(0, 1000), size=st.integers(1, 120))
def test_samples_ascend_and_chunks_make_the_whole(pooled_once, n, seed, size):
    ref, features, words = pooled_once
    bag = ref.load(n=n, rng=np.random.default_rng(seed))
    place = np.where(bag.slide == 0, bag.coords[:, 1], 60 + bag.coords[:, 1])
    assert (np.diff(place) > 0).all()
    assert len(place) == n
    np.testing.assert_array_equal(bag.features, features[place])
    again = ref.load(n=n, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(again.coords, bag.coords)
    parts = list(ref.chunks(size, ("C",)))
    assert max(map(len, parts)) <= size
    mine = np.concatenate([part.features for part in parts])
    np.testing.assert_array_equal(mine, features[words == "C"])


@pytest.fixture(scope="module")
def pooled_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags")
    one = a_slide(folder, "S1", 60, 1, ("C", "P"))
    two = a_slide(folder, "S2", 40, 2, ("R", "C"))
    ref = BagRef("P1", (one[0], two[0]), DIM)
    return ref, np.concatenate([one[1], two[1]]), np.concatenate([one[2], two[2]])


def test_every_tile_has_the_same_chance(pooled):
    rng = np.random.default_rng(0)
    times = np.bincount(
        np.concatenate([draw_tiles(20, 5, rng) for _ in range(4000)]), minlength=20
    )
    assert times.sum() == 20_000
    # 1000 expected; five standard deviations.
    assert abs(times - 1000).max() < 5 * np.sqrt(1000 * 0.75)


def test_fault_042_fewer_tiles_than_asked_for_are_all_returned_and_flagged(pooled):
    ref, features, _ = pooled
    bag = ref.load(n=500, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(bag.features, features)
    assert bag.fewer
    assert "P1" in repr(bag)
    assert "fewer than the 500 asked for" in repr(bag)
    again = ref.load(n=500, rng=np.random.default_rng(0), replace=True)
    assert len(again) == 500
    assert not ref.load(n=100).fewer
    with pytest.raises(InvalidInput, match="50 of 100 tiles are to be drawn: pass rng"):
        ref.load(n=50)


def test_fault_041_no_tile_is_an_empty_bag(tmp_path):
    part, _, _ = a_slide(tmp_path, "S1", 0, 1, ("C",))
    ref = BagRef("P1", (part,), DIM)
    assert ref.load().features.shape == (0, DIM)
    assert ref.load(n=5, rng=np.random.default_rng(0), replace=True).fewer
    assert list(ref.chunks(10)) == []
    assert BagRef("P2", (), DIM).load().features.shape == (0, DIM)


def test_refusals_name_patient_and_slide(tmp_path, pooled):
    ref, _, _ = pooled
    part, _, _ = a_slide(tmp_path, "S3", 5, 3)
    plain = BagRef("P9", (part,), DIM)
    with pytest.raises(InvalidInput, match=r"P9, slide S3: its tiles have no regions"):
        plain.load(("C",))
    with pytest.raises(InputCorrupt, match=r"P9, slide S3: .* holds 5 × 4"):
        BagRef("P9", (part,), 7).load()
    with pytest.raises(InvalidInput, match="size is 0"):
        next(ref.chunks(0))
    (tmp_path / "S3.safetensors").unlink()
    with pytest.raises(InputMissing, match=r"Patient P9, slide S3: .* is gone"):
        plain.load()


def test_bags_of_trident_are_read_where_they_lie(tmp_path):
    h5py = pytest.importorskip("h5py")
    features = np.random.default_rng(0).normal(size=(50, DIM)).astype(np.float32)
    coords = np.arange(100).reshape(50, 2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"], file["coords"] = features, coords
    part = BagPart("S1", str(tmp_path / "a.h5"), "trident", 50)
    slide, other, _ = a_slide(tmp_path, "S2", 10, 2, ("C",))
    bag = BagRef("P1", (part, slide), DIM).load()
    np.testing.assert_array_equal(bag.features, np.concatenate([features, other]))
    assert bag.features.dtype == np.float32
    some = BagRef("P1", (part,), DIM).load(n=3, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(some.features, features[some.coords[:, 0] // 2])
