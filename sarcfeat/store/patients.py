"""Patients and what was known of them: one row a value, never overwritten."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.io import read_table
from sarcfeat.store.connection import Connection
from sarcfeat.store.consent import refuse_erased
from sarcfeat.store.measures import refuse_other_units
from sarcfeat.store.times import date_of, to_microseconds

__all__ = [
    "CLINICAL",
    "ROLES",
    "add_patients",
    "id_text",
    "near_form",
    "register",
    "rewrite_role",
]

ROLES = {
    "predictor": "may enter X; what 'clinical' means in matrix(features=...)",
    "treatment": "chosen in view of the prognosis; enters X only by its name",
    "postoperative": "known after surgery; never taken as known by the index time",
    "description": "told in Table 1; enters X only when asked for by name",
    "identifier": "says who somebody is; never enters X",
    "date": "a calendar date; never enters X",
    "outcome": "derived from what happened later; never enters X",
}
ID_COLUMNS = ("patient", "patient_id", "subject", "subject_id", "case", "case_id", "id")
# No date lies here: the year 292,000 before this era.
UNDATED = -(2**63)
DIRECT = re.compile(
    r"((patient|family|first|last|given|full|maiden|sur)[ _.-]?)?(name|nom|prenom)s?"
    r"|(birth|date[ _.-]?of[ _.-]?birth|dob|birthday)([ _.-]?date)?|birthdate"
    r"|(mrn|ipp|nip|ssn|nhs)([ _.-]?(number|no|id))?"
    r"|(e[ _.-]?)?mail|(tele)?phone([ _.-]?number)?|(street[ _.-]?)?address"
    r"|accession([ _.-]?number)?|zip([ _.-]?code)?|post(al)?[ _.-]?code",
    re.IGNORECASE,
)
CLINICAL = {
    "patient_id": "VARCHAR",
    "variable": "VARCHAR",
    "value_num": "DOUBLE",
    "value_text": "VARCHAR",
    "known_at": "us",
    "source": "VARCHAR",
    "role": "VARCHAR",
    "unit": "VARCHAR",
}


@dataclass(frozen=True)
class Value:
    """What one patient has for one variable."""

    number: float | None
    text: str | None
    known_at: int | None
    role: str
    unit: str | None


def id_text(value: Any) -> str:
    """Return a patient id as text, spaces at its ends removed.

    Examples
    --------
    >>> id_text(" 007"), id_text(7)
    ('007', '7')
    """
    return str(value).strip()


def near_form(patient: str) -> str:
    """Return what is left of an id when Excel has had it: 007 and 7.0 become 7.

    Examples
    --------
    >>> near_form("007") == near_form("7.0") == "7"
    True
    """
    return patient.lower().removesuffix(".0").lstrip("0 ")


def add_patients(
    db: Connection,
    data: pd.DataFrame | str | PathLike[str],
    *,
    index_time: str | None,
    roles: Mapping[str, str] | None,
    units: Mapping[str, str] | None,
    known_at: Mapping[str, str] | None,
    site: str,
) -> None:
    """Write a table of patients; only what differs from the catalogue is appended."""
    frame, source, first = patient_frame(data)
    _refuse_bad_ids(frame, source, first)
    _refuse_same_columns(frame)
    _refuse_direct_identifiers(frame, source)
    dates = dict(known_at or {})
    before = live_roles(db)
    given = _roles(frame, roles or {}, index_time, site, dates, before)
    wanted = _values(frame, given, dict(units or {}), index_time, dates, site)
    stated = {"site" if n == site else n: unit for n, unit in (units or {}).items()}
    keys = [(*key, value.known_at) for key, value in wanted.items()]
    refuse_other_units(db, stated, keys, dates, source)
    with db.commit(f"add_patients {source}"):
        register(db, frame.index)
        write_values(db, wanted, source, dates)
    _warn_near_ids([row[0] for row in db.rows("SELECT patient_id FROM patient")])


def register(db: Connection, ids: Any) -> None:
    """Make patients known by their pseudonym; those known already stay."""
    known = {row[0] for row in db.rows("SELECT patient_id FROM patient")}
    new = list(dict.fromkeys(str(item) for item in ids if str(item) not in known))
    refuse_erased(db, new)
    db.insert("patient", {"patient_id": "VARCHAR"}, [[item] for item in new])


def patient_frame(
    data: pd.DataFrame | str | PathLike[str],
) -> tuple[pd.DataFrame, str, int]:
    """Return a table indexed by patient id as text, its name, its first row number."""
    if isinstance(data, pd.DataFrame):
        frame, source, first = data, "DataFrame", 0
    else:
        # Row 1 of a file is its header.
        frame, source, first = read_table(data), str(data), 2
    anonymous = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    named = [name for name in frame.columns if str(name).lower() in ID_COLUMNS]
    if anonymous and named:
        frame = frame.set_index(named[0])
    elif anonymous and not isinstance(data, pd.DataFrame):
        frame = frame.set_index(frame.columns[0])
    elif anonymous and len(frame):
        raise InvalidInput(
            "The table has no patient ids: its index is 0, 1, 2, … and no column is "
            "called 'patient'. Use frame.set_index('<the id column>')."
        )
    missing = pd.isna(frame.index)
    index = pd.Index(
        [
            "" if lost else id_text(item)
            for item, lost in zip(frame.index, missing, strict=True)
        ],
        dtype="str",
        name="patient",
    )
    return frame.set_axis(index, axis=0), source, first


def _refuse_bad_ids(frame: pd.DataFrame, source: str, first: int) -> None:
    seen: dict[str, int] = {}
    for number, patient in enumerate(frame.index, start=first):
        if patient == "":
            raise InvalidInput(f"{source}, row {number} has no patient id.")
        if patient in seen:
            raise InvalidInput(
                f"{source}: patient {patient!r} is in rows {seen[patient]} and "
                f"{number}. Keep one row a patient."
            )
        seen[patient] = number


def _refuse_same_columns(frame: pd.DataFrame) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(map(str, frame.columns), start=1):
        if name.lower() in seen:
            raise InvalidInput(
                f"Columns {seen[name.lower()]} and {position} of the patients' table "
                f"are both called {name!r} (letter case aside). Rename one."
            )
        seen[name.lower()] = position


def _refuse_direct_identifiers(frame: pd.DataFrame, source: str) -> None:
    """Refuse columns that name somebody: a store holds pseudonyms only."""
    for name in map(str, frame.columns):
        if DIRECT.fullmatch(name):
            raise InvalidInput(
                f"{source}: column {name!r} says who a patient is, and a store holds "
                "pseudonyms only. Drop it, or take sarcfeat.io.deidentify_table, which "
                "keeps the columns you name."
            )


def live_roles(db: Connection) -> dict[str, tuple[str, str | None]]:
    """Return the role and unit of each clinical variable."""
    found = db.rows(
        "SELECT variable, arg_max(role, commit_no), arg_max(unit, commit_no) "
        "FROM clinical WHERE retired_no IS NULL GROUP BY variable"
    )
    return {name: (role, unit) for name, role, unit in found}


def _roles(
    frame: pd.DataFrame,
    roles: Mapping[str, str],
    index_time: str | None,
    site: str,
    dates: Mapping[str, str],
    before: Mapping[str, tuple[str, str | None]],
) -> dict[str, tuple[str, str | None]]:
    """Decide each column's role: stated, else as before, else what it looks like."""
    named = [*roles, *dates, *dates.values(), *([index_time] if index_time else [])]
    columns = [str(name) for name in frame.columns]
    for name in named:
        pick(name, columns, "column in the patients' table")
    decided: dict[str, tuple[str, str | None]] = {}
    for name in columns:
        role, unit = before.get(name, ("", None))
        if name == index_time:
            role = "index_time"
        elif name == site:
            role = "site"
        elif name in roles:
            role = pick(roles[name], ROLES, f"role (of column {name!r})")
        elif not role:
            is_date = pd.api.types.is_datetime64_any_dtype(frame[name])
            role = "date" if is_date or name in dates.values() else "predictor"
        decided[name] = (role, unit)
    return decided


def _values(
    frame: pd.DataFrame,
    roles: Mapping[str, tuple[str, str | None]],
    units: Mapping[str, str],
    index_time: str | None,
    dates: Mapping[str, str],
    site: str,
) -> dict[tuple[str, str], Value]:
    """Turn the table into one value per patient and variable."""
    for name in units:
        pick(name, roles, "column in the patients' table")
    nothing: list[int | None] = [None] * len(frame)
    index = to_microseconds(frame[index_time], index_time) if index_time else nothing
    values = {}
    for name, (role, unit) in roles.items():
        if name in dates:
            known = to_microseconds(frame[dates[name]], dates[name])
        else:
            known = nothing if role == "postoperative" else index
        variable = "site" if name == site else name
        numbers, texts = split_column(frame[name], role)
        for i, patient in enumerate(frame.index):
            values[patient, variable] = Value(
                numbers[i], texts[i], known[i], role, units.get(name, unit)
            )
    return values


def split_column(
    column: pd.Series[Any], role: str
) -> tuple[list[float | None], list[str | None]]:
    """Take a column as numbers where it is numeric, as text where it is not."""
    empty: list[Any] = [None] * len(column)
    if role in ("index_time", "date"):
        name = str(column.name)
        return empty, [date_of(value) for value in to_microseconds(column, name)]
    missing = column.isna().to_numpy()
    plain = column.astype(object)
    known = [cell for cell, lost in zip(plain, missing, strict=True) if not lost]
    is_number = role not in ("site", "identifier") and all(
        pd.api.types.is_number(cell) or pd.api.types.is_bool(cell) for cell in known
    )
    if is_number:
        numbers = [
            None if lost else float(cell)
            for cell, lost in zip(plain, missing, strict=True)
        ]
        return numbers, empty
    texts = [
        None if lost else str(cell) for cell, lost in zip(plain, missing, strict=True)
    ]
    return empty, texts


def write_values(
    db: Connection,
    wanted: Mapping[tuple[str, str], Value],
    source: str,
    dated: Collection[str],
) -> None:
    """Append the values that are new or changed; retire those they replace.

    Of a variable with dates of its own (`dated`) values of other dates stay, so that
    each patient has the value that was the latest at any time.
    """
    current: dict[tuple[str, str], dict[int | None, Value]] = {}
    for patient, variable, *rest in db.rows(
        "SELECT patient_id, variable, value_num, value_text, epoch_us(known_at), "
        "role, unit FROM clinical WHERE retired_no IS NULL ORDER BY commit_no"
    ):
        value = Value(*rest)
        current.setdefault((patient, variable), {})[value.known_at] = value
    changed, old = [], []
    for key, value in wanted.items():
        held = current.get(key, {})
        if key[1] in dated:
            same = held.get(value.known_at)
            if same != value and not (same is None and _is_empty(value)):
                changed.append((key, value))
                old += [(key, value.known_at)] if same is not None else []
        elif list(held.values()) != [value] and (held or not _is_empty(value)):
            changed.append((key, value))
            old += [(key, known_at) for known_at in held]
    _retire(db, old)
    db.insert(
        "clinical",
        CLINICAL,
        [
            [*key, v.number, v.text, v.known_at, source, v.role, v.unit]
            for key, v in changed
            if not _is_empty(v)
        ],
    )


def _is_empty(value: Value) -> bool:
    return value.number is None and value.text is None


def _retire(db: Connection, old: list[tuple[tuple[str, str], int | None]]) -> None:
    if old:
        db.update(
            "UPDATE clinical SET retired_no = ? WHERE retired_no IS NULL AND "
            "(patient_id, variable, coalesce(epoch_us(known_at), ?)) IN "
            "(SELECT (unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
            "unnest(?::BIGINT[])))",
            [
                db.commit_no,
                UNDATED,
                [key[0] for key, _ in old],
                [key[1] for key, _ in old],
                [UNDATED if known is None else known for _, known in old],
            ],
        )


def rewrite_role(db: Connection, variables: list[str], role: str) -> None:
    """Give variables another role from this commit on."""
    rows = db.rows(
        "SELECT patient_id, variable, value_num, value_text, epoch_us(known_at), "
        "source, unit FROM clinical WHERE retired_no IS NULL AND role <> ? "
        "AND list_contains(?::VARCHAR[], variable)",
        [role, variables],
    )
    _retire(db, [((row[0], row[1]), row[4]) for row in rows])
    db.insert("clinical", CLINICAL, [[*row[:6], role, row[6]] for row in rows])


def _warn_near_ids(ids: list[str]) -> None:
    """Warn of ids that differ only as Excel would make them differ (007, 7, 7.0)."""
    groups: dict[str, list[str]] = {}
    for patient in ids:
        groups.setdefault(near_form(patient), []).append(patient)
    near = [" and ".join(sorted(group)) for group in groups.values() if len(group) > 1]
    if near:
        warnings.warn(
            f"These ids are kept as different patients: {listed(near)}. Write them one "
            "way if they are the same.",
            SarcfeatWarning,
            stacklevel=4,
        )
