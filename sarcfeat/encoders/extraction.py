"""pyradiomics asked for features: in one go, or filter by filter in several workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import joblib

from sarcfeat._validation import missing_dependency
from sarcfeat.encoders.crop import crop, margin
from sarcfeat.encoders.identity import check_library
from sarcfeat.encoders.lbp3d import provide_sph_harm
from sarcfeat.encoders.quiet import quiet
from sarcfeat.encoders.region import Region
from sarcfeat.exceptions import InvalidInput, ROITooSmall

__all__ = ["PACKAGE", "Job", "check_libraries", "cropped", "extract"]

PACKAGE = "pyradiomics-cuda"

# Settings that this package handles itself; pyradiomics would set them globally or
# differently.
_OURS = ("correctMask", "geometryTolerance", "minimumROIDimensions", "minimumROISize")

# What an optional filter needs beyond pyradiomics' own requirements.
_FILTER_LIBRARIES = {"LBP2D": ("skimage", "scikit-image"), "LBP3D": ("trimesh",) * 2}


@dataclass(frozen=True)
class Job:
    """One call of pyradiomics: which images, which features, which settings."""

    prefix: str
    image_types: Mapping[str, Any]
    families: Mapping[str, Sequence[str]]
    setting: Mapping[str, Any]
    dimensions: int

    def split(self) -> Iterator[Job]:
        """Give a job a filter; shape, which has no filter, goes with the first."""
        families = dict(self.families)
        for image_type, own in self.image_types.items():
            if families:
                yield replace(self, image_types={image_type: own}, families=families)
            families = {k: v for k, v in families.items() if not k.startswith("shape")}


def check_libraries(image_types: Mapping[str, Any]) -> None:
    """Refuse to start without pyradiomics or what a filter needs."""
    check_library("radiomics", PACKAGE)
    for image_type in image_types:
        check_library(*_FILTER_LIBRARIES.get(image_type, ("radiomics", PACKAGE)))


def cropped(
    params: Mapping[str, Any], setting: Mapping[str, Any], region: Region
) -> tuple[Any, Any, dict[str, Any]]:
    """Normalise over the whole image, then cut away what no filter needs.

    Returns
    -------
    (image, mask, setting)
        The setting without what was done here.
    """
    voxels = margin(params, region.image.GetSpacing())
    if voxels is None:
        return region.image, region.mask, dict(setting)
    if not setting.get("normalize", False):
        return *crop(region, voxels), dict(setting)
    from radiomics.imageoperations import normalizeImage

    with quiet("radiomics"):  # one thread: a sum over threads has other last bits
        image = normalizeImage(
            region.image,
            normalizeScale=setting.get("normalizeScale", 1),
            removeOutliers=setting.get("removeOutliers"),
        )
    whole = Region(image, region.mask, region.inside, region.what)
    left = {k: v for k, v in setting.items() if not k.startswith("normalize")}
    left.pop("removeOutliers", None)
    return *crop(whole, voxels), left


def extract(
    jobs: Sequence[Job], image: Any, mask: Any, what: str, *, n_jobs: int = 1
) -> tuple[dict[str, Any], list[str]]:
    """Return every feature by prefix and name, and what pyradiomics said.

    The values are the same bits for any number of workers.
    """
    if n_jobs != 1:
        jobs = [part for job in jobs for part in job.split()]
    results = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_run)(job, image, mask, what) for job in jobs
    )
    found: dict[str, Any] = {}
    said: list[str] = []
    for job, (values, notes) in zip(jobs, results, strict=True):
        found.update({f"{job.prefix}{name}": v for name, v in values.items()})
        said += [note for note in notes if note not in said]
    return found, said


def _run(job: Job, image: Any, mask: Any, what: str) -> tuple[dict, list[str]]:
    extractor = _extractor(job)
    try:
        with ExitStack() as stack:
            said = stack.enter_context(quiet("radiomics"))
            if "LBP3D" in job.image_types:
                stack.enter_context(provide_sph_harm())
            found = extractor.execute(image, mask, label=1)
    except (AssertionError, RuntimeError, ValueError) as error:
        # pyradiomics checks the lesion again after resampling and resegmentation, and
        # has one error class for everything.
        kind = ROITooSmall if _is_too_small(str(error)) else InvalidInput
        raise kind(
            f"{what}: {str(error).strip().rstrip('.')}. Check resampling, "
            "resegmentation and filters against the size of this lesion."
        ) from error
    return dict(found), said


def _extractor(job: Job) -> Any:
    try:
        from radiomics.featureextractor import RadiomicsFeatureExtractor
    except ImportError as error:
        raise missing_dependency(PACKAGE, "radiomics") from error
    setting = {key: value for key, value in job.setting.items() if key not in _OURS}
    with quiet("radiomics"):
        extractor = RadiomicsFeatureExtractor(
            **setting, additionalInfo=False, minimumROIDimensions=job.dimensions
        )
    extractor.enabledImagetypes = {k: dict(v) for k, v in job.image_types.items()}
    extractor.enabledFeatures = {k: list(v) for k, v in job.families.items()}
    return extractor


def _is_too_small(message: str) -> bool:
    signs = (
        "dimensions",
        "1 segmented voxel",
        "too small",
        "excluded too many",
        "not present in mask",
        "No labels found",
    )
    return any(sign in message for sign in signs)
