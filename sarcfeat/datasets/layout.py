"""The folder of a cohort: which file lies where, and how its tables are written.

patients.csv    patient, site, dates, clinical columns
outcomes.csv    patient, <endpoint>_time (days), <endpoint>_event (0, 1 or 2)
images/         images/{patient}/{sequence}.nii.gz
masks/          masks/{reader}/{patient}/{sequence}.nii.gz
slides/         slides/{patient}/{slide}.{ext}, annotations beside them
cohort.toml     optional: name, index_time, required, patterns, units, roles
truth.csv       optional: the true risk of simulated patients
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import CohortError

if TYPE_CHECKING:
    from sarcfeat.datasets.cohort import Cohort

__all__ = [
    "PATTERNS",
    "SESSION_PATTERN",
    "SLIDE_PATTERN",
    "find_files",
    "write_tables",
]

PATTERNS: Mapping[str, str] = {
    "images": "images/{patient}/{sequence}.nii.gz",
    "masks": "masks/{reader}/{patient}/{sequence}.nii.gz",
}
SLIDE_PATTERN = "slides/{patient}/{slide}.{ext}"
SESSION_PATTERN = "masks/{reader}/{session}/{patient}/{sequence}.nii.gz"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "images": ("patient", "sequence"),
    "masks": ("patient", "sequence", "reader", "session"),
    "slides": ("patient", "slide", "ext"),
}
NEEDED: Mapping[str, tuple[str, str]] = {
    "images": ("patient", "sequence"),
    "masks": ("patient", "sequence"),
    "slides": ("patient", "slide"),
}


def pattern_fields(kind: str, pattern: str) -> list[str]:
    """Return the fields of a pattern; refuse one that cannot name a file.

    Parameters
    ----------
    kind : {"images", "masks", "slides"}
    pattern : str
        A path with ``{patient}`` and ``{sequence}``, and for masks also ``{reader}``
        and ``{session}``; for slides with ``{patient}``, ``{slide}`` and ``{ext}``.

    Examples
    --------
    >>> pattern_fields("images", "images/{patient}/{sequence}.nii.gz")
    ['patient', 'sequence']
    """
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(pattern) if name]
    except ValueError as error:
        raise CohortError(f"The pattern {pattern!r} of {kind}: {error}.") from error
    unknown = sorted(set(fields) - set(FIELDS[kind]))
    first, second = NEEDED[kind]
    if unknown or not {first, second} <= set(fields):
        raise CohortError(
            f"The pattern {pattern!r} of {kind} must hold {{{first}}} and {{{second}}}"
            f" and may hold {', '.join(FIELDS[kind])} only"
            + (f"; it holds {listed(unknown)}." if unknown else ".")
        )
    return fields


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """Turn a pattern into a regular expression over paths with forward slashes."""
    seen: set[str] = set()
    parts = []
    for text, name, _, _ in string.Formatter().parse(pattern):
        parts.append(re.escape(text))
        if name:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+)")
            seen.add(name)
    return re.compile("".join(parts))


def find_files(root: Path, kind: str, pattern: str) -> pd.DataFrame:
    """List the files below `root` whose path fits a pattern.

    Parameters
    ----------
    root : Path
        The cohort folder.
    kind : {"images", "masks", "slides"}
    pattern : str
        As in ``PATTERNS``.

    Returns
    -------
    DataFrame
        Columns patient, sequence, path; for masks also reader (``"A"`` where the
        pattern has none) and session (1); for slides slide and ext in place of the
        sequence. Sorted by path.

    Raises
    ------
    CohortError
        The pattern lacks ``{patient}`` or ``{sequence}``, or a session is no number.
    """
    pattern_fields(kind, pattern)
    regex = pattern_regex(pattern)
    top = root / pattern.split("{", 1)[0].rpartition("/")[0]
    rows = []
    for path in sorted(top.rglob("*")) if top.is_dir() else []:
        match = regex.fullmatch(path.relative_to(root).as_posix())
        if match and path.is_file():
            row: dict[str, Any] = {"reader": "A", "session": "1", **match.groupdict()}
            if not row["session"].isdecimal():
                raise CohortError(
                    f"{path}: the session {row['session']!r} is no number (1, 2, …)."
                )
            rows.append({**row, "session": int(row["session"]), "path": str(path)})
    columns = [*FIELDS[kind], "path"]
    return pd.DataFrame(rows, columns=columns)


def write_tables(cohort: Cohort, folder: Path, patterns: Mapping[str, str]) -> None:
    """Write every table of a cohort folder; images and masks are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    patients = cohort.patients.rename_axis("patient")
    _write_csv(patients, folder / "patients.csv")
    if cohort.outcomes:
        _write_csv(wide_outcomes(cohort.outcomes, patients), folder / "outcomes.csv")
    if cohort.truth is not None:
        _write_csv(cohort.truth.rename_axis("patient"), folder / "truth.csv")
    (folder / "cohort.toml").write_text(_toml(cohort, patterns), encoding="utf-8")


def wide_outcomes(
    outcomes: Mapping[str, pd.DataFrame], patients: pd.DataFrame
) -> pd.DataFrame:
    """Put all endpoints beside each other, two columns each."""
    columns = {}
    for endpoint, table in outcomes.items():
        columns[f"{endpoint}_time"] = table["time"]
        columns[f"{endpoint}_event"] = table["event"].astype("Int64")
    wide = pd.DataFrame(columns).reindex(patients.index)
    return wide.rename_axis("patient")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, lineterminator="\n", date_format="%Y-%m-%d", encoding="utf-8")


def _toml(cohort: Cohort, patterns: Mapping[str, str]) -> str:
    """Write the small TOML file; a JSON string is a TOML basic string."""
    lines = [f"name = {json.dumps(cohort.name, ensure_ascii=False)}"]
    if cohort.index_time:
        lines.append(f"index_time = {_quoted(cohort.index_time)}")
    lines.append(f"required = {_array(cohort.required)}")
    lines.append(f"notes = {_array(cohort.notes)}")
    if cohort.citation:
        lines.append(f"citation = {_quoted(cohort.citation)}")
    tables = {"patterns": patterns, "units": cohort.units, "roles": cohort.roles}
    for title, pairs in tables.items():
        if pairs:
            lines += ["", f"[{title}]"]
            lines += [f"{_quoted(k)} = {_quoted(v)}" for k, v in pairs.items()]
    return "\n".join(lines) + "\n"


def _array(values: Sequence[str]) -> str:
    return "[" + ", ".join(_quoted(value) for value in values) + "]"


def _quoted(text: str) -> str:
    return json.dumps(str(text), ensure_ascii=False)
