"""The IBSI's first chapter: feature values of the digital and the CT phantom."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK

from benchmarks.ibsi_tags import AGGREGATIONS, canonical_tag, offered
from sarcfeat.encoders import Preprocess, Radiomics
from sarcfeat.exceptions import InputMissing, InvalidInput, SarcfeatError

# The configurations of the reference manual (chapter 5, table 5.1). A and B work slice
# by slice, C to E in the volume.
_RESAMPLE_2 = {"Resample": {"spacing_mm": [2, 2, 2], "mask": "linear"}}
CONFIGURATIONS: dict[str, list[Any]] = {
    "digital": [{"BinWidth": {"width": 1}}],
    "A": [{"Resegment": {"range": [-500, 400]}}, {"BinWidth": {"width": 25}}],
    "B": [
        {"Resample": {"spacing_mm": [2, 2, 0], "mask": "linear"}},
        "Round",
        {"Resegment": {"range": [-500, 400]}},
        {"BinCount": {"count": 32}},
    ],
    "C": [
        _RESAMPLE_2,
        "Round",
        {"Resegment": {"range": [-1000, 400]}},
        {"BinWidth": {"width": 25}},
    ],
    "D": [
        _RESAMPLE_2,
        "Round",
        {"Resegment": {"sigma": 3}},
        {"BinCount": {"count": 32}},
    ],
    "E": [
        {"Resample": {"spacing_mm": [2, 2, 2], "image": "bspline", "mask": "linear"}},
        "Round",
        {"Resegment": {"range": [-1000, 400], "sigma": 3}},
        {"BinCount": {"count": 32}},
    ],
}

FAMILIES: dict[str, Any] = {
    "shape": [
        "Compactness1",
        "Compactness2",
        "Elongation",
        "Flatness",
        "LeastAxisLength",
        "MajorAxisLength",
        "Maximum3DDiameter",
        "MeshVolume",
        "MinorAxisLength",
        "SphericalDisproportion",
        "Sphericity",
        "SurfaceArea",
        "SurfaceVolumeRatio",
        "VoxelVolume",
    ],
    "firstorder": [],
    "glcm": [],
    "glrlm": [],
    "glszm": [],
    "gldm": [],
    "ngtdm": [],
}


@dataclass(frozen=True)
class Case:
    """One table of reference values with the phantom it belongs to."""

    configuration: str
    table: Path
    image: Path
    mask: Path


@dataclass(frozen=True)
class Row:
    """One value beside its reference."""

    case: str
    tag: str
    feature: str | None
    ours: float | None
    reference: float
    tolerance: float
    verdict: str  # agree, by design, wrong, not offered
    reason: str = ""


def rounded(value: float, digits: int = 3) -> float:
    """Round to significant digits, as the reference values are printed.

    >>> rounded(0.0411499), rounded(592.4)
    (0.0411, 592.0)
    """
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def agrees(value: float, reference: float, tolerance: float) -> bool:
    """Say whether a value, printed as the reference is, lies in the tolerance."""
    near = abs(rounded(value) - reference) <= tolerance + 1e-9 * abs(reference)
    return near or abs(value - reference) <= tolerance


def find_cases(folder: Path) -> list[Case]:
    """Find every table of reference values below a folder, and its phantom."""
    cases = []
    for table in sorted(folder.rglob("*.csv")):
        text = table.read_text(encoding="utf-8-sig", errors="replace")[:200].lower()
        if "reference" not in text or "tag" not in text:
            continue
        configuration = _configuration(table.stem)
        try:
            image, mask = _phantom(table, configuration, folder)
        except InputMissing as error:
            print(f"{table}: left out. {error}")
            continue
        cases.append(Case(configuration, table, image, mask))
    return cases


def _configuration(stem: str) -> str:
    found = re.search(r"(?:config(?:uration)?[_\- ]?|[_\-])([a-e])$", stem.lower())
    return found.group(1).upper() if found else "digital"


def _phantom(table: Path, configuration: str, root: Path) -> tuple[Path, Path]:
    """Return image and mask: beside the table, below it, or below a sibling folder."""
    digital = configuration == "digital"
    places = [table.parent, *sorted(p for p in root.rglob("*") if p.is_dir()), root]
    for place in places:
        if place != table.parent and not _same_phantom(place, digital):
            continue
        volumes = [
            p
            for p in sorted(place.rglob("*"))
            if p.name.endswith((".nii", ".nii.gz", ".nrrd", ".mha"))
        ]
        masks = [p for p in volumes if "mask" in p.name.lower()]
        images = [p for p in volumes if p not in masks]
        if len(masks) == 1 and len(images) == 1:
            return images[0], masks[0]
    raise InputMissing(
        f"No image and mask of the {'digital' if digital else 'CT'} phantom beside it "
        f"or elsewhere below {root}. Expected image.nii.gz and mask.nii.gz."
    )


def _same_phantom(place: Path, digital: bool) -> bool:
    name = place.name.lower()
    if "ibsi" in name and ("ibsi2" in name or "ibsi_2" in name):
        return False
    return ("dig" in name) if digital else bool(re.search(r"ct|chest|pat1|lung", name))


def read_table(path: Path) -> pd.DataFrame:
    """Return tag, reference value and tolerance; rows without a value left out."""
    head = path.read_text(encoding="utf-8-sig").splitlines()[0]
    frame = pd.read_csv(path, sep=";" if ";" in head else ",", encoding="utf-8-sig")
    frame.columns = [str(c).strip().lower().replace("_", " ") for c in frame.columns]
    names = {}
    for wanted, pattern in (("value", "value"), ("tolerance", "tol"), ("tag", "tag")):
        hits = [c for c in frame.columns if pattern in c]
        if not hits:
            raise InvalidInput(
                f"{path} has the columns {list(frame.columns)}; expected reference "
                "value, tolerance and tag."
            )
        names[hits[0]] = wanted
    frame = frame.rename(columns=names)[["tag", "value", "tolerance"]]
    frame["value"] = pd.to_numeric(frame["value"], errors="coerce")
    frame["tolerance"] = pd.to_numeric(frame["tolerance"], errors="coerce").fillna(0.0)
    frame = frame.dropna(subset=["value"])
    frame["tag"] = [canonical_tag(tag) for tag in frame["tag"]]
    return frame


def compare(case: Case, *, quick: bool = False) -> list[Row]:
    """Compute a case's features and hold each against the table."""
    table = read_table(case.table)
    known = offered()
    wanted = [known[tag][0] for tag in table["tag"] if tag in known]
    ways = [way for way in AGGREGATIONS if way in wanted]
    if case.configuration != "digital":
        ways = [w for w in ways if w.startswith("2") == (case.configuration in "AB")]
    elif quick:
        ways = [w for w in ways if w.startswith("3")]
    with tempfile.TemporaryDirectory() as made:
        measured = _Measured(case, Path(made), ways)
        rows = [
            _judge(case, tag, value, tolerance, measured, known)
            for tag, value, tolerance in table.itertuples(index=False, name=None)
        ]
    return [row for row in rows if row is not None]


class _Measured:
    """The values of one case, computed once for each way to aggregate."""

    def __init__(self, case: Case, folder: Path, ways: list[str]) -> None:
        self.chain = Preprocess.from_spec(CONFIGURATIONS[case.configuration])
        before, self.levels = self.chain.before_levels()
        # As the manual has it: whole numbers of Hounsfield before anything is done.
        image = SimpleITK.ReadImage(str(case.image), SimpleITK.sitkFloat64)
        mask = SimpleITK.ReadImage(str(case.mask))
        self.raw = Preprocess().apply(image, mask)
        self.ready = before.apply(image, mask)
        self.files = (folder / "image.nrrd", folder / "mask.nrrd")
        for volume, file in zip(self.ready, self.files, strict=True):
            SimpleITK.WriteImage(volume, str(file))
        self.ways = ways
        self.values = {"": self._encode({}, ["shape", "firstorder"])}
        for way in ways:
            if way not in ("3d", "2_5d"):
                found = self._encode(AGGREGATIONS[way], ["glcm", "glrlm"])
            else:
                found = self._encode(AGGREGATIONS[way], ["glszm", "gldm", "ngtdm"])
            self.values[way] = found
        self._from_bound: dict[str, dict[str, float]] = {}

    def _encode(self, setting: Any, families: list[str]) -> dict[str, float]:
        asked = {family: FAMILIES[family] for family in families}
        params = {"setting": setting, "featureClass": asked}
        encoder = Radiomics(params, preprocess=Preprocess(self.levels))
        return dict(encoder.encode(*self.files).to_series())

    def voxels(self) -> int:
        """Return how many voxels the lesion has when it is ready."""
        return int(SimpleITK.GetArrayViewFromImage(self.ready[1]).sum())

    def from_bound(self, way: str) -> dict[str, float]:
        """Return the values with levels counted from the re-segmentation's bound."""
        low = next((s.range[0] for s in self.levels if getattr(s, "range", None)), None)
        bins = any(hasattr(step, "width") for step in self.levels)
        if low is None or not bins or not way:
            return {}
        if way not in self._from_bound:
            families = (
                ["glcm", "glrlm"]
                if way not in ("3d", "2_5d")
                else ["glszm", "gldm", "ngtdm"]
            )
            with _bins_from(low):
                self._from_bound[way] = self._encode(AGGREGATIONS[way], families)
        return self._from_bound[way]

    def diagnostic(self, tag: str) -> float | None:
        """Return what a tag says of the image or the masks at a stage."""
        found = re.fullmatch(
            r"(img_dim|vox_dim|mean_int|min_int|max_int)(?:_([xyz]))?_(init|interp)_img",
            tag,
        )
        if found:
            return _of_image(
                self.raw if found[3] == "init" else self.ready, *found.groups()[:2]
            )
        found = re.fullmatch(
            r"(int|morph)_mask_(dim|bb_dim|vox_count|mean_int|min_int|max_int)"
            r"(?:_([xyz]))?_(init|interp|reseg)_roi",
            tag,
        )
        if not found:
            return None
        image, mask = self.raw if found[4] == "init" else self.ready
        if found[4] == "reseg" and found[1] == "int":
            for step in self.levels:
                if hasattr(step, "sigma"):
                    image, mask = step.apply(image, mask)
        return _of_mask(image, mask, found[2], found[3])


@contextmanager
def _bins_from(bound: float) -> Iterator[None]:
    """Let pyradiomics' fixed-width bins start at a bound, as the IBSI's do."""
    from radiomics import imageoperations

    theirs = imageoperations.getBinEdges

    def edges(values: Any, **settings: Any) -> Any:
        width = settings.get("binWidth", 25)
        return np.arange(bound, max(values) + 2 * width, width)

    imageoperations.getBinEdges = edges
    try:
        yield
    finally:
        imageoperations.getBinEdges = theirs


def _of_image(stage: Any, what: str, axis: str | None) -> float | None:
    image = stage[0]
    if what in ("img_dim", "vox_dim"):
        sizes = image.GetSize() if what == "img_dim" else image.GetSpacing()
        return float(sizes["xyz".index(axis)]) if axis else None
    voxels = SimpleITK.GetArrayViewFromImage(image)
    return float({"mean": np.mean, "min": np.min, "max": np.max}[what[:-4]](voxels))


def _of_mask(image: Any, mask: Any, what: str, axis: str | None) -> float | None:
    inside = SimpleITK.GetArrayViewFromImage(mask) > 0
    if what == "dim":
        return float(mask.GetSize()["xyz".index(axis)]) if axis else None
    if what == "bb_dim":
        if axis is None:
            return None
        others = tuple(a for a in range(3) if a != 2 - "xyz".index(axis))
        held = np.flatnonzero(inside.any(axis=others))
        return float(held[-1] - held[0] + 1)
    if what == "vox_count":
        return float(inside.sum())
    voxels = SimpleITK.GetArrayViewFromImage(image)[inside]
    return float({"mean": np.mean, "min": np.min, "max": np.max}[what[:-4]](voxels))


def _judge(
    case: Case,
    tag: str,
    value: float,
    tolerance: float,
    measured: _Measured,
    known: dict[str, tuple[str, str]],
) -> Row | None:
    name = case.configuration
    if tag not in known:
        ours = measured.diagnostic(tag)
        if ours is None:
            return Row(name, tag, None, None, value, tolerance, "not offered")
        good = agrees(ours, value, tolerance)
        said = "agree" if good else "wrong"
        return Row(name, tag, "preprocessing", ours, value, tolerance, said)
    way, feature = known[tag]
    if way not in measured.values:
        return (
            None
            if name != "digital"
            else Row(
                name,
                tag,
                feature,
                None,
                value,
                tolerance,
                "not offered",
                "not asked for",
            )
        )
    ours = measured.values[way][feature]
    if agrees(ours, value, tolerance):
        return Row(name, tag, feature, ours, value, tolerance, "agree")
    for reason, corrected in _explanations(tag, way, feature, ours, measured):
        if agrees(corrected, value, tolerance):
            return Row(name, tag, feature, ours, value, tolerance, "by design", reason)
    return Row(name, tag, feature, ours, value, tolerance, "wrong")


def _explanations(
    tag: str, way: str, feature: str, ours: float, measured: _Measured
) -> Iterator[tuple[str, float]]:
    """Give every known difference of definition with the value it would make.

    A reason counts only where the value so corrected agrees.
    """
    if feature.endswith("firstorder_Kurtosis"):
        yield "pyradiomics does not subtract 3", ours - 3
    if feature.endswith("AxisLength"):
        n = measured.voxels()
        yield (
            "pyradiomics' covariance of the voxels divides by n, the reference's by "
            "n - 1",
            ours * math.sqrt(n / (n - 1)),
        )
    try:
        moved = measured.from_bound(way)
    except SarcfeatError as error:
        print(f"{tag}: not computed from the bound: {error}")
        return
    if feature in moved:
        yield (
            "grey levels count from the lesion's own lowest, not from the "
            "re-segmentation's bound",
            moved[feature],
        )
