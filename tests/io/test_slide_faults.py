"""Damaged and hostile slides: refused by name, before they cost anything."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from sarcfeat.exceptions import InputCorrupt, InputTooLarge, InvalidInput
from sarcfeat.io import open_slide
from tests.io.slide_files import picture, write_ome, write_pyramid

pytest.importorskip("openslide")


def spoil(path, tile, how="noise"):
    """Overwrite the bytes of one tile of level 0."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        at, count = page.dataoffsets[tile], page.databytecounts[tile]
    data = bytearray(path.read_bytes())
    data[at : at + count] = (
        b"\x00" * count
        if how == "zeros"
        else b"\xff\xd8" * (count // 2) + b"\x00" * (count % 2)
    )
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["noise", "zeros"])
def test_fault_039_a_corrupt_tile_is_named_and_the_slide_goes_on(tmp_path, how):
    path, pixels = tmp_path / "spoilt.tif", picture(600, 800)
    write_pyramid(path, pixels)
    with open_slide(path) as slide:
        before = slide.read(512, 256, 200)
    spoil(path, 1, how)
    with open_slide(path) as slide:
        assert slide.reader == "openslide"
        with pytest.raises(InputCorrupt, match=r"spoilt\.tif .*x 300, y 20 \(level 0"):
            slide.read(300, 20, 100)
        # OpenSlide would now fail for ever; the slide has been opened anew.
        assert np.array_equal(slide.read(512, 256, 200), before)


def test_fault_039_a_corrupt_tile_of_an_ome_tiff(tmp_path):
    path, pixels = tmp_path / "spoilt.ome.tif", picture()
    write_ome(path, pixels)
    spoil(path, 2)
    with open_slide(path) as slide:
        with pytest.raises(InputCorrupt, match=r"spoilt.*tile 2 of row 0 of level 0"):
            slide.read(260, 0, 64)
        assert np.array_equal(slide.read(0, 0, 200), pixels[:200, :200])
        assert np.array_equal(slide.reopen().read(0, 0, 9), pixels[:9, :9])


@pytest.mark.parametrize("kind", ["ome", "generic"])
def test_a_slide_that_was_cut_off(tmp_path, kind):
    path = tmp_path / "cut.tif"
    if kind == "ome":
        write_ome(path, picture())
    else:
        write_pyramid(path, picture(), compression="zstd")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputCorrupt, match=r"cut\.tif"):
        open_slide(path, mpp=0.5)


def test_a_real_slide_that_was_cut_off(tmp_path, real_data):
    data = (real_data / "wsi" / "CMU-1-Small-Region.svs").read_bytes()
    path = tmp_path / "cut.svs"
    path.write_bytes(data[: len(data) // 3])
    with pytest.raises(InputCorrupt, match=r"cut\.svs"), open_slide(path) as slide:
        slide.read(0, 2500, 400)


@pytest.mark.parametrize("name", ["a.svs", "a.tif", "a.png"])
@pytest.mark.parametrize("start", [b"", b"II*\0", b"\x89PNG\r\n\x1a\n", b"MM\0+"])
def test_bytes_that_are_no_slide(tmp_path, name, start):
    path = tmp_path / name
    path.write_bytes(start + np.random.default_rng(0).bytes(3000))
    with pytest.raises(InvalidInput, match=name.replace(".", r"\.")):
        open_slide(path, mpp=0.5)


def tiff_that_says(width, height, tile):
    """Return the bytes of a TIFF of one tile that claims to be large."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        (322, 4, 1, tile),
        (323, 4, 1, tile),
        (324, 4, 1, 8),
        (325, 4, 1, 4),
    ]
    body = struct.pack("<H", len(entries))
    for entry in entries:
        body += struct.pack("<HHII", *entry)
    return b"II*\0" + struct.pack("<I", 12) + b"abcd" + body + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("side", "tile"), [(1_000_000, 1_000_000), (4_294_967_280, 256), (50_000, 65_536)]
)
def test_fault_018_a_header_that_promises_too_much(tmp_path, side, tile):
    path = tmp_path / "bomb.tif"
    path.write_bytes(tiff_that_says(side, side, tile))
    tracemalloc.start()
    try:
        with (
            pytest.raises((InputCorrupt, InputTooLarge), match=r"bomb\.tif"),
            open_slide(path, mpp=0.5) as slide,
        ):
            slide.read(0, 0, 64)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_fault_018_a_jpeg_larger_than_its_tile(tmp_path):
    path = tmp_path / "bomb.ome.tif"
    write_ome(path, picture(256, 256), compression="jpeg")
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    path.write_bytes(bytes(data))
    with (
        open_slide(path) as slide,
        pytest.raises(InputCorrupt, match="its JPEG has 65000 × 65000 pixels, not 128"),
    ):
        slide.read(0, 0, 256)


def test_fault_018_a_picture_larger_than_a_picture_may_be(tmp_path):
    path = tmp_path / "bomb.png"

    def chunk(kind, data):
        whole = kind + data
        return (
            struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")))
    with pytest.raises(
        InputTooLarge, match=r"bomb\.png .* Convert it into a pyramidal"
    ):
        open_slide(path, mpp=0.5)


def test_a_window_that_fits_no_memory(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    write_pyramid(path, picture())
    monkeypatch.setenv("SARCFEAT_MEMORY", "0.01")
    with open_slide(path) as slide, pytest.raises(InputTooLarge, match=r"a\.tif"):
        slide.read(0, 0, 20_000)


@pytest.mark.parametrize(
    ("shape", "dtype", "told"),
    [((64, 64, 3), np.uint16, "uint16"), ((5, 64, 64), np.uint8, "axes")],
)
def test_pixels_that_are_no_brightfield_image(tmp_path, shape, dtype, told):
    path = tmp_path / "deep.ome.tif"
    tifffile.imwrite(path, np.zeros(shape, dtype), ome=True, tile=(32, 32))
    with pytest.raises(InvalidInput, match=rf"deep\.ome\.tif .*{told}"):
        open_slide(path, mpp=0.5)


def test_sixteen_bit_pictures_are_refused(tmp_path):
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(InvalidInput, match="8 bits a colour"):
        open_slide(tmp_path / "a.png", mpp=0.5)


def test_entities_in_the_description_are_refused(tmp_path):
    path = tmp_path / "bomb.ome.tif"
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa">]>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image '
        'ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" '
        'SizeX="64" SizeY="64" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="0.5" '
        'PhysicalSizeY="0.5"><Channel ID="Channel:0:0" SamplesPerPixel="3"/>'
        '<TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>'
    )
    tifffile.imwrite(
        path,
        np.zeros((64, 64, 3), np.uint8),
        photometric="rgb",
        tile=(32, 32),
        description=bomb,
        metadata=None,
    )
    with pytest.raises(InvalidInput, match=r"bomb\.ome\.tif"):
        open_slide(path)


def test_changed_bytes_give_pixels_or_a_named_error(tmp_path):
    path = tmp_path / "fuzz.ome.tif"
    write_ome(path, picture(200, 200))
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = []
    for _ in range(120):
        data = bytearray(whole)
        start = 0 if rng.uniform() < 0.5 else len(data) - 3000
        for at in start + rng.integers(0, 3000, int(rng.integers(1, 6))):
            data[at] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            with open_slide(path, mpp=0.5) as slide:
                slide.thumbnail(64)
        except InvalidInput as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert all("fuzz.ome.tif" in told for told in refused)
