"""Filters over workers, and the ceiling of memory."""

import subprocess
import sys

import numpy as np
import pytest

from sarcfeat.encoders import Radiomics
from sarcfeat.exceptions import InvalidInput

from .conftest import write

pytest.importorskip("radiomics")

SEVERAL = {
    "setting": {"binWidth": 25},
    "imageType": {"Original": {}, "Gradient": {}, "Wavelet": {}, "Square": {}},
    "featureClass": {"shape": [], "firstorder": [], "ngtdm": []},
}


def test_filters_over_two_workers_give_the_same_bits(lesion):
    one = Radiomics(SEVERAL).encode(*lesion)
    two = Radiomics(SEVERAL, n_jobs=2).encode(*lesion)
    assert one.names == two.names
    np.testing.assert_array_equal(one.values, two.values)
    one, two = Radiomics(SEVERAL), Radiomics(SEVERAL, n_jobs=2, memory_gib=1)
    assert one.fingerprint() == two.fingerprint()


def test_only_shape_needs_one_job(lesion):
    params = {**SEVERAL, "featureClass": {"shape": []}}
    assert len(Radiomics(params, n_jobs=2).encode(*lesion).values) == 14


def test_a_lesion_over_the_ceiling_is_refused_with_an_estimate(lesion):
    message = (
        r"P001_mask.* on image .*P001_image.* 23,040 voxels would take about .*GiB"
    )
    with pytest.raises(InvalidInput, match=message):
        Radiomics(SEVERAL, memory_gib=0.0001).encode(*lesion)
    fine = {**SEVERAL, "setting": {"binWidth": 25, "resampledPixelSpacing": [0.1] * 3}}
    with pytest.raises(InvalidInput, match=r"P001.*voxels to filter would take about"):
        Radiomics(fine, memory_gib=1).encode(*lesion)


MEASURE = """
import re, sys
from pathlib import Path
from sarcfeat.encoders import Radiomics

def peak():
    # ru_maxrss would hold the peak of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

params = {"imageType": {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0]}},
          "setting": {"binWidth": 25}, "featureClass": {"firstorder": []}}
encoder = Radiomics(params, memory_gib=float(sys.argv[5]))
encoder.encode(*sys.argv[1:3])  # loads the libraries
before = peak()
encoder.encode(*sys.argv[3:5])
print((peak() - before) / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_ceiling_holds_on_a_large_volume(lesion, tmp_path):
    """52 million voxels: uncropped wavelets would take 5 GiB; the ceiling is 1."""
    shape = (400, 360, 360)
    rng = np.random.default_rng(0)
    mask = np.zeros(shape, "uint8")
    mask[195:205, 170:190, 170:190] = 1
    image = rng.integers(-1000, 1000, shape, dtype="int16")
    files = (
        write(tmp_path / "image.nrrd", image, spacing=(1.0, 1.0, 1.0)),
        write(tmp_path / "mask.nrrd", mask, spacing=(1.0, 1.0, 1.0)),
    )
    asked = [sys.executable, "-c", MEASURE, *map(str, (*lesion, *files)), "1"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 1
