"""What slides do wrong, and what is said of it: faults 39, 40, 41, 43, 47 and 49."""

import numpy as np
import pandas as pd
import pytest
import shapely
import torch

from sarcfeat.encoders import (
    SlideTiles,
    TileNet,
    TissueRule,
)
from sarcfeat.encoders.tile_reading import lay_out, read_tiles
from sarcfeat.exceptions import (
    InputCorrupt,
    InputMissing,
    MostlyBlurred,
    NonFiniteTiles,
    NoResolution,
    NoTissue,
)
from sarcfeat.io import slide as slide_module
from sarcfeat.io.regions import Regions
from sarcfeat.io.slide import open_slide
from sarcfeat.nets import save_net
from sarcfeat.store import FeatureStore
from tests.encoders.slides import (
    BOX,
    Huge,
    encoder,
    slide,
    spoil_tile,
    tissue,
    write_slide,
)
from tests.store.fake_slides import box, write_geojson


@pytest.fixture(scope="module")
def picture():
    return slide(600, 900, [BOX])


@pytest.fixture(scope="module")
def path(picture, tmp_path_factory):
    return write_slide(tmp_path_factory.mktemp("slide") / "S1.tif", picture, jpeg=False)


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
    with pytest.warns(NoTissue, match=r"S7\.tif is smaller than one tile of 64 of"):
        found = encoder().encode_slide(tiny)
    assert (len(found), found.counts["tiles"].sum()) == (0, 0)


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


def test_a_slide_of_which_most_is_called_blurred_says_which_setting(tmp_path):
    path = write_slide(tmp_path / "soft.tif", tissue(256, 256), jpeg=False, levels=1)
    told = pytest.warns(
        MostlyBlurred, match=r"soft\.tif: 16 of 16 .*TissueRule\(blur=0"
    )
    with told, pytest.warns(NoTissue):
        found = encoder(tissue=TissueRule(blur=1e6)).encode_slide(path)
    assert len(found) == 0
    assert found.counts.set_index("group").loc["blur", "tiles"] == 16
    assert sum("TissueRule(blur=0)" in note for note in found.warnings) == 1
    kept = encoder(tissue=TissueRule(blur=0)).encode_slide(path)
    assert (len(kept), kept.warnings) == (16, [])


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
