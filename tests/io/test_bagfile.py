"""The file of a bag: what it holds, old ones too, and what it refuses."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from sarcfeat.exceptions import InputCorrupt, InvalidInput
from sarcfeat.io.bagfile import bag_checksum, open_bag, write_bag


def arrays(n=300, dim=5, dtype="<f2", seed=0):
    rng = np.random.default_rng(seed)
    coords = np.stack([np.arange(n), np.arange(n) * 3], 1).astype("<i8")
    return rng.normal(size=(n, dim)).astype(dtype), coords


def test_region_and_tissue_lie_beside_the_features(tmp_path):
    features, coords = arrays()
    region = (np.arange(300) % 3).astype(np.uint8)
    tissue = np.linspace(0, 1, 300, dtype=np.float32)
    path = tmp_path / "a.safetensors"
    told = {"patient": "P1"}
    more = {"region": region, "region_names": ("C", "P"), "tissue": tissue}
    size = write_bag(path, features, coords, told, **more)
    assert size == path.stat().st_size
    file = open_bag(str(path))
    assert file.region_names == ("C", "P")
    assert file.told["patient"] == "P1"
    np.testing.assert_array_equal(file.region(), region)
    np.testing.assert_array_equal(file.tissue(), tissue)
    np.testing.assert_array_equal(file.coords(), coords)
    held = load_file(path)
    assert set(held) == {"features", "coords", "region", "tissue"}
    np.testing.assert_array_equal(held["features"], features)
    np.testing.assert_array_equal(held["region"], region)
    assert bag_checksum(features, coords, told, **more) != bag_checksum(
        features, coords, told
    )


def test_a_bag_of_before_opens_as_it_did(tmp_path):
    features, coords = arrays()
    path = tmp_path / "old.safetensors"
    write_bag(path, features, coords, {"patient": "P1"})
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + length])
    assert set(header) == {"__metadata__", "features", "coords"}
    assert header["__metadata__"] == {"patient": "P1"}
    file = open_bag(str(path))
    assert file.region() is None
    assert file.tissue() is None
    assert file.region_names == ()


@pytest.mark.parametrize("dim", [5, 30_000])
@pytest.mark.parametrize("out_dtype", ["<f2", "<f4"])
def test_rows_are_read_by_blocks_and_equal_the_whole(tmp_path, dim, out_dtype):
    features, coords = arrays(dim=dim)
    path = tmp_path / "a.safetensors"
    write_bag(path, features, coords, {})
    file = open_bag(str(path))
    for rows in ([0], [299], [3, 4, 5, 200], range(300), []):
        rows = np.array(rows, np.int64)
        out = np.empty((len(rows), dim), out_dtype)
        file.features(rows, out)
        np.testing.assert_array_equal(out, features[rows].astype(out_dtype))


def test_what_does_not_fit_is_refused(tmp_path):
    features, coords = arrays()
    path = tmp_path / "a.safetensors"
    with pytest.raises(InvalidInput, match="region has 299 entries for 300 tiles"):
        write_bag(path, features, coords, {}, region=np.zeros(299, np.uint8))
    with pytest.raises(InvalidInput, match="region 2 of 1: C"):
        write_bag(
            path,
            features,
            coords,
            {},
            region=np.full(300, 2, np.uint8),
            region_names=["C"],
        )
    assert not path.exists()
    region = np.ones(300, np.uint8)
    write_bag(path, features, coords, {}, region=region, region_names=["C"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(InputCorrupt, match="its header says"):
        open_bag(str(path))
    path.write_bytes(whole.replace(b'"shape":[300],', b'"shape":[299],'))
    with pytest.raises(InputCorrupt, match="region is U8 of the shape"):
        open_bag(str(path))
