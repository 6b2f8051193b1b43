"""Preprocessing as one stated chain: what was done to an image, in order, in units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from os import PathLike, fspath
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import yaml

from sarcfeat._validation import pick
from sarcfeat.encoders.geometry_steps import (
    CropToROI,
    Parts,
    Resample,
    SliceSelect,
)
from sarcfeat.encoders.intensity_steps import (
    N4,
    HistogramMatch,
    Nyul,
    Range,
    Round,
    ZScore,
)
from sarcfeat.encoders.level_steps import BinCount, BinWidth, Resegment
from sarcfeat.encoders.quiet import quiet
from sarcfeat.exceptions import EmptyROI, InputMissing, InvalidInput, UnknownName
from sarcfeat.io import refuse_untrusted

__all__ = ["STEPS", "Preprocess", "Step"]

STEPS: Mapping[str, type] = MappingProxyType(
    {
        step.__name__: step
        for step in (
            BinCount,
            BinWidth,
            CropToROI,
            HistogramMatch,
            N4,
            Nyul,
            Parts,
            Range,
            Resample,
            Resegment,
            Round,
            SliceSelect,
            ZScore,
        )
    }
)

# Parameters that are files: their bytes decide, so their hash is in the spec.
_FILES = MappingProxyType({"HistogramMatch": "reference", "Nyul": "landmarks"})


class Step(Protocol):
    """One step: a dataclass of plain parameters."""

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return image and mask after the step."""
        ...


class Preprocess:
    """A chain of steps that prepares an image and its mask, the same for each patient.

    Parameters
    ----------
    steps : sequence of steps
        Step objects (``Resample``, ``N4``, ``HistogramMatch``, ``Nyul``, ``ZScore``,
        ``Range``, ``Round``, ``CropToROI``, ``Parts``, ``SliceSelect``, ``Resegment``,
        ``BinWidth``, ``BinCount``), done in this order.

    Attributes
    ----------
    spec : list of dict
        The chain in one canonical form of plain JSON types, every default written out
        and every file by its name and sha256. It goes into an encoder's fingerprint.

    Examples
    --------
    >>> chain = Preprocess.from_spec(
    ...     [{"Resample": {"spacing_mm": [1, 1, 4]}}, "ZScore"]
    ... )
    >>> chain.spec[0]
    {'Resample': {'image': 'linear', 'mask': 'nearest', 'spacing_mm': [1.0, 1.0, 4.0]}}
    >>> Preprocess.from_spec(chain.spec) == chain
    True
    >>> print(chain)
    Resample(image=linear, mask=nearest, spacing_mm=[1, 1, 4]) → ZScore(scale=1, \
within=image)
    """

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps = tuple(steps)
        for step in self.steps:
            if type(step) not in STEPS.values():
                raise InvalidInput(
                    f"{step!r} is no preprocessing step; expected one of "
                    f"{', '.join(STEPS)}."
                )

    @classmethod
    def from_spec(
        cls,
        spec: Any,
        *,
        folder: str | PathLike[str] | None = None,
        files: Mapping[str, str | PathLike[str]] | None = None,
    ) -> Preprocess:
        """Build the chain from a YAML file, its content, or another chain's `spec`.

        Parameters
        ----------
        spec : path, list, dict, Preprocess or None
            A list of steps, each a name or ``{name: {parameter: value}}``, a dict or a
            YAML file with that list under ``preprocess``, a chain (returned as it is)
            or None (no step).
        folder : path, optional
            Where relative file names are looked for; default the YAML file's folder,
            else the working folder.
        files : dict, optional
            ``{"reference": path}`` or ``{"landmarks": path}``: files for steps that
            name none of their own.

        Raises
        ------
        UnknownName, InvalidInput
            A step or parameter is unknown, or its value does not fit.
        InputMissing
            A reference or landmarks file is not there.
        """
        if isinstance(spec, cls):
            return spec
        if isinstance(spec, (str, PathLike)):
            spec, found = _read(spec)
            folder = found if folder is None else folder
        if isinstance(spec, Mapping):
            spec = spec["preprocess"] if set(spec) == {"preprocess"} else [spec]
        if spec is None:
            spec = []
        if not isinstance(spec, Sequence) or isinstance(spec, (str, bytes)):
            raise InvalidInput(
                f"preprocess holds {type(spec).__name__} {spec!r}; expected a list of "
                "steps, such as [{Resample: {spacing_mm: [1, 1, 1]}}, ZScore]."
            )
        where = Path.cwd() if folder is None else Path(folder)
        return cls(_step(item, where, files or {}) for item in spec)

    @property
    def spec(self) -> list[dict[str, Any]]:
        """The chain as plain JSON types (a copy)."""
        return [{type(step).__name__: _plain(step)} for step in self.steps]

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Prepare an image and its mask, one thread and the same bits each time.

        Parameters
        ----------
        image, mask : SimpleITK.Image
            On one grid; above 0 in the mask is the lesion. Neither is changed.

        Returns
        -------
        (image, mask) : SimpleITK.Image
            On one grid; the mask is unsigned 8-bit, 1 inside.

        Raises
        ------
        EmptyROI
            A step left nothing of the lesion.
        InvalidInput
            A step cannot be done on this image; the message names the step.
        """
        import SimpleITK

        if image.GetSize() != mask.GetSize():
            raise InvalidInput(
                f"The image has {image.GetSize()} voxels and the mask "
                f"{mask.GetSize()}; expected one grid."
            )
        for step in self.steps:
            if isinstance(step, HistogramMatch):
                step.check_named()  # before the minutes that N4 may take
        with quiet("sarcfeat.preprocess"):
            mask = SimpleITK.Cast(mask > 0, SimpleITK.sitkUInt8)
            for step in self.steps:
                try:
                    image, mask = step.apply(image, mask)
                except RuntimeError as error:
                    # SimpleITK has this one class for whatever a filter refuses.
                    reason = str(error).strip().splitlines()[-1].strip()
                    raise InvalidInput(f"{type(step).__name__}: {reason}.") from error
                if not SimpleITK.GetArrayViewFromImage(mask).any():
                    raise EmptyROI(
                        f"{type(step).__name__}: nothing is left of the lesion. Check "
                        "its size against the voxel size asked for."
                    )
        return image, mask

    def with_files(self, files: Mapping[str, str | PathLike[str]] | None) -> Preprocess:
        """Return the chain with files given to the steps that name none."""
        given, steps = files or {}, list(self.steps)
        for k, step in enumerate(steps):
            key = _FILES.get(type(step).__name__)
            if key in given and getattr(step, key) is None:
                steps[k] = replace(step, **{key: given[key]})
        return type(self)(steps)

    def before_levels(self) -> tuple[Preprocess, tuple[Step, ...]]:
        """Split off the last steps that only choose grey levels.

        An extractor that discretises by itself (pyradiomics: each filtered image anew,
        shape on the mask as drawn) takes Resegment, BinWidth and BinCount from here.

        Raises
        ------
        InvalidInput
            Another step comes after one of them.
        """
        levels = (BinCount, BinWidth, Resegment)
        first = next(
            (k for k, step in enumerate(self.steps) if isinstance(step, levels)),
            len(self.steps),
        )
        tail = self.steps[first:]
        for step in tail:
            if not isinstance(step, levels):
                raise InvalidInput(
                    f"{type(step).__name__} comes after "
                    f"{type(self.steps[first]).__name__}. Put Resegment, BinWidth and "
                    "BinCount last: grey levels are cut when the image is ready."
                )
        return type(self)(self.steps[:first]), tail

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Preprocess) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(str(self.spec))

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __repr__(self) -> str:
        return f"<Preprocess: {self}>"

    def __str__(self) -> str:
        return " → ".join(
            f"{name}({', '.join(f'{k}={_shown(v)}' for k, v in given.items())})"
            for item in self.spec
            for name, given in item.items()
        )


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return f"{value[:8]}…"  # a sha256 is for machines
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _read(source: str | PathLike[str]) -> tuple[Any, Path]:
    path = Path(fspath(source))
    if not path.is_file():
        raise InputMissing(f"No file {path} with preprocessing steps.")
    refuse_untrusted(path, "Give a YAML file with a list under `preprocess`.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} is not YAML: {error}.") from error
    if isinstance(content, Mapping):
        content = content.get("preprocess")
    return content, path.parent


def _step(item: Any, folder: Path, files: Mapping[str, Any]) -> Step:
    if isinstance(item, str):
        item = {item: None}
    if type(item) in STEPS.values():
        return item
    if not isinstance(item, Mapping) or len(item) != 1:
        raise InvalidInput(
            f"The preprocessing step {item!r} is not one name with its parameters, "
            "such as {Resample: {spacing_mm: [1, 1, 1]}}."
        )
    name, given = next(iter(item.items()))
    kind = STEPS[pick(name, STEPS, "preprocessing step")]
    if given is not None and not isinstance(given, Mapping):
        raise InvalidInput(
            f"{name}: {given!r} is no list of parameters with values, such as "
            "{spacing_mm: [1, 1, 1]}."
        )
    values = dict(given or {})
    known = [f.name for f in fields(kind) if not f.name.startswith("_")]
    for key in values:
        try:
            pick(key, known, f"parameter of {name}")
        except UnknownName as error:
            raise UnknownName(f"preprocess: {error}") from None
    _place_file(name, values, folder, files)
    try:
        return kind(**values)
    except TypeError as error:
        raise InvalidInput(f"preprocess: {name}: {error}.") from error


def _place_file(
    name: str, values: dict[str, Any], folder: Path, files: Mapping[str, Any]
) -> None:
    key = _FILES.get(name)
    if key is None:
        return
    if values.get(key) is None and key in files:
        values[key] = files[key]
    elif values.get(key) is not None:
        values[key] = folder / fspath(values[key])


def _plain(step: Any) -> dict[str, Any]:
    """Return a step's parameters as JSON types, sorted, defaults written out."""
    name = type(step).__name__
    kept = {k: v for k, v in asdict(step).items() if not k.startswith("_")}
    key = _FILES.get(name)
    if key is not None and kept[key] is not None:
        # A folder is this machine's; the bytes are what counts.
        kept[key] = Path(kept[key]).name
    return {k: _json(kept[k]) for k in sorted(kept)}


def _json(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_json(v) for v in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"  # JSON has no infinity
    return value
