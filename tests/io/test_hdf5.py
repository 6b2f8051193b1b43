"""Bags as TRIDENT, CLAM and STAMP write them, attribute by attribute."""

import numpy as np
import pytest

from sarcfeat.exceptions import InputCorrupt, InvalidInput, UntrustedFile
from sarcfeat.io.hdf5 import open_hdf5

h5py = pytest.importorskip("h5py")


def grid(x, y, columns, rows, step):
    xs, ys = np.meshgrid(x + step * np.arange(columns), y + step * np.arange(rows))
    return np.stack([xs.ravel(), ys.ravel()], axis=1)


def features(n, dtype=np.float32):
    return np.random.default_rng(0).normal(size=(n, 5)).astype(dtype)


def grown(path, coords, held, attributes=None, batch=7):
    """Write batches one after the other, a row a chunk, as TRIDENT and CLAM do."""
    with h5py.File(path, "w") as file:
        for name, values in (("features", held), ("coords", coords)):
            shape = (None, *values.shape[1:])
            chunk = (1, *values.shape[1:])
            made = file.create_dataset(
                name, data=values[:batch], maxshape=shape, chunks=chunk
            )
            for start in range(batch, len(values), batch):
                part = values[start : start + batch]
                made.resize(len(made) + len(part), axis=0)
                made[-len(part) :] = part
            for key, value in (attributes or {}).get(name, {}).items():
                made.attrs[key] = value
    return str(path)


def test_trident_says_how_large_its_tiles_are_though_they_overlap(tmp_path):
    coords = grid(0, 0, 6, 5, 384).astype(np.int64)
    held = features(len(coords))
    where = {"name": "P1", "savetodir": "features_uni_v1"}
    told = {
        "patch_size": 256,
        "patch_size_level0": 512,
        "level0_magnification": 40,
        "target_magnification": 20,
        "overlap": 64,
        "name": "P1",
        "savetodir": "patches",
        "level0_width": 3000,
        "level0_height": 2500,
    }
    path = grown(tmp_path / "P1.h5", coords, held, {"features": where, "coords": told})
    bag = open_hdf5(path)
    assert (bag.n, bag.dim, bag.um, bag.side()) == (30, 5, None, 512.0)
    np.testing.assert_array_equal(bag.coords(), coords)
    out = np.empty((30, 5), np.float32)
    bag.features(None, out)
    np.testing.assert_array_equal(out, held)


@pytest.mark.parametrize("lead", [False, True])
def test_clam_lays_a_grid_of_its_own_over_each_piece_of_tissue(tmp_path, lead):
    pieces = [grid(1000, 2000, 9, 8, 256), grid(4013, 1777, 5, 6, 256)]
    coords = np.concatenate(pieces).astype(np.int32)
    coords = coords[np.random.default_rng(0).random(len(coords)) > 0.3]
    held = features(len(coords))
    path = grown(tmp_path / "P1.h5", coords, held)
    if lead:
        with h5py.File(path, "w") as file:
            file["features"], file["coords"] = held[None], coords[None]
    bag = open_hdf5(path)
    assert (bag.n, bag.dim, bag.lead) == (len(coords), 5, int(lead))
    assert bag.side() == 256.0
    np.testing.assert_array_equal(bag.coords(), coords)


def test_trident_over_patches_of_clam(tmp_path):
    coords = grid(0, 0, 4, 4, 999)
    told = {"patch_size": 256, "patch_level": 1, "downsample": (4.0, 4.0)}
    path = grown(tmp_path / "a.h5", coords, features(16), {"coords": told})
    assert open_hdf5(path).side() == 1024.0
    grown(path, coords, features(16), {"coords": {"patch_size_level0": "None"}})
    assert open_hdf5(path).side() == 999.0
    told["custom_downsample"] = 2
    grown(path, coords, features(16), {"coords": told})
    assert open_hdf5(path).side() == 2048.0


STAMP = {"stamp_version": "2.4.0", "extractor": "mahmood-uni", "feat_type": "tile"}


@pytest.mark.parametrize(
    ("told", "step", "um", "side"),
    [
        ({"unit": "um", "tile_size_um": 256.0, "tile_size_px": 224}, 256.0, 1.0, 256.0),
        ({"unit": "um", "tile_size": 256.0}, 256.0, 1.0, 256.0),  # version 2.0
        ({"tile_size": 224}, 448.0, 256 / 224, 256.0),  # before, with gaps
        ({}, 224.0, 256 / 224, 256.0),
    ],
)
def test_stamp_of_every_version(tmp_path, told, step, um, side):
    coords = grid(0, 0, 6, 5, step).astype(np.float32)
    held = features(30, np.float16)
    path = str(tmp_path / "P1.h5")
    with h5py.File(path, "w") as file:
        file["coords"], file["feats"] = coords, held
        file.attrs.update({**told, **(STAMP if "unit" in told else {})})
    bag = open_hdf5(path)
    assert (bag.name, bag.dtype, bag.um, bag.side()) == ("feats", np.float16, um, side)
    np.testing.assert_allclose(bag.corners(), coords * um, rtol=1e-6)


def test_features_of_whole_slides_are_no_bag(tmp_path):
    coords = grid(0, 0, 4, 4, 256)
    path = str(tmp_path / "titan.h5")
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = features(1)[0], coords
    with pytest.raises(
        InvalidInput, match=r"titan\.h5: features have the shape \(5,\)"
    ):
        open_hdf5(path)
    with h5py.File(path, "w") as file:
        file["feats"] = features(1)
    with pytest.raises(InputCorrupt, match=r"titan\.h5 has no dataset 'coords'"):
        open_hdf5(path)


def test_a_pickle_is_refused_and_the_other_file_named(tmp_path):
    path = tmp_path / "P1.pt"
    path.write_bytes(b"PK\x03\x04 a pickle within")
    with pytest.raises(UntrustedFile, match=r"P1\.pt holds a pickle.*h5_files"):
        open_hdf5(str(path))


def test_a_bag_without_tiles_or_with_one(tmp_path):
    none = np.empty((0, 2), np.int64)
    path = grown(tmp_path / "a.h5", none, np.empty((0, 5), np.float32))
    assert (open_hdf5(path).n, open_hdf5(path).side()) == (0, None)
    grown(path, none[:0].reshape(0, 2), np.empty((0, 5), np.float32))
    grown(path, np.array([[5, 6]]), features(1))
    assert (open_hdf5(path).n, open_hdf5(path).side()) == (1, None)
