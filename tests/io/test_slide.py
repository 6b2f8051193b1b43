"""Slides: every reader's pixels, any resolution, and nothing about the patient."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sarcfeat.exceptions import InputEmpty, InputMissing, InvalidInput, NoResolution
from sarcfeat.io import open_slide
from tests.io.slide_files import picture, write_ome, write_pyramid

openslide = pytest.importorskip("openslide")


@pytest.fixture(scope="module")
def pixels():
    return picture()


@pytest.fixture(scope="module")
def generic(tmp_path_factory, pixels):
    path = tmp_path_factory.mktemp("slide") / "generic.tif"
    write_pyramid(path, pixels)
    return path


@pytest.fixture(scope="module")
def ome(tmp_path_factory, pixels):
    path = tmp_path_factory.mktemp("slide") / "pyramid.ome.tif"
    write_ome(path, pixels)
    return path


def white(pixels):
    """Return RGB over white of what OpenSlide gives."""
    back = Image.new("RGB", pixels.size, (255, 255, 255))
    back.paste(pixels, mask=pixels.getchannel("A"))
    return np.asarray(back)


@pytest.mark.parametrize(
    ("name", "dimensions", "mpp", "power"),
    [
        ("CMU-1-Small-Region.svs", (2220, 2967), 0.499, 20),
        ("test3-TRITC_2_560.ndpi", (3968, 4864), 0.22817506, 40),
    ],
)
def test_real_slides_read_as_openslide_reads_them(
    real_data, name, dimensions, mpp, power
):
    path = real_data / "wsi" / name
    with open_slide(path) as slide, openslide.OpenSlide(path) as other:
        assert slide.reader == "openslide"
        assert slide.dimensions == dimensions
        assert slide.mpp == pytest.approx(mpp)
        assert slide.magnification == power
        for number, level in enumerate(slide.levels):
            size = min(300, level.width, level.height)
            seen = slide.read(64, 128, size, mpp=slide.mpp * level.downsample)
            told = other.read_region((64, 128), number, (size, size))
            assert np.array_equal(seen, white(told))


def test_the_real_ome_tiff_falls_back_to_tifffile(real_data):
    path = real_data / "wsi" / "OS-1-detail.ome.tif"
    assert openslide.OpenSlide.detect_format(path) is None
    whole = tifffile.imread(path)
    with open_slide(path) as slide:
        assert slide.reader == "tifffile"
        assert slide.mpp == pytest.approx(0.2271, abs=1e-4)
        assert np.array_equal(slide.read(300, 450, 500), whole[450:950, 300:800])
        edge = slide.read(1000, 1000, 224)
        assert np.array_equal(edge[:101, :101], whole[1000:, 1000:])
        assert (edge[101:] == 255).all()


def test_a_real_slide_tells_nothing_of_the_patient(real_data):
    with open_slide(real_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        told = str(slide.properties)
        assert slide.properties["aperio.AppMag"] == "20"
        for private in ("Date", "User", "b414003d", "Filename", "Description", "label"):
            assert private not in told
        assert not {"associated_images", "label", "macro"} & set(dir(slide))


def test_sub_directories_of_ome_are_levels(ome, pixels):
    # OpenSlide would open this file too, and see its first level only.
    assert openslide.OpenSlide(ome).level_count == 1
    with open_slide(ome) as slide:
        assert slide.reader == "tifffile"
        assert [level.width for level in slide.levels] == [700, 350, 175]
        assert slide.mpp == 0.5
        for level, step in enumerate((1, 2, 4)):
            seen = slide.read(40, 80, (100, 60), mpp=0.5 * step)
            top, left = 80 // step, 40 // step
            truth = pixels[::step, ::step][top : top + 60, left : left + 100]
            assert np.array_equal(seen, truth), level


@settings(max_examples=25, deadline=None)
@given(
    x=st.integers(-300, 900),
    y=st.integers(-300, 900),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
)
def test_any_window_is_cut_from_the_whole_over_white(ome, pixels, x, y, width, height):
    wide = np.full((2000, 2000, 3), 255, np.uint8)
    wide[600:1200, 600:1300] = pixels
    with open_slide(ome) as slide:
        seen = slide.read(x, y, (width, height))
    truth = wide[600 + y : 600 + y + height, 600 + x : 600 + x + width]
    assert np.array_equal(seen, truth)


def test_generic_tiff_with_resolution_opens_in_openslide(generic):
    with open_slide(generic) as slide, openslide.OpenSlide(generic) as other:
        assert slide.reader == "openslide"
        assert slide.mpp == pytest.approx(0.25)
        assert [level.downsample for level in slide.levels] == [1, 2]
        outside = slide.read(600, 500, 224)
        assert np.array_equal(
            outside, white(other.read_region((600, 500), 0, (224, 224)))
        )
        assert (outside[100:, 100:] == 255).all()


@pytest.mark.parametrize("kind", ["strips", "grey", "planes", "plain pages", "big"])
def test_tiff_of_every_make(tmp_path, pixels, kind):
    path, truth = tmp_path / "a.tif", pixels
    scale = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER", "metadata": None}
    if kind == "strips":
        tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=70, **scale)
    elif kind == "grey":
        truth = np.repeat(pixels[..., :1], 3, axis=-1)
        tifffile.imwrite(path, pixels[..., 0], rowsperstrip=70, **scale)
    elif kind == "planes":
        planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
        tifffile.imwrite(
            path,
            planes,
            photometric="rgb",
            planarconfig="separate",
            tile=(128, 128),
            compression="lzw",
            **scale,
        )
    elif kind == "plain pages":
        write_pyramid(path, pixels, mpp=0.5, levels=3, compression="png")
    else:
        tifffile.imwrite(path, pixels, photometric="rgb", bigtiff=True, **scale)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.5)
        assert np.array_equal(slide.read(33, 44, (500, 400)), truth[44:444, 33:533])
        if kind == "plain pages":
            assert slide.reader == "tifffile"
            assert len(slide.levels) == 3


def test_a_plain_picture_with_transparency_lies_on_white(tmp_path):
    image = Image.new("RGBA", (80, 60), (10, 20, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, 40, 60))
    image.save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=2.0) as slide:
        assert (slide.reader, slide.mpp, slide.mpp_from) == ("plain", 2.0, "given")
        assert slide.read(0, 0, (80, 60))[0, [0, 79]].tolist() == [
            [255] * 3,
            [10, 20, 30],
        ]
        assert slide.reopen().read(-5, -5, 3).min() == 255


def test_fault_040_missing_resolution_is_refused_and_may_be_given(tmp_path, pixels):
    path = tmp_path / "scan.tif"
    write_pyramid(path, pixels, mpp=None)
    with pytest.raises(NoResolution, match=r"scan\.tif does not say .* Give mpp="):
        open_slide(path)
    with open_slide(path, mpp=0.5) as slide:
        assert (slide.mpp, slide.mpp_from) == (0.5, "given")


def test_fault_040_resolution_of_a_screen_is_none_of_a_scanner(tmp_path, pixels):
    path = tmp_path / "screen.tif"
    write_pyramid(path, pixels, mpp=25_400 / 72)
    with pytest.raises(
        NoResolution, match=r"screen\.tif .* 352\.778 .*no slide scanner"
    ):
        open_slide(path)


def test_fault_040_pixels_that_are_not_square(tmp_path, pixels):
    path = tmp_path / "oblong.ome.tif"
    write_ome(path, pixels, mpp=(0.25, 0.30))
    with pytest.raises(NoResolution, match=r"oblong.* 0\.25 × 0\.3 µm; square pixels"):
        open_slide(path)
    write_ome(path, pixels, mpp=(0.2500, 0.2510))
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.2505)
    write_ome(path, pixels, mpp=(250, 250), unit="nm")
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25)


def test_fault_043_an_absent_level_is_made_from_the_finer_one_and_told(ome, pixels):
    with open_slide(ome) as slide:
        info = slide.read_info(1.5)
        assert (info.level, info.scale, info.upsampled) == (1, 1.5, False)
        assert str(info) == "1.5 µm/px from level 1 of 1 µm/px, reduced 1.5 times"
        seen = slide.read(0, 0, 100, mpp=1.5)
        source = Image.fromarray(np.ascontiguousarray(pixels[::2, ::2][:150, :150]))
        truth = source.resize((100, 100), Image.Resampling.LANCZOS)
        assert np.array_equal(seen, np.asarray(truth))
        # Whole factors are means of whole pixels.
        coarse = slide.read(0, 0, 40, mpp=6.0)
        block = pixels[::4, ::4][:120, :120].reshape(40, 3, 40, 3, 3).mean((1, 3))
        assert np.abs(coarse - block).max() <= 0.51 + 0.49
        finer = slide.read_info(0.25)
        assert finer.upsampled
        assert "enlarged 2 times" in str(finer)
        assert slide.read(0, 0, 64, mpp=0.25).shape == (64, 64, 3)


def test_a_level_that_is_nearly_the_one_asked_for_is_taken_as_it_is(ome):
    with open_slide(ome) as slide:
        assert not slide.read_info(1.001).resampled
        assert slide.read_info(1.001).level == 1
        assert slide.read_info(1.01).resampled


def test_a_thumbnail_is_the_whole_slide(generic, pixels):
    with open_slide(generic) as slide:
        small = slide.thumbnail(175)
        assert small.shape == (150, 175, 3)
        truth = np.asarray(Image.fromarray(pixels).reduce(4)).astype(float)
        assert np.abs(small - truth).mean() < 4
        assert slide.thumbnail(10_000).shape == (600, 700, 3)


def test_what_is_no_slide_is_named(tmp_path):
    with pytest.raises(InputMissing, match=r"gone\.svs"):
        open_slide(tmp_path / "gone.svs")
    (tmp_path / "empty.svs").touch()
    with pytest.raises(InputEmpty, match=r"empty\.svs has 0 bytes"):
        open_slide(tmp_path / "empty.svs")


@pytest.mark.parametrize("mpp", [0, -1, float("nan"), True, "0.25", 250, 0.00025])
def test_a_resolution_that_is_none(generic, mpp):
    with pytest.raises(InvalidInput, match="expected micrometres per pixel"):
        open_slide(generic, mpp=mpp)
