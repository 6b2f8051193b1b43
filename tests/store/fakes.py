"""A fake encoder and a tiny cohort on disk, for the store's tests."""

import os
import signal
import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import SimpleITK

from sarcfeat.exceptions import ROITooSmall
from sarcfeat.io import read_volume


@dataclass
class Encoded:
    names: list
    values: np.ndarray
    warnings: list = field(default_factory=list)


@dataclass
class FakeEncoder:
    """Mean and standard deviation of a region; each call leaves a line in `log`."""

    name: str = "fake"
    params: dict = field(default_factory=lambda: {"bin": 25, "filters": ["none"]})
    names: tuple = ("mean", "sd")
    log: str = ""
    pause: float = 0.0
    noise: bool = False

    version = "1"

    def fingerprint(self):
        return {
            "name": self.name,
            "version": self.version,
            "params": self.params,
            "weights_sha256": None,
            "code": "fake 1",
        }

    def encode(self, image_path, mask_path, *, label=1):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{os.getpid()} {mask_path}\n")
        time.sleep(self.pause)
        image, mask = read_volume(image_path), read_volume(mask_path)
        voxels = image.array[mask.array == label]
        if voxels.size < 2:
            raise ROITooSmall(f"{mask_path} has {voxels.size} voxel; 2 are needed.")
        mean = voxels.mean() + (np.random.default_rng().normal() if self.noise else 0)
        values = np.resize([mean, voxels.std()], len(self.names))
        return Encoded(list(self.names), values, ["a note"])

    def describe_feature(self, name):
        return {
            "image_filter": "original",
            "family": "fake",
            "ibsi": None,
            "unit": "HU",
        }


@dataclass
class OddEncoder(FakeEncoder):
    """Gives fixed values, bit for bit."""

    values: tuple = ()

    def encode(self, image_path, mask_path, *, label=1):
        return Encoded(list(self.names), np.array(self.values))


@dataclass
class InterruptedEncoder(FakeEncoder):
    """Raises KeyboardInterrupt, as Ctrl-C does, at the n-th call."""

    after: int = 40
    calls: int = 0

    def encode(self, image_path, mask_path, *, label=1):
        self.calls += 1
        if self.calls > self.after:
            raise KeyboardInterrupt
        return super().encode(image_path, mask_path, label=label)


@dataclass
class DeadlyEncoder(FakeEncoder):
    """Kills its own process on one patient's mask, as running out of memory does."""

    victim: str = "P003"

    def encode(self, image_path, mask_path, *, label=1):
        if self.victim in mask_path:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(image_path, mask_path, label=label)


def write_volume(path, array, spacing=(1.0, 1.0, 2.0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(path))
    return path


def write_patient(root, patient, sequence="T1", readers=("A",), seed=0):
    rng = np.random.default_rng([seed, *map(ord, patient), *map(ord, sequence)])
    image = rng.normal(100, 20, size=(4, 6, 6)).astype(np.float32)
    write_volume(root / "images" / patient / f"{sequence}_image.nii.gz", image)
    for i, reader in enumerate(readers):
        mask = np.zeros(image.shape, np.uint8)
        mask[1:3, 1 : 4 + i, 1:4] = 1
        write_volume(mask_path(root, patient, sequence, reader), mask)


def mask_path(root, patient, sequence="T1", reader="A"):
    return root / f"masks_{reader}" / patient / f"{sequence}_mask.nii.gz"


def image_path(root, patient, sequence="T1"):
    return root / "images" / patient / f"{sequence}_image.nii.gz"


def patients(n):
    return [f"P{i:03d}" for i in range(1, n + 1)]


def clinical(n):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "site": ["Bordeaux", "Lyon"] * (n // 2) + ["Bordeaux"] * (n % 2),
            "age": rng.integers(30, 80, n),
            "grade": ["2", "3"] * (n // 2) + ["2"] * (n % 2),
            "surgery": pd.Timestamp("2020-01-15"),
            "mfs_days": rng.integers(50, 2000, n),
            "metastasis": [1, 0, 0] * (n // 3) + [0] * (n % 3),
            "death": [0, 1, 0] * (n // 3) + [1] * (n % 3),
        },
        index=pd.Index(patients(n), name="patient"),
    )


def add_files(store, root, readers=("A",)):
    report = store.add_images(
        root / "images", pattern="{patient}/{sequence}_image.nii.gz"
    )
    reports = [
        store.add_masks(
            root / f"masks_{reader}",
            reader=reader,
            pattern="{patient}/{sequence}_mask.nii.gz",
        )
        for reader in readers
    ]
    return [report, *reports]


def add_everything(store, root):
    """Add six patients with an outcome, both readers' files and a cohort of all."""
    store.add_patients(clinical(6), index_time="surgery", units={"age": "years"})
    store.add_outcome("mfs", time="mfs_days", event="metastasis", competing="death")
    add_files(store, root, readers=("A", "B"))
    store.add_cohort("all")
    return store
