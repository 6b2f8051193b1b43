"""Radiomics: shape, intensity and texture of a lesion, by pyradiomics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from os import PathLike
from typing import Any

import numpy as np

from sarcfeat._validation import listed
from sarcfeat.encoders.catalogue import describe, filtered_names
from sarcfeat.encoders.encoded import Encoded
from sarcfeat.encoders.extraction import (
    PACKAGE,
    Job,
    check_libraries,
    cropped,
    extract,
)
from sarcfeat.encoders.identity import check_name, code_hash, package_version
from sarcfeat.encoders.lifex import LIFEX
from sarcfeat.encoders.memory import check_filtering, check_reading
from sarcfeat.encoders.parameter_files import Files, Source, load_chain
from sarcfeat.encoders.prepared import level_settings, prepare
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.encoders.region import (
    TOLERANCE,
    Region,
    check_finite,
    check_levels,
    check_size,
    check_varies,
    read_region,
)
from sarcfeat.exceptions import InvalidInput

__all__ = ["Radiomics"]

# The files whose text decides a value; their hash is part of the fingerprint.
_CODE = (
    "crop.py",
    "extraction.py",
    "geometry_steps.py",
    "intensity_steps.py",
    "landmarks.py",
    "lbp3d.py",
    "level_steps.py",
    "lifex.py",
    "parameters.py",
    "prepared.py",
    "preprocess.py",
    "radiomics.py",
    "region.py",
)

BIN_WIDTH = 25.0  # pyradiomics' own default

# First-order features that voxelArrayShift moves away from the IBSI's definition.
_SHIFTED = ("Energy", "RootMeanSquared")


class Radiomics:
    """Radiomic features of a lesion: its shape, its intensities and its texture.

    Parameters
    ----------
    params : path, str, dict or None
        A pyradiomics parameter file (YAML), the name of a shipped one (``demo.yaml``,
        ``mri.yaml``, ``pet.yaml``, ``all_filters.yaml``; of the published systems
        ``dlr_nomogram.yaml``, ``gradient_blending.yaml``, ``radiotranscriptomics.yaml``
        and ``roinet.yaml``), or a dict of the same layout. Default: ``mri.yaml``.
    name : str
        Name of the feature set, the first part of its address ``radiomics.t1``.
    label : int
        Which number in the mask is the lesion, unless :meth:`encode` is told.
    crop : bool
        Cut the image to the lesion and what the filters need around it before
        filtering. Faster on large images; the features are the same.
    preprocess : Preprocess or its spec, optional
        What is done to image and mask first, in place of the parameters' own
        ``preprocess``. Its last Resegment, BinWidth and BinCount are handed to
        pyradiomics, which discretises every filtered image anew.
    files : dict, optional
        ``{"reference": path}`` or ``{"landmarks": path}`` for steps that name no file.
    n_jobs : int
        Workers for the filters of one lesion. For a cohort leave it at 1 and give the
        workers to ``store.encode``, which shares out the lesions.
    memory_gib : float, optional
        Most memory that one lesion may take beyond the program itself, in GiB; one
        that would take more is refused before anything is read.

    Attributes
    ----------
    params : dict
        The parameters in canonical form: equal requests are equal dicts, whatever
        the order of their keys.
    feature_names : list of str
        Names of the features, known before anything is computed. Every extraction is
        held against it, because pyradiomics leaves a feature out in silence when a
        filter cannot run.

    Notes
    -----
    The numbers are those of pyradiomics [1]_ through ``pyradiomics-cuda``. Where they
    follow the Image Biomarker Standardisation Initiative [2]_, :meth:`describe_feature`
    gives the identifier.

    References
    ----------
    .. [1] van Griethuysen JJM et al. Computational radiomics system to decode the
       radiographic phenotype. Cancer Res 2017;77:e104-e107.
    .. [2] Zwanenburg A et al. The Image Biomarker Standardization Initiative.
       Radiology 2020;295:328-338.

    Examples
    --------
    >>> encoder = Radiomics("demo.yaml")
    >>> len(encoder.feature_names)
    293
    >>> encoder.feature_names[0]
    'original_shape_Elongation'
    >>> encoder.describe_feature("original_glcm_Contrast")["ibsi"]
    'ACUI'
    """

    def __init__(
        self,
        params: Source = None,
        *,
        name: str = "radiomics",
        label: int = 1,
        crop: bool = True,
        preprocess: Preprocess | list | None = None,
        files: Files | None = None,
        n_jobs: int = 1,
        memory_gib: float | None = None,
    ) -> None:
        check_name(name)
        self.n_jobs = n_jobs
        self.memory_gib = memory_gib
        self.name = name
        self.label = label
        self.crop = crop
        self._params, chain = load_chain(params, preprocess=preprocess, given=files)
        self._chain, self._levels = chain.before_levels()
        self._own = LIFEX.get(self._params.get("featureSet"))
        self._names = self._own.names if self._own else filtered_names(self._params)

    def __repr__(self) -> str:
        return f"<Radiomics {self.name!r}: {len(self._names)} features>"

    @property
    def params(self) -> dict[str, Any]:
        """The parameters in canonical form (a copy)."""
        return deepcopy(self._params)

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in the order of the values."""
        return list(self._names)

    @property
    def version(self) -> str:
        """Libraries whose change could change a value.

        SimpleITK filters and resamples; its bug-fix releases are taken as harmless, so
        that they do not ask for every lesion to be encoded again.
        """
        itk = ".".join(package_version("SimpleITK").split(".")[:2])
        return f"{PACKAGE} {package_version(PACKAGE)}, SimpleITK {itk}"

    def fingerprint(self) -> dict[str, Any]:
        """Say in plain JSON types what decides the values.

        Two encoders with equal fingerprints give equal numbers. `label` is not in it
        (it belongs to the mask), nor are `crop`, `n_jobs` and `memory_gib` (they do
        not change a value).

        Returns
        -------
        dict
            ``name``, ``version``, ``params``, ``weights_sha256`` (None: nothing is
            learned) and ``code`` (sha256 of the encoder's own source).
        """
        return {
            "name": self.name,
            "version": self.version,
            "params": self.params,
            "weights_sha256": None,
            "code": code_hash(_CODE),
        }

    def describe_feature(self, name: str) -> dict[str, str | None]:
        """Say what a feature is.

        Parameters
        ----------
        name : str
            A feature name, with or without its feature set in front.

        Returns
        -------
        dict
            ``image_filter``, ``family``, ``ibsi`` and ``unit``; see the Notes above.
        """
        if self._own is not None:
            return self._own.describe(name)
        found = describe(name)
        shifted = self._params["setting"].get("voxelArrayShift", 0) != 0
        if shifted and name.endswith(tuple(f"firstorder_{f}" for f in _SHIFTED)):
            found["ibsi"] = None
        return found

    def encode(
        self,
        image_path: str | PathLike[str],
        mask_path: str | PathLike[str],
        *,
        label: int | None = None,
    ) -> Encoded:
        """Compute the features of one lesion on one image.

        Parameters
        ----------
        image_path, mask_path : str or path
            NIfTI, NRRD or MetaImage files on one grid.
        label : int, optional
            Which number in the mask is the lesion; default `self.label`.

        Returns
        -------
        Encoded
            Names, values and what a reader of the numbers should know.

        Raises
        ------
        InputMissing, InputEmpty, InputCorrupt, InvalidInput
            A file is not there, has no bytes, is cut off, or is not a 3-D image.
        GeometryMismatch
            The mask lies on another grid than the image.
        EmptyROI, LabelMissing, ROITooSmall
            There is no lesion, or too little of it for the features asked for.
        NonFiniteVoxels
            The lesion holds NaN or infinity.
        MissingDependency
            pyradiomics, or a library that a filter needs, is not installed.
        """
        check_libraries(self._params["imageType"])
        setting = self._params["setting"]
        if self.memory_gib is not None:
            check_reading(image_path, mask_path, self.memory_gib)
        region = read_region(
            image_path,
            mask_path,
            label=self.label if label is None else label,
            tolerance=setting.get("geometryTolerance", TOLERANCE),
            resample_mask=setting.get("correctMask", False),
        )
        check_finite(region, needs_surroundings=self._needs_surroundings())
        if self._chain:
            region = prepare(region, self._chain)
        levels = level_settings(self._levels, region)
        self._check(region, levels)
        found, said = self._extract(region, levels)
        if self._own is not None:
            found = self._own.derive(found, region)
        self._check_complete(found, region, said)
        values = np.array([float(found[name]) for name in self._names])
        undefined = [
            n for n, v in zip(self._names, values, strict=True) if not np.isfinite(v)
        ]
        if undefined:
            said.append(f"{len(undefined)} features undefined: {listed(undefined)}.")
        return Encoded(self.feature_names, values, [*region.warnings, *said])

    def _extract(
        self, region: Region, levels: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        setting = {**self._params["setting"], **levels}
        image, mask = region.image, region.mask
        if self.crop:
            image, mask, setting = cropped(self._params, setting, region)
        if self.memory_gib is not None:
            check_filtering(self._params, image, region.what, self.memory_gib)
        jobs = [
            Job(
                prefix,
                self._params["imageType"],
                families,
                {**setting, **more},
                self._dimensions(),
            )
            for prefix, families, more in self._runs()
        ]
        return extract(jobs, image, mask, region.what, n_jobs=self.n_jobs)

    def _runs(self) -> Iterator[tuple[str, Mapping[str, Any], dict[str, Any]]]:
        """Give what pyradiomics is asked for: prefix, families, settings."""
        if self._own is None:
            yield "", self._params["featureClass"], {}
        else:
            yield from self._own.runs(self._params["setting"])

    def _check(self, region: Region, levels: Mapping[str, Any]) -> None:
        setting = self._params["setting"]
        check_size(
            region,
            dimensions=self._dimensions(),
            fewest=setting.get("minimumROISize"),
        )
        check_varies(region)
        width = self._original_bin_width(levels)
        if width is not None:
            scale = setting.get("normalizeScale", 1.0)
            normalised = setting.get("normalize", False)
            check_levels(region, width=width, scale=scale if normalised else None)

    def _original_bin_width(self, levels: Mapping[str, Any]) -> float | None:
        """Return the bin width of the unfiltered image; None where none counts."""
        image_type = self._params["imageType"]
        families = self._params["featureClass"]
        texture = self._own or any(not f.startswith("shape") for f in families)
        own = image_type.get("Original", {})
        merged = {**self._params["setting"], **levels, **own}
        if not texture or "Original" not in image_type or "binCount" in merged:
            return None
        return float(merged.get("binWidth", BIN_WIDTH))

    def _dimensions(self) -> int:
        setting = self._params["setting"]
        flat = 2 if setting.get("force2D", False) else 3
        return int(setting.get("minimumROIDimensions", flat))

    def _needs_surroundings(self) -> bool:
        setting = self._params["setting"]
        return (
            set(self._params["imageType"]) != {"Original"}
            or setting.get("normalize", False)
            or "resampledPixelSpacing" in setting
            or bool(self._chain)
        )

    def _check_complete(
        self, found: Mapping[str, Any], region: Region, said: list[str]
    ) -> None:
        missing = [name for name in self._names if name not in found]
        if missing:
            raise InvalidInput(
                f"{region.what}: {len(missing)} of {len(self._names)} features were "
                f"left out in silence: {listed(missing)}. "
                f"{' '.join(said) or 'pyradiomics gave no reason.'} "
                "Remove the filter or family, or use larger lesions."
            )
