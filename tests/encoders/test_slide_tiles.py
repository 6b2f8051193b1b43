import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import shapely
import torch

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
    InputCorrupt,
    InputMissing,
    InvalidInput,
    NonFiniteTiles,
    NoResolution,
    NoTissue,
    UnknownName,
)
from sarcfeat.io import slide as slide_module
from sarcfeat.io.regions import Regions
from sarcfeat.io.slide import open_slide
from sarcfeat.nets import save_net
from sarcfeat.store import FeatureStore
from tests.encoders.slides import slide, spoil_tile, tissue, write_slide
from tests.store.fake_slides import box, write_geojson

BOX = (64, 64, 704, 448)  # whole tiles of 64 pixels: 10 × 6


class Means(torch.nn.Module):
    """The mean colours of a tile's four quarters: 12 numbers."""

    def forward(self, x):
        return torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


class Huge(Means):
    """Too much for float16 where a tile is dark."""

    def forward(self, x):
        found = super().forward(x)
        return torch.where(found.mean(dim=1, keepdim=True) < 120, 1e5 * found, found)


def net(module=Means):
    return TileNet("means", module, 12, mean=(0.0,) * 3, sd=(1 / 255,) * 3)


def encoder(module=Means, **more):
    told = {"net": net(module), "size": 64, "dtype": "float32", "n_threads": 1}
    return SlideTiles("random", **{**told, **more})


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
def test_the_same_bits_for_any_threads_and_batch_size(path, mpp):
    # A real net, whose sums could be cut elsewhere.
    told = {"net": "resnet18", "size": 64, "mpp": mpp}
    first = SlideTiles("random", n_threads=1, **told).encode_slide(path)
    assert len(first) > 3
    for more in ({"n_threads": 4}, {"n_threads": 3, "batch_size": 1}):
        other = SlideTiles("random", **more, **told).encode_slide(path)
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


def test_fault_039_a_corrupt_tile_is_left_out_and_the_slide_opened_anew(
    path, picture, tmp_path, monkeypatch
):
    spoilt = write_slide(tmp_path / "S2.tif", picture, jpeg=True)
    whole = encoder().encode_slide(spoilt)
    spoil_tile(spoilt, 2, 1)  # x 256 to 384, y 128 to 256: four tiles of 64
    opened = []
    reopen = slide_module.OpenSlideSource.reopen
    monkeypatch.setattr(
        slide_module.OpenSlideSource,
        "reopen",
        lambda self: opened.append(1) or reopen(self),
    )
    found = encoder().encode_slide(spoilt)
    places = [(256, 128), (320, 128), (256, 192), (320, 192)]
    assert list(zip(found.bad["x"], found.bad["y"], strict=True)) == places
    reason = found.bad["reason"].iloc[0]
    assert "S2.tif" in reason
    assert "x 256, y 128" in reason
    lost = np.array([tuple(c) in places for c in whole.coords.tolist()])
    assert np.array_equal(found.features, whole.features[~lost])
    assert np.array_equal(found.coords, whole.coords[~lost])
    counts = found.counts.set_index("group")["tiles"]
    assert counts["corrupt"] == 4
    assert counts.sum() == 126
    assert "4 tiles cannot be read" in found.warnings[0]
    # Once to lay out, once to read, and once after each of the four that failed.
    assert len(opened) == 2 + 4


def test_fault_039_corrupt_where_the_tissue_is_looked_for(picture, tmp_path):
    spoilt = write_slide(tmp_path / "S3.tif", picture, levels=1)
    spoil_tile(spoilt, 2, 1)
    found = encoder(n_threads=2).encode_slide(spoilt)
    assert found.bad[["x", "y"]].to_numpy().tolist()[0] == [256, 128]
    assert len(found.bad) == 4
    assert len(found) == 56


def test_fault_039_too_many_corrupt_tiles_fail_the_slide(picture, tmp_path):
    spoilt = write_slide(tmp_path / "S4.tif", picture)
    for column in (1, 2, 3):
        spoil_tile(spoilt, column, 1)
    with pytest.raises(
        InputCorrupt,
        match=r"S4\.tif: \d+ of 60 tiles cannot be read, more than max_bad=0\.1 "
        r"allows; at x 128, y 128.*allow more with max_bad",
    ):
        encoder().encode_slide(spoilt)
    assert len(encoder(max_bad=0.5).encode_slide(spoilt)) == 60 - 12


def test_fault_039_a_slide_that_goes_away_while_it_is_read(picture, tmp_path):
    gone = write_slide(tmp_path / "S11.tif", picture)
    spoil_tile(gone, 2, 1)
    with open_slide(gone) as opened:
        layout = lay_out(opened, mpp=0.25, size=64, rule=TissueRule())
        gone.unlink()
        for _ in range(2):
            with pytest.raises(InputCorrupt, match=r"S11\.tif cannot be opened"):
                opened.read(256, 128, 64, mpp=0.25)
    with pytest.raises(InputMissing, match=r"S11\.tif"):
        list(read_tiles(gone, layout, np.ones(len(layout.grid), bool)))


def test_fault_040_a_slide_that_does_not_say_its_resolution(picture, tmp_path):
    from PIL import Image

    Image.fromarray(picture).save(tmp_path / "S5.png")
    with pytest.raises(NoResolution, match=r"S5\.png.*mpp="):
        encoder().encode_slide(tmp_path / "S5.png")
    found = encoder().encode_slide(tmp_path / "S5.png", mpp=0.25)
    assert (len(found), found.reader) == (60, "plain")


def test_fault_041_no_tissue_gives_no_rows_and_no_crash(tmp_path):
    empty = write_slide(tmp_path / "S6.tif", slide(300, 300, []))
    with pytest.warns(NoTissue, match=r"S6\.tif has no tile of group A, B; .* 16 D"):
        found = encoder().encode_slide(empty)
    assert found.features.shape == (0, 12)
    assert found.features.dtype == np.float32
    assert found.coords.shape == (0, 2)
    assert len(found.warnings) == 1
    assert found.counts["tiles"].sum() == 16
    tiny = write_slide(tmp_path / "S7.tif", slide(40, 40, []), levels=1)
    with pytest.warns(NoTissue, match=r"S7\.tif .* its tiles: none"):
        assert len(encoder().encode_slide(tiny)) == 0


def test_fault_041_tissue_outside_every_region(path):
    regions = Regions(("C",), (shapely.box(0, 0, 60, 60),))
    with pytest.warns(NoTissue, match="in regions C"):
        assert len(encoder().encode_slide(path, regions=regions)) == 0


def test_fault_043_a_level_that_is_not_there_is_resampled_and_recorded(path):
    found = encoder(mpp=0.5).encode_slide(path)
    assert found.sampling.startswith("0.5 µm/px from level 0 of 0.25 µm/px, reduced 2")
    assert found.tile_px == 128
    assert found.warnings == []
    found = encoder(mpp=1.0).encode_slide(path)
    assert "level 1, as it is" in found.sampling
    finer = encoder(mpp=0.125).encode_slide(path)
    assert finer.tile_px == 32
    assert finer.warnings[0].startswith("The slide is coarser than asked: 0.125 µm/px ")
    assert len(finer) == 4 * 60
    own = encoder(mpp=None).encode_slide(path)
    assert "0.25 µm/px from level 0, as it is" in own.sampling


def test_fault_047_features_that_overflow_are_counted_and_refused(tmp_path):
    # One column of tiles is so dark that its features overflow float16.
    picture = tissue(256, 256)
    picture[:, :64] = picture[:, :64] // 2
    path = write_slide(tmp_path / "S8.tif", picture, jpeg=False)
    with pytest.raises(
        NonFiniteTiles,
        match=r"S8\.tif: 4 of 16 tiles have NaN or infinite features in float16, the "
        r"first at x 0, y 0\. Use dtype='float32'.*nan='drop'",
    ):
        encoder(Huge, dtype="float16").encode_slide(path)
    found = encoder(Huge, dtype="float16", nan="drop").encode_slide(path)
    assert len(found) == 12
    assert found.bad["reason"].tolist() == ["not finite"] * 4
    assert found.counts.set_index("group").loc["not finite", "tiles"] == 4
    assert "4 of 16 tiles have NaN" in found.warnings[0]
    assert np.isfinite(found.features).all()
    assert len(encoder(Huge).encode_slide(path)) == 16


def test_pen_blur_and_background_are_counted_by_reason(tmp_path):
    from scipy.ndimage import gaussian_filter

    picture = tissue(256, 384)
    picture[:64, :128] = (30, 140, 60)
    picture[:128, 256:] = gaussian_filter(picture[:128, 256:], (9, 9, 0))
    path = write_slide(tmp_path / "S9.tif", picture, jpeg=False, levels=1)
    # Ink alone is no tissue; ink over tissue is what "pen" counts.
    picture[64:128, :20] = (30, 140, 60)
    over = write_slide(tmp_path / "S10.tif", picture, jpeg=False, levels=1)
    counts = encoder().encode_slide(path).counts.set_index("group")["tiles"]
    assert counts["blur"] == 4
    assert counts["D"] + counts["C"] == 2
    assert counts.sum() == 24
    counts = encoder().encode_slide(over).counts.set_index("group")["tiles"]
    assert counts["pen"] == 1
    assert counts.sum() == 24


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


@pytest.mark.slow
def test_a_store_keeps_the_bags_and_knows_another_weights_file(path, picture, tmp_path):
    """Fault 49 as a store sees it, and a slide without tissue beside one with."""
    empty = write_slide(tmp_path / "S12.tif", slide(300, 300, []))
    spoilt = write_slide(tmp_path / "S13.tif", picture)
    for column in range(7):
        spoil_tile(spoilt, column, 1)
    drawn = write_geojson(tmp_path / "S1.geojson", box("C", 0, 0, 352, 600))
    files = {"P1": path, "P2": empty, "P3": spoilt}
    slides = pd.DataFrame({"patient": list(files), "path": map(str, files.values())})
    linear = TileNet("linear", _linear, 4, size=64)
    ids = []
    with FeatureStore(tmp_path / "study") as store:
        store.add_patients(pd.DataFrame({"age": [1, 2, 3]}, index=list(files)))
        store.add_slides(slides)
        store.add_annotations(
            pd.DataFrame({"patient": ["P1"], "path": [str(drawn)]}), names={"C": ["C"]}
        )
        for seed in (0, 1):
            torch.manual_seed(seed)
            save_net(tmp_path / "linear.safetensors", _linear())
            made = SlideTiles(tmp_path / "linear.safetensors", net=linear, size=64)
            report = store.encode(made, progress=False)
            ids.append(report.extractors["linear"])
            assert (report.encoded, report.failed) == (2, 1), str(report)
            (failure,) = report.failures.itertuples()
            assert (failure.patient, failure.code) == ("P3", "InputCorrupt")
            assert "S13.tif" in failure.reason
            assert "max_bad" in failure.reason
        bags = store.matrix(None, features=["linear"], extractor=report.extractors)
        bags = bags.X["linear.bag"]
        counts = store.tile_counts(extractor=ids[1])
    assert len(set(ids)) == 2
    assert bags[["P2", "P3"]].isna().all()
    regions = Regions(("C",), (shapely.box(0, 0, 352, 600),))
    alone = made.encode_slide(path, regions=regions)
    bag = bags["P1"].load()
    assert np.array_equal(bag.features, alone.features)
    assert np.array_equal(bag.coords, alone.coords)
    kept = counts[(counts["patient"] == "P1") & counts["group"].isin(["A", "B"])]
    assert kept.groupby("region")["tiles"].sum()["C"] == len(alone)


def _linear():
    return torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 4)
    )


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
