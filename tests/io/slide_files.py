"""Slides written for tests, each a way in which files come."""

import numpy as np
import tifffile


def picture(height=600, width=700, seed=0):
    """Return a picture that is smooth enough for JPEG and different everywhere."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(60, 250, (height // 50 + 2, width // 50 + 2, 3))
    fine = np.kron(rough, np.ones((50, 50, 1)))[:height, :width]
    y, x = np.mgrid[:height, :width]
    return np.clip(fine + ((x + 2 * y) % 37)[..., None] / 4, 0, 255).astype(np.uint8)


def write_pyramid(path, pixels, *, mpp=0.25, levels=2, compression="jpeg", **told):
    """Write plain pages, each half the one before, as OpenSlide's generic TIFF."""
    asked = {"tile": (256, 256), "photometric": "rgb", "compression": compression}
    with tifffile.TiffWriter(path) as file:
        for level in range(levels):
            step = 2**level
            resolution = None if mpp is None else (1e4 / mpp / step,) * 2
            unit = None if mpp is None else "CENTIMETER"
            file.write(
                np.ascontiguousarray(pixels[::step, ::step]),
                resolution=resolution,
                resolutionunit=unit,
                subfiletype=int(level > 0),
                metadata=None,
                **asked,
                **told,
            )


def write_ome(path, pixels, *, mpp=(0.5, 0.5), compression="deflate", unit="µm"):
    """Write an OME-TIFF whose coarser levels are sub-directories."""
    told = {
        "axes": "YXS",
        "PhysicalSizeX": mpp[0],
        "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": mpp[1],
        "PhysicalSizeYUnit": unit,
    }
    asked = {"tile": (128, 128), "photometric": "rgb", "compression": compression}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(pixels, subifds=2, metadata=told, **asked)
        for step in (2, 4):
            small = np.ascontiguousarray(pixels[::step, ::step])
            file.write(small, subfiletype=1, metadata=None, **asked)
