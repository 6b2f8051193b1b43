"""What a cohort is: patients, outcomes and where their images lie.

A :class:`Cohort` holds tables only; images stay files on disk, named in a manifest.
Every loader of this stage returns one, and a feature store takes one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.datasets.layout import (
    PATTERNS,
    SESSION_PATTERN,
    SLIDE_PATTERN,
    write_tables,
)
from sarcfeat.datasets.slide_files import copy_slides, no_slides
from sarcfeat.exceptions import CohortError

__all__ = [
    "IMAGE_COLUMNS",
    "MASK_COLUMNS",
    "ROLES",
    "Cohort",
]

IMAGE_COLUMNS = ("patient", "sequence", "path")
MASK_COLUMNS = ("patient", "sequence", "reader", "session", "path")

ROLES: Mapping[str, str] = {
    "predictor": "known before treatment; offered to a model",
    "postoperative": "known only after surgery, such as the margin",
    "treatment": "chosen by the physicians in view of the prognosis",
    "description": "told in Table 1; not offered to a model",
    "identifier": "says who somebody is; never offered to a model",
    "date": "a calendar date, such as the index time",
    "outcome": "derived from what happened later; never offered to a model",
}


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients with what was known of them, what became of them and their images.

    Parameters
    ----------
    name : str
        Short name, such as ``"sts"``.
    patients : DataFrame indexed by patient id
        One row a patient: the hospital as text in ``site``, then the clinical
        variables.
    roles : dict of column to role
        What a column may be used for; see ``ROLES``. A column that is not listed
        and is not ``site`` is a predictor.
    units : dict of column to unit
        Such as ``{"age": "years", "size_mm": "mm"}``.
    outcomes : dict of endpoint to DataFrame indexed by patient id
        Columns ``time`` (days from the index time) and ``event`` (0 = follow-up
        ended, 1 = the event, 2 = a competing event such as death). A patient
        without follow-up for an endpoint has no row there.
    images : DataFrame with the columns patient, sequence, path
        Every image that exists, and those that a patient should have.
    masks : DataFrame with the columns patient, sequence, reader, session, path
        The same for the contours of the lesion.
    index_time : str, optional
        The column of `patients` with the date at which a prediction is made.
    required : tuple of str
        The sequences each patient should have. Their files are listed in `images`
        and `masks` even where they are missing, so that encoding can say which.
    dropped : DataFrame with the columns patient, reason
        Patients that were found and left out.
    notes : list of str
        What a reader of the results must know about these data.
    truth : DataFrame indexed by patient id, optional
        The true risk of simulated patients. Never a predictor.
    citation : str
        Source and licence.
    slides : DataFrame with the columns patient, slide, path
        Whole-slide images.
    annotations : DataFrame with the columns patient, slide, path
        Regions drawn on them.

    Examples
    --------
    >>> patients = pd.DataFrame(
    ...     {"site": ["H1", "H2"], "age": [61, 48]}, index=pd.Index(["P1", "P2"])
    ... )
    >>> mfs = pd.DataFrame({"time": [365.0, 90.0], "event": [0, 1]}, patients.index)
    >>> Cohort("example", patients, units={"age": "years"}, outcomes={"mfs": mfs})
    <Cohort 'example': 2 patients, 2 sites; mfs: 1 event; no images>
    """

    name: str
    patients: pd.DataFrame
    roles: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, pd.DataFrame] = field(default_factory=dict)
    images: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(IMAGE_COLUMNS))
    )
    masks: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(MASK_COLUMNS))
    )
    index_time: str | None = None
    required: tuple[str, ...] = ()
    dropped: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["patient", "reason"])
    )
    notes: list[str] = field(default_factory=list)
    truth: pd.DataFrame | None = None
    citation: str = ""
    slides: pd.DataFrame = field(default_factory=no_slides)
    annotations: pd.DataFrame = field(default_factory=no_slides)

    def __post_init__(self) -> None:
        """Refuse tables that do not fit together."""
        ids = self.patients.index
        if not ids.is_unique:
            twice = ids[ids.duplicated()].unique()
            raise CohortError(
                f"Cohort {self.name!r} lists {len(twice)} patients more than once: "
                f"{listed(twice)}. Keep one row a patient."
            )
        if "site" not in self.patients.columns:
            raise CohortError(
                f"Cohort {self.name!r} has no column 'site' (the hospital, as text)."
            )
        for column, role in self.roles.items():
            pick(column, self.patients.columns, f"column of cohort {self.name!r}")
            pick(role, ROLES, f"role (of column {column!r})")
        for endpoint, table in self.outcomes.items():
            strangers = table.index.difference(ids)
            if len(strangers):
                raise CohortError(
                    f"Endpoint {endpoint!r} of cohort {self.name!r} has patients that "
                    f"`patients` does not list: {listed(strangers)}."
                )

    @property
    def sites(self) -> list[str]:
        """The hospitals, sorted."""
        return sorted(self.patients["site"].unique())

    @property
    def readers(self) -> list[str]:
        """The readers who drew contours, sorted."""
        return sorted(self.masks["reader"].unique())

    @property
    def sequences(self) -> dict[str, int]:
        """How many patients have an image of each sequence on disk."""
        if self.images.empty:
            return {}
        there = self.images[[Path(path).is_file() for path in self.images["path"]]]
        counts = there.groupby("sequence")["patient"].nunique()
        return {str(name): int(count) for name, count in counts.items()}

    @property
    def predictors(self) -> list[str]:
        """The columns that may enter a model: role ``predictor`` or none given."""
        return [
            str(column)
            for column in self.patients.columns
            if column not in ("site", self.index_time)
            and self.roles.get(column, "predictor") == "predictor"
        ]

    def __repr__(self) -> str:
        """Return one line: who, where from, how many events, which images."""
        events = ", ".join(
            f"{endpoint}: {_plural(int((table['event'] == 1).sum()), 'event')}"
            for endpoint, table in self.outcomes.items()
        )
        found = [f"{name} {count}" for name, count in self.sequences.items()]
        if len(self.slides):
            found.append(_plural(len(self.slides), "slide"))
        images = ", ".join(found)
        return (
            f"<Cohort {self.name!r}: {_plural(len(self.patients), 'patient')}, "
            f"{_plural(len(self.sites), 'site')}; {events or 'no outcomes'}; "
            f"{images or 'no images'}>"
        )

    def describe(self) -> str:
        """Write the cohort down for a person: counts, events, sequences, notes.

        Examples
        --------
        >>> patients = pd.DataFrame({"site": ["H1"]}, index=pd.Index(["P1"]))
        >>> print(Cohort("one", patients, notes=["Simulated."]).describe())
        Cohort 'one': 1 patient
          sites: H1 1
          outcomes: none
          images: none
          note: Simulated.
        """
        sites = self.patients["site"].value_counts().sort_index()
        lines = [f"Cohort {self.name!r}: {_plural(len(self.patients), 'patient')}"]
        lines.append("  sites: " + ", ".join(f"{k} {v}" for k, v in sites.items()))
        lines += _outcome_lines(self.outcomes) or ["  outcomes: none"]
        lines += [
            f"  images: {name} of {count} patients"
            + (" (required)" if name in self.required else "")
            for name, count in self.sequences.items()
        ] or ["  images: none"]
        if len(self.slides):
            lines.append(_slides_line(self.slides, self.annotations))
        if self.readers:
            lines.append(f"  readers: {', '.join(self.readers)}")
        if self.index_time:
            lines.append(f"  index time: {self.index_time}")
        if len(self.dropped):
            lines.append(f"  left out: {_plural(len(self.dropped), 'patient')}")
        lines += [f"  note: {note}" for note in self.notes]
        if self.citation:
            lines.append(f"  source: {self.citation}")
        return "\n".join(lines)

    def write(self, folder: str | Path) -> Path:
        """Write the cohort as a folder that :func:`load_folder` reads back.

        Tables are written anew; images and masks that exist are copied to
        ``images/{patient}/{sequence}.nii.gz`` and
        ``masks/{reader}/{patient}/{sequence}.nii.gz`` (with ``/{session}`` after the
        reader where there is more than one session), slides and their annotations to
        ``slides/{patient}/{slide}.{ext}``.

        Parameters
        ----------
        folder : path
            Made when it does not exist.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        CohortError
            The folder already holds a ``patients.csv``, or an image is no NIfTI file.
        """
        folder = Path(folder)
        if (folder / "patients.csv").exists():
            raise CohortError(
                f"{folder} already holds a patients.csv; give an empty folder."
            )
        patterns = dict(PATTERNS)
        if (self.masks["session"] != 1).any():
            patterns["masks"] = SESSION_PATTERN
        if len(self.slides):
            patterns["slides"] = SLIDE_PATTERN
        write_tables(self, folder, patterns)
        for kind, manifest in (("images", self.images), ("masks", self.masks)):
            for row in manifest.to_dict("records"):
                _copy(Path(row["path"]), folder / patterns[kind].format(**row))
        copy_slides(self.slides, self.annotations, folder)
        return folder


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _outcome_lines(outcomes: Mapping[str, pd.DataFrame]) -> list[str]:
    lines = []
    for endpoint, table in outcomes.items():
        events = int((table["event"] == 1).sum())
        competing = int((table["event"] == 2).sum())
        line = f"  {endpoint}: {_plural(events, 'event')} in {len(table)} patients"
        if competing:
            line += f", {_plural(competing, 'competing event')}"
        median = table.loc[table["event"] == 0, "time"].median()
        if pd.notna(median):
            line += f", median follow-up of the others {median:.0f} days"
        lines.append(line)
    return lines


def _slides_line(slides: pd.DataFrame, annotations: pd.DataFrame) -> str:
    patients = _plural(slides["patient"].nunique(), "patient")
    drawn = annotations["path"].nunique()
    return (
        f"  slides: {len(slides)} of {patients}, "
        f"{_plural(drawn, 'file')} of annotations"
    )


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        return
    if not source.name.endswith(".nii.gz"):
        raise CohortError(
            f"{source} is no .nii.gz file; the folder layout holds NIfTI. Convert it "
            "first."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
