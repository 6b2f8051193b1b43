"""Tiny slides with outlines, and an encoder of slides that needs no network."""

import json
import os
import signal
import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from PIL import Image

from sarcfeat.encoders.encoded_slide import EncodedSlide
from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io import open_slide

TILE = 32
MPP = 0.5


def write_slide(path, seed=0, width=256, height=192, blank=False):
    """Write a picture that is taken for a slide; its size is in its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 200, size=(height, width, 3), dtype=np.uint8)
    if blank:
        pixels[:] = 255
    Image.fromarray(pixels).save(path)
    return path


def box(name, left, top, right, bottom):
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": name}},
    }


def write_geojson(path, *features):
    path.parent.mkdir(parents=True, exist_ok=True)
    features = features or (
        box("Centre", 64, 32, 192, 96),
        box("Periphery", 32, 32, 256, 160),
    )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@dataclass
class FakeSlides:
    """Mean colours of tiles of 32 pixels; each call leaves a line in `log`."""

    name: str = "tiny"
    dim: int = 5
    log: str = ""
    pause: float = 0.0
    noise: bool = False
    victim: str = ""
    broken: str = ""
    params: dict = field(default_factory=dict)

    kind = "slide"

    def fingerprint(self):
        told = {"name": self.name, "version": "1", "params": self.params}
        return {**told, "weights_sha256": None, "code": "fake 1"}

    def encode_slide(self, path, *, regions=None, mpp=None, progress=None):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{os.path.basename(path)}\n")
        if self.victim and self.victim in path:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.broken and self.broken in path:
            raise InputCorrupt(f"{path} has 40 tiles of 50 that cannot be read.")
        time.sleep(self.pause)
        with open_slide(path, mpp=mpp) as slide:
            width, height = slide.dimensions
            xs, ys = np.meshgrid(
                np.arange(0, width - TILE + 1, TILE),
                np.arange(0, height - TILE + 1, TILE),
            )
            coords = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(np.int32)
            tiles = [slide.read(x, y, TILE) for x, y in coords.tolist()]
            reader, level0 = slide.reader, slide.mpp
        means = np.array([t.reshape(-1, 3).mean(axis=0) for t in tiles])
        group = np.where(means.mean(axis=1) < 240, "A", "D")
        region, names = np.zeros(len(coords), np.uint8), ()
        if regions is not None:
            region, names = regions.label(coords + TILE / 2), regions.names
        kept = group == "A"
        if regions is not None:
            kept &= region > 0
        features = np.resize(means.T, (self.dim, len(means))).T.astype(np.float32)
        if self.noise:
            features += np.random.default_rng().normal(size=features.shape)
        words = np.array(["", *names], dtype=object)[region]
        counts = pd.DataFrame({"region": words, "group": group})
        counts = counts.value_counts(sort=False).rename("tiles").reset_index()
        said = [] if kept.any() else [f"NoTissue: {path} has no tile of group A"]
        return EncodedSlide(
            features=features[kept].astype(np.float16),
            coords=coords[kept],
            region=region[kept],
            region_names=tuple(names),
            tissue=kept[kept].astype(np.float32),
            counts=counts,
            bad=pd.DataFrame({"x": [], "y": [], "reason": []}),
            warnings=said,
            reader=reader,
            mpp=level0,
            tile_px=float(TILE),
        )
