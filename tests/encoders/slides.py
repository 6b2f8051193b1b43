"""Small slides drawn for tests: pink tissue with dark nuclei on white glass."""

import numpy as np
import torch

from sarcfeat.encoders import SlideTiles, TileNet

BOX = (64, 64, 704, 448)  # whole tiles of 64 pixels: 10 × 6


def tissue(height, width, seed=0):
    """Return a picture full of tissue: eosin with haematoxylin spots."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, height, width))
    spots, grain = (gaussian_filter(n, s) for n, s in zip(noise, (3, 1), strict=True))
    nuclei = spots / spots.std() > 1.0
    eosin = 0.9 + 0.12 * grain / grain.std() + 0.15 * spots / spots.std()
    amount = np.stack([0.9 * nuclei, np.maximum(eosin, 0.3)])
    dyes = np.array([[0.56, 0.22], [0.72, 0.80], [0.41, 0.56]])
    picture = 240 * np.exp(-np.einsum("cd,dhw->hwc", dyes, amount))
    return np.clip(picture, 0, 255).astype(np.uint8)


def slide(height, width, boxes, seed=0):
    """Return white glass with tissue in boxes (x0, y0, x1, y1)."""
    rng = np.random.default_rng(seed + 1)
    glass = rng.integers(242, 246, (height, width, 1), dtype=np.uint8)
    picture = np.repeat(glass, 3, axis=2)
    full = tissue(height, width, seed)
    for x0, y0, x1, y1 in boxes:
        picture[y0:y1, x0:x1] = full[y0:y1, x0:x1]
    return picture


def write_slide(path, picture, *, mpp=0.25, levels=3, step=4, tile=128, jpeg=True):
    """Write a pyramid of tiles that OpenSlide reads."""
    import tifffile

    kind = {"compression": "jpeg", "compressionargs": {"level": 95}}
    told = {
        "tile": (tile, tile),
        "photometric": "rgb",
        "resolutionunit": "CENTIMETER",
        **(kind if jpeg else {"compression": "adobe_deflate"}),
    }
    with tifffile.TiffWriter(path) as file:
        for k in range(levels):
            per_cm = 1e4 / (mpp * step**k)
            file.write(
                picture, resolution=(per_cm, per_cm), subfiletype=int(k > 0), **told
            )
            picture = picture[::step, ::step]
    return path


def spoil_tile(path, column, row, *, level=0):
    """Overwrite the bytes of one of a pyramid's tiles."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[level]
        across = -(-page.imagewidth // page.tilewidth)
        index = row * across + column
        start, count = page.dataoffsets[index], page.databytecounts[index]
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(b"\x00" * count)


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
