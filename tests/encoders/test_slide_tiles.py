import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import shapely

from sarcfeat.encoders import (
    EncodedSlide,
    SlideTiles,
    TileNet,
    TissueRule,
    register_tile_net,
    tile_reading,
)
from sarcfeat.encoders.tile_reading import in_order, lay_out, read_tiles
from sarcfeat.exceptions import (
    InvalidInput,
    UnknownName,
)
from sarcfeat.io.regions import Regions
from sarcfeat.io.slide import open_slide
from tests.encoders.slides import (
    BOX,
    Means,
    encoder,
    slide,
    write_slide,
)


@pytest.fixture(scope="module")
def picture():
    return slide(600, 900, [BOX])


@pytest.fixture(scope="module")
def path(picture, tmp_path_factory):
    return write_slide(tmp_path_factory.mktemp("slide") / "S1.tif", picture, jpeg=False)


def test_the_tiles_are_those_with_tissue_as_they_are_on_the_slide(path, picture):
    found = encoder().encode_slide(path)
    expected = [(x, y) for y in range(64, 448, 64) for x in range(64, 704, 64)]
    assert found.coords.tolist() == [list(c) for c in expected]
    for (x, y), row in zip(found.coords, found.features, strict=True):
        tile = picture[y : y + 64, x : x + 64].astype(float)
        means = tile.reshape(2, 32, 2, 32, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
        assert np.allclose(row, means.ravel(), atol=1e-3)
    assert found.tissue.min() > 0.8
    assert found.features.dtype == np.float32
    assert (found.reader, found.mpp, found.tile_px) == ("openslide", 0.25, 64.0)
    assert found.warnings == []
    assert len(found.bad) == 0
    assert list(found.bad.columns) == ["x", "y", "reason"]


def test_counts_are_of_all_tiles_by_group(path):
    found = encoder().encode_slide(path)
    counts = found.counts.set_index("group")["tiles"]
    assert counts.sum() == (600 // 64) * (900 // 64)
    assert counts["A"] + counts["B"] == len(found) == 60
    only = encoder(keep=("A",)).encode_slide(path)
    assert len(only) == counts["A"]
    assert only.counts.equals(found.counts)


def test_a_tile_belongs_to_the_region_that_holds_its_centre(path):
    # The border runs just left of, then just right of, the centre of column 5.
    for border, first in ((351.9, 5), (352.1, 6)):
        regions = Regions(
            ("C", "P"),
            (shapely.box(0, 0, border, 600), shapely.box(border, 0, 600, 600)),
        )
        found = encoder().encode_slide(path, regions=regions)
        assert found.region_names == ("C", "P")
        column = found.coords[:, 0] // 64
        assert (found.region == np.where(column < first, 1, 2)).all()
        # Centres beyond 600 lie in no region: columns 9 and 10 are left out.
        assert column.max() == 8
        counts = found.counts.groupby("region")["tiles"].sum()
        assert counts.sum() == 126
        assert counts[""] == 9 * (14 - 9)
        kept = found.counts[found.counts["group"].isin(["A", "B"])]
        kept = kept.groupby("region")["tiles"].sum()
        assert kept["C"] == (found.region == 1).sum()


def test_a_region_without_a_tile_is_said(path):
    regions = Regions(
        ("C", "R"), (shapely.box(0, 0, 900, 600), shapely.box(1, 1, 2, 2))
    )
    found = encoder().encode_slide(path, regions=regions)
    assert found.warnings == ["No tile is kept in region R."]


@pytest.mark.parametrize("mpp", [0.25, 0.4])
def test_the_same_bits_for_any_threads_and_batch_size(path, mpp, monkeypatch):
    monkeypatch.setattr(tile_reading, "ACROSS", 128)  # many small blocks
    # A real net, whose sums could be cut elsewhere.
    told = {"net": "resnet18", "size": 64, "mpp": mpp}
    regions = Regions(("C",), (shapely.box(64, 64, 448, 320),))
    first = SlideTiles("random", n_threads=1, **told).encode_slide(
        path, regions=regions
    )
    assert len(first) > 4  # more than one batch
    for more in ({"n_threads": 4}, {"n_threads": 3, "batch_size": 1}):
        made = SlideTiles("random", **more, **told)
        other = made.encode_slide(path, regions=regions)
        assert first.features.tobytes() == other.features.tobytes()
        assert np.array_equal(first.coords, other.coords)
        pd.testing.assert_frame_equal(first.counts, other.counts)


def test_what_is_annotated_does_not_change_a_tile_that_is_resized(path):
    whole = encoder(mpp=0.4).read_tiles(path)
    part = encoder(mpp=0.4).read_tiles(
        path, regions=Regions(("C",), (shapely.box(250, 200, 420, 420),))
    )
    assert 0 < len(part[0]) < len(whole[0])
    at = {tuple(c): t for c, t in zip(whole[0].tolist(), whole[1], strict=True)}
    for corner, tile in zip(part[0].tolist(), part[1], strict=True):
        assert np.array_equal(tile, at[tuple(corner)])


def test_progress_rises_to_the_number_of_tiles(path):
    told = []
    encoder(n_threads=2).encode_slide(path, progress=lambda *seen: told.append(seen))
    assert told == sorted(told)
    assert told[-1] == (60, 60)


def test_a_few_blocks_wait_and_no_more(path, monkeypatch):
    """Memory does not follow the slide: readers stop when nobody takes tiles."""
    monkeypatch.setattr(tile_reading, "ACROSS", 64)
    with open_slide(path) as opened:
        layout = lay_out(opened, mpp=0.25, size=16, rule=TissueRule())
    wanted = np.ones(len(layout.grid), bool)
    seen = []
    reading = read_tiles(path, layout, wanted, n_threads=2, prepare=_note(seen))
    next(reading)
    threading.Event().wait(0.3)
    held = len(seen)
    reading.close()
    assert len(layout.grid) == 37 * 56
    assert held <= 5 * 16

    started = []
    with ThreadPoolExecutor(4) as pool:
        work = in_order(pool, lambda k: started.append(k) or k, range(1000), 5)
        assert [next(work) for _ in range(3)] == [0, 1, 2]
        assert len(started) <= 8
        work.close()


def _note(seen):
    def prepare(tile):
        seen.append(1)
        return tile

    return prepare


def test_what_decides_the_values_is_in_the_fingerprint():
    first = encoder().fingerprint()
    assert json.loads(json.dumps(first)) == first
    assert set(first) == {
        "name",
        "version",
        "params",
        "weights_sha256",
        "random_weights",
        "code",
    }
    for more in (
        {"mpp": 0.5},
        {"size": 128},
        {"keep": ("A",)},
        {"tissue": TissueRule(blur=9)},
        {"dtype": "float16"},
        {"nan": "drop"},
        {"random_state": 1},
    ):
        assert encoder(**more).params != first["params"], more
    same = encoder(n_threads=4, batch_size=7, keep=("B", "A"))
    assert same.fingerprint() == first
    assert pickle.loads(pickle.dumps(same)).fingerprint() == first
    assert "random" in encoder().notes[0]
    assert encoder().dim == len(encoder().feature_names) == 12


def test_a_resolution_that_the_net_was_not_trained_at_is_said(path):
    trained = TileNet("t", Means, 12, mpp=0.5)
    found = encoder(net=trained).encode_slide(path)
    assert found.warnings == [
        "t was trained at 0.5 µm per pixel; these tiles have 0.25."
    ]


def test_settings_that_cannot_be_are_refused():
    for more, words in (
        ({"mpp": 0}, "mpp is 0; expected µm per pixel"),
        ({"max_bad": 2}, "max_bad is 2"),
        ({"n_threads": 0}, "n_threads is 0"),
        ({"size": 8}, "size is 8"),
        ({"name": "a.b"}, "name is 'a.b'"),
    ):
        with pytest.raises(InvalidInput, match=words):
            encoder(**more)
    with pytest.raises(UnknownName, match="tissue group"):
        encoder(keep=("A", "E"))
    with pytest.raises(UnknownName, match="dtype"):
        encoder(dtype="float64")
    with pytest.raises(InvalidInput, match="3 rows of features and 2 of coords"):
        EncodedSlide(
            np.zeros((3, 2)), np.zeros((2, 2)), np.zeros(3), (), np.zeros(3), None, None
        )


def test_a_registered_net_is_found_by_worker_processes(path):
    register_tile_net(
        "means", Means, dimension=12, size=64, mean=(0, 0, 0), replace=True
    )
    made = SlideTiles("random", net="means", size=64)
    again = pickle.loads(pickle.dumps(made))
    assert again.net == made.net
    a, b = (e.encode_slide(path).features for e in (made, again))
    assert np.array_equal(a, b)


REAL = (
    # file, settings, tiles, kept, what read it
    ("CMU-1-Small-Region.svs", {"mpp": 1.0}, 24, 15, "openslide"),
    ("CMU-1-Small-Region.svs", {"mpp": 0.25, "size": 896}, 24, 15, "openslide"),
    (
        "test3-TRITC_2_560.ndpi",
        {"mpp": 1.0, "tissue": TissueRule(blur=0)},
        16,
        14,
        "openslide",
    ),
    ("OS-1-detail.ome.tif", {"mpp": None}, 16, 16, "tifffile"),
)


@pytest.mark.parametrize(("file", "told", "tiles", "kept", "reader"), REAL)
def test_real_slides_are_tiled_and_encoded(real_data, file, told, tiles, kept, reader):
    made = encoder(n_threads=2, **{"size": 224, **told})
    found = made.encode_slide(real_data / "wsi" / file)
    assert (found.reader, found.counts["tiles"].sum(), len(found)) == (
        reader,
        tiles,
        kept,
    )
    assert np.isfinite(found.features).all()
    enlarged = file.startswith("CMU") and told["mpp"] == 0.25
    assert any("coarser" in w for w in found.warnings) == enlarged


def test_a_real_slide_through_a_resnet(real_data):
    path = real_data / "wsi" / "CMU-1-Small-Region.svs"
    regions = Regions(("C",), (shapely.box(600, 600, 1300, 1300),))
    told = {"net": "resnet18", "mpp": 0.5}
    a, b = (
        SlideTiles("random", n_threads=n, **told).encode_slide(path, regions=regions)
        for n in (1, 4)
    )
    assert a.features.shape == (len(a), 512)
    assert 4 <= len(a) <= 9
    assert a.features.dtype == np.float16
    assert a.features.tobytes() == b.features.tobytes()
