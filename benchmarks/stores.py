"""Stores to measure: filled with random features, images and units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK

from sarcfeat.store import FeatureStore
from sarcfeat.store.identity import digest
from sarcfeat.store.images import IMAGE
from sarcfeat.store.masks import MASK


def names(n: int, letter: str = "P") -> list[str]:
    """Return ids or feature names."""
    return [f"{letter}{i:05d}" for i in range(n)]


def random_frame(n: int, p: int, seed: int) -> pd.DataFrame:
    """Return patients × features, continuous, a third of them skewed."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, p))
    values[:, ::3] = np.exp(values[:, ::3])
    return pd.DataFrame(
        values, index=pd.Index(names(n), name="patient"), columns=names(p, "f")
    )


def add_patients(store: FeatureStore, n: int, seed: int) -> None:
    """Add patients of three hospitals with an index time and an outcome."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "site": rng.choice(["Bordeaux", "Lyon", "Paris"], n),
            "surgery": "2020-01-15",
            "days": rng.integers(1, 4000, n),
            "event": rng.integers(0, 2, n),
        },
        index=pd.Index(names(n), name="patient"),
    )
    store.add_patients(table, index_time="surgery")
    store.add_outcome("mfs", time="days", event="event", origin="surgery")


def add_catalogue_rows(store: FeatureStore, n: int) -> None:
    """Add images and masks as rows alone: a catalogue of n units to be done."""
    db = store._open
    images, masks = [], []
    for patient in names(n):
        image, mask = digest("image", patient), digest("mask", patient)
        path = f"/images/{patient}.nii.gz"
        images.append([image, patient, "MR", "T1", None, "{}", path, image])
        head = [mask, image, patient, "T1", digest("lesion", patient), "A", 1, 1, 900]
        masks.append([*head, mask, path, mask])
    with db.commit("benchmark rows"):
        db.insert("image", IMAGE, images)
        db.insert("mask", MASK, masks)


def write_volumes(root: Path, n: int) -> None:
    """Write n tiny images with masks."""
    rng = np.random.default_rng(0)
    mask = np.zeros((3, 4, 4), np.uint8)
    mask[1:, 1:3, 1:3] = 1
    for patient in names(n):
        folder = root / patient
        if folder.exists():
            continue
        folder.mkdir(parents=True)
        image = rng.normal(100, 20, size=mask.shape).astype(np.float32)
        for name, voxels in (("image", image), ("mask", mask)):
            file = str(folder / f"T1_{name}.nii")
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), file)


@dataclass
class Encoded:
    """What an encoder returns."""

    names: list[str]
    values: np.ndarray
    warnings: list[str]


@dataclass
class Instant:
    """An encoder that costs nothing, so that the store's own time is measured."""

    name: str = "instant"
    n: int = 20

    def fingerprint(self) -> dict[str, Any]:
        """Return all that decides the numbers."""
        return {"name": self.name, "version": "1", "params": {"n": self.n}}

    def encode(self, image_path: str, mask_path: str, *, label: int = 1) -> Encoded:
        """Return fixed numbers."""
        return Encoded(names(self.n, "f"), np.arange(self.n, dtype=float), [])

    def describe_feature(self, name: str) -> dict[str, Any]:
        """Return nothing that is known."""
        return {}
