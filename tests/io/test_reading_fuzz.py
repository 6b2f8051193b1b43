"""Damaged images: read, or refused by name; never a hang, never another error."""

import warnings

import numpy as np
import pytest

from sarcfeat.exceptions import SarcfeatError, WorkerDied, WorkerTimedOut
from sarcfeat.io import Geometry, read_mask, read_volume
from sarcfeat.io.isolation import isolated_each
from tests.io.dicom_masks import make_rtstruct, save, square
from tests.io.dicom_study import stack, write_slices
from tests.io.test_contours import AXES
from tests.io.test_volume import write

N = 40
GRID = Geometry((12, 12, 6), (1.5, 1.5, 3.0), (0.0, 0.0, 0.0), AXES)


def mutants(data, seed, n=N):
    """Yield damaged copies: bytes changed, cut out, doubled or cut off."""
    rng = np.random.default_rng(seed)
    for number in range(n):
        new = bytearray(data)
        head = min(len(new), 600)  # where a header's numbers are
        for _ in range(rng.integers(1, 8)):
            new[rng.integers(head if number % 2 else len(new))] = rng.integers(256)
        if number % 5 == 0:
            at = int(rng.integers(len(new)))
            del new[at : at + int(rng.integers(1, 64))]
        if number % 7 == 0:
            at = int(rng.integers(len(new)))
            new[at:at] = new[at : at + 32]
        if number % 6 == 0:
            del new[int(rng.integers(len(new))) :]
        yield bytes(new)


def read(kind, path):
    """Read a file in a worker; return nothing, or the name of what was raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_mask(path, GRID) if kind == "rtstruct" else read_volume(path)
        except SarcfeatError as error:
            return str(error)
    return None


def seeds(tmp_path):
    voxels = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    folder = write_slices(tmp_path / "seed", stack(3), name="a")
    contours = make_rtstruct({"GTV": [square(3 * k, 3, 6) for k in (1, 2)]})
    return {
        "nii": write(tmp_path / "a.nii", voxels),
        "nii.gz": write(tmp_path / "a.nii.gz", voxels),
        "nrrd": write(tmp_path / "a.nrrd", voxels),
        "mha": write(tmp_path / "a.mha", voxels),
        "dicom": folder / "a_1.dcm",
        "rtstruct": save(contours, tmp_path / "a.dcm"),
    }


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "nrrd", "mha", "dicom", "rtstruct"])
def test_damaged_files_are_read_or_refused_by_name(tmp_path, kind):
    seed = seeds(tmp_path)[kind]
    paths = []
    for number, data in enumerate(mutants(seed.read_bytes(), seed=len(kind))):
        if kind == "dicom":
            folder = write_slices(tmp_path / f"m{number}", stack(3), name="a")
            (folder / "a_1.dcm").write_bytes(data)
            paths.append(str(folder))
        else:
            path = tmp_path / f"m{number}.{seed.name.split('.', 1)[1]}"
            path.write_bytes(data)
            paths.append(str(path))
    answers = list(isolated_each(read, kind, paths, timeout=30.0))
    assert len(answers) == N
    for answer in answers:
        # A crash or a hang is the worker's end, and no error of any other kind.
        assert answer.error is None or isinstance(
            answer.error, WorkerDied | WorkerTimedOut
        ), (answer.item, answer.error)
        if answer.value is not None:
            name = answer.item.rsplit("/", 1)[1]
            assert name in answer.value, answer.value
    assert any(answer.value for answer in answers)
