"""TIFF as other programs write it: several images, sub-directories, transparency."""

import numpy as np
import pytest
import tifffile

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import open_slide
from tests.io.slide_files import picture

pytest.importorskip("openslide")
SCALE = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}


@pytest.fixture(scope="module")
def pixels():
    return picture(300, 400)


def whole(path):
    with open_slide(path) as slide:
        return slide.read(0, 0, slide.dimensions)


@pytest.mark.parametrize("order", ["slide first", "label first"])
def test_the_largest_image_is_the_slide_and_has_its_own_scale(tmp_path, pixels, order):
    path = tmp_path / "several.ome.tif"
    images = [(pixels, "slide", 0.5), (picture(60, 80, seed=3), "label", 8.0)]
    with tifffile.TiffWriter(path, ome=True) as file:
        for image, name, mpp in images if order == "slide first" else images[::-1]:
            told = {"axes": "YXS", "Name": name, "PhysicalSizeX": mpp}
            told["PhysicalSizeY"] = mpp
            file.write(image, photometric="rgb", metadata=told)
    with open_slide(path) as slide:
        assert (slide.dimensions, slide.mpp) == ((400, 300), 0.5)
        assert np.array_equal(slide.read(0, 0, slide.dimensions), pixels)


@pytest.mark.parametrize("steps", [(2, 4), (3, 7)])
def test_sub_directories_of_a_plain_bigtiff_are_levels(tmp_path, pixels, steps):
    path, pixels = tmp_path / "sub.tif", pixels[:252, :336]
    shared = {"photometric": "rgb", "tile": (64, 64), "compression": "deflate"}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(pixels, subifds=2, **SCALE, **shared)
        for step in steps:
            small = np.ascontiguousarray(pixels[::step, ::step])
            file.write(small, subfiletype=1, **shared)
    with open_slide(path) as slide:
        widths = [336, *(336 // step for step in steps)]
        assert [level.width for level in slide.levels] == widths
        step = steps[0]
        seen = slide.read(20 * step, 10 * step, 40, mpp=0.5 * step)
        assert np.array_equal(seen, pixels[::step, ::step][10:50, 20:60])
        assert np.array_equal(slide.read(0, 0, slide.dimensions), pixels)


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("planes", [True, False])
@pytest.mark.parametrize(("kind", "light"), [("unassalpha", 1), ("assocalpha", 2)])
def test_what_is_transparent_lies_on_white(
    tmp_path, pixels, tiled, planes, kind, light
):
    path = tmp_path / "a.ome.tif"
    seen = pixels if kind == "unassalpha" else pixels // 2
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    alpha[:100], alpha[100:200] = 0, 128
    given = np.concatenate([seen, alpha], axis=-1)
    if kind == "assocalpha":
        given[:100] = 0
    share = alpha / 255
    truth = seen * (share if kind == "unassalpha" else 1.0) + 255 * (1 - share)
    truth[:100] = 255
    axes = {"axes": "SYX" if planes else "YXS", "PhysicalSizeX": 1, "PhysicalSizeY": 1}
    tifffile.imwrite(
        path,
        np.ascontiguousarray(np.moveaxis(given, -1, 0)) if planes else given,
        ome=True,
        photometric="rgb",
        planarconfig="separate" if planes else "contig",
        extrasamples=[kind],
        tile=(64, 64) if tiled else None,
        metadata=axes,
    )
    assert abs(whole(path) - np.minimum(truth, 255)).max() <= 0.51


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_refused_by_either_reader(tmp_path, pixels, tiled, channels):
    path = tmp_path / "deep.tif"
    deep = pixels[..., :channels].squeeze().astype(np.uint16) * 257
    shape = {"tile": (64, 64)} if tiled else {}
    kind = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(path, deep, photometric=kind, **SCALE, **shape)
    with pytest.raises(InvalidInput, match=r"deep\.tif has pixels of kind uint16"):
        open_slide(path)


def test_colours_that_are_numbers_of_something_else_are_refused(tmp_path, pixels):
    path = tmp_path / "palette.tif"
    table = np.tile(np.arange(255, -1, -1) * 257, (3, 1)).astype(np.uint16)
    tifffile.imwrite(
        path, pixels[..., 0], photometric="palette", colormap=table, **SCALE
    )
    with pytest.raises(InvalidInput, match=r"palette\.tif has colours .* PALETTE"):
        open_slide(path)
    ink = np.concatenate([255 - pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    tifffile.imwrite(path, ink, photometric="separated", **SCALE)
    with pytest.raises(InvalidInput, match="colours of the kind SEPARATED"):
        open_slide(path)


@pytest.mark.parametrize(
    ("size", "unit"),
    [(5000, "Å"), (5e5, "pm"), (500, "nm"), (5e-5, "cm"), (0.5 / 25400, "in")],
)
def test_the_units_of_ome(tmp_path, pixels, size, unit):
    path = tmp_path / "unit.ome.tif"
    told = {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    told |= {"axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeY": size}
    tifffile.imwrite(path, pixels, ome=True, photometric="rgb", metadata=told)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.5)


def test_an_ome_without_sizes_has_those_of_its_tags(tmp_path, pixels):
    path = tmp_path / "tags.ome.tif"
    tifffile.imwrite(path, pixels, ome=True, photometric="rgb", **SCALE)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.5)
