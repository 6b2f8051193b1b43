"""The full filter set on the MR volumes of the soft-tissue sarcomas.

Ours is the whole way: a store, its checks, hashes and commits, on two workers. The
peers are pyradiomics in a loop, in joblib on two workers, and MIRP where it is
installed: set ``MIRP_PYTHON`` to the interpreter of an environment that has it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from benchmarks.table import row
from sarcfeat.encoders import Radiomics
from sarcfeat.encoders.lbp3d import provide_sph_harm
from sarcfeat.store import FeatureStore

WORKERS = 2
PARAMS = "all_filters.yaml"
# Families that MIRP and pyradiomics both have, on the image without a filter.
SHARED = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm", "shape")


def cases(quick: bool) -> list[tuple[str, Path, Path]]:
    """Return patient, image and mask of the MR volumes; none where they are not."""
    root = Path(os.environ.get("SARCFEAT_DATA", "../shared/data")) / "images" / "sts"
    found = [
        (image.parent.name, image, image.with_name("MR_T1_mask.nii.gz"))
        for image in sorted(root.glob("*/MR_T1_image.nii.gz"))
    ]
    found.sort(key=lambda case: case[1].stat().st_size)
    return found[:3] if quick else found


def plain(params: dict[str, Any], image: Path, mask: Path) -> int:
    """Extract with pyradiomics alone, as its examples do."""
    import logging

    from radiomics.featureextractor import RadiomicsFeatureExtractor

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    # Said once a slice; on the screen it would cost the peer time.
    warnings.filterwarnings("ignore", message="Applying `local_binary_pattern`")
    extractor = RadiomicsFeatureExtractor(**params["setting"], additionalInfo=False)
    extractor.enabledImagetypes = {k: dict(v) for k, v in params["imageType"].items()}
    extractor.enabledFeatures = {k: list(v) for k, v in params["featureClass"].items()}
    # Without it, pyradiomics leaves LBP3D out and would do less work than we do.
    with provide_sph_harm():
        found = extractor.execute(str(image), str(mask))
    return len(found)


def ours(params: dict[str, Any], todo: list[tuple[str, Path, Path]]) -> float:
    """Encode into an empty store; return the seconds that ``encode`` takes."""
    with tempfile.TemporaryDirectory() as made, FeatureStore(Path(made)) as store:
        names = pd.Index([patient for patient, *_ in todo], name="patient")
        store.add_patients(pd.DataFrame({"site": "A"}, index=names))
        manifest = pd.DataFrame(
            {
                "patient": names,
                "sequence": "T1",
                "path": [str(image) for _, image, _ in todo],
            }
        )
        masks = manifest.assign(
            path=[str(mask) for *_, mask in todo], reader="A", session=1
        )
        store.add_images(manifest, progress=False)
        store.add_masks(masks, progress=False)
        start = time.perf_counter()
        report = store.encode(Radiomics(params), n_jobs=WORKERS, progress=False)
        seconds = time.perf_counter() - start
        if report.failed:
            raise SystemExit(str(report))
    return seconds


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rows(quick: bool) -> list[dict[str, Any]]:
    """Time ours and the peers one after the other."""
    todo = cases(quick)
    if not todo:
        return [row("full filter set", None, note="the STS volumes are not here")]
    params = Radiomics(PARAMS).params
    pairs = [(image, mask) for _, image, mask in todo]
    # Both ways start with warm workers and warm files: what is timed is the work.
    warm = joblib.Parallel(n_jobs=WORKERS)
    warm(joblib.delayed(plain)(params, *pairs[0]) for _ in range(WORKERS))
    plain(params, *pairs[0])
    ours(params, todo[:WORKERS])
    loop = timed(lambda: [plain(params, *pair) for pair in pairs])
    bare = timed(
        lambda: joblib.Parallel(n_jobs=WORKERS)(
            joblib.delayed(_one_thread)(params, *pair) for pair in pairs
        )
    )
    mine = ours(params, todo)
    many = f"{len(todo)} volumes × {len(Radiomics(PARAMS).feature_names)} features"
    note = "store, checks, hashes and commits included; every side's workers are warm"
    return [
        row(
            f"{many}, {WORKERS} workers beside a plain loop",
            mine,
            peer=loop,
            peer_name="pyradiomics loop",
            ratio=loop / mine,
            target=1.8,
            unit="s",
            note=note,
        ),
        row(
            f"{many}, {WORKERS} workers beside bare joblib",
            mine,
            peer=bare,
            peer_name=f"joblib over pyradiomics, {WORKERS} workers",
            ratio=bare / mine,
            target=0.95,
            unit="s",
            note=note,
        ),
        _beside_mirp(pairs),
    ]


def _one_thread(params: dict[str, Any], image: Path, mask: Path) -> int:
    """Extract in a worker that keeps to one core, as ours do."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return plain(params, image, mask)


MIRP = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from mirp import extract_features
pairs = json.loads(sys.stdin.read())
start = time.perf_counter()
for image, mask in pairs:
    extract_features(
        image=image, mask=mask, base_discretisation_method="fixed_bin_number",
        base_discretisation_n_bins=32, new_spacing=2.0,
        base_feature_families=[
            "morphology", "statistics", "glcm", "glrlm", "glszm", "ngldm", "ngtdm",
        ],
    )
print(time.perf_counter() - start)
"""


def _beside_mirp(pairs: list[tuple[Path, Path]]) -> dict[str, Any]:
    """Time MIRP in its own environment for the families that both have."""
    name = f"{len(pairs)} volumes, {len(SHARED)} families without filters, one core"
    setting = {"resampledPixelSpacing": [2, 2, 2], "binCount": 32}
    encoder = Radiomics(
        {"setting": setting, "featureClass": {family: [] for family in SHARED}}
    )
    mine = timed(lambda: [encoder.encode(*pair) for pair in pairs])
    python = os.environ.get("MIRP_PYTHON")
    if python is None:
        return row(name, mine, unit="s", note="MIRP is not installed (MIRP_PYTHON)")
    asked = json.dumps([[str(p) for p in pair] for pair in pairs])
    done = subprocess.run(
        [python, "-c", MIRP], input=asked, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return row(name, mine, unit="s", note=f"MIRP failed: {said[0][:200]}")
    theirs = float(done.stdout.strip().splitlines()[-1])
    return row(
        name,
        mine,
        peer=theirs,
        peer_name="MIRP",
        ratio=theirs / mine,
        unit="s",
        note="the families that both have; each in its own definitions",
    )
