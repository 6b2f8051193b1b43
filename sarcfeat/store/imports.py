"""Feature tables of other tools become units with an extractor of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.store.connection import Connection
from sarcfeat.store.handle import Table
from sarcfeat.store.imported import Imported, Row, results_of_rows, write_results
from sarcfeat.store.layouts import FORMATS, Layout, describe, layout_of
from sarcfeat.store.measures import refuse_other_feature_units
from sarcfeat.store.patients import id_text, near_form
from sarcfeat.store.sheets import Sheet, decimal_of, numbers_of, read_sheet
from sarcfeat.store.units import register_extractor

__all__ = ["ImportReport", "import_features"]

MISSING = ("", "NA", "NaN", "nan")
NAMES = {
    "patient": (
        *("patient", "patientid", "casepatientid", "subject", "subjectid", "case"),
        *(
            "caseid",
            "id",
            "infopatientid",
            "infopatientname",
            "samplename",
            "idsubject",
        ),
    ),
    "reader": ("reader", "observer", "rater", "annotator", "segmentedby"),
    "session": ("session",),
    "sequence": (
        *("sequence", "phase", "modality", "infomodality", "imagemodality"),
        "infoseriesdescription",
    ),
}
SETTINGS = ("diagnostics_Versions_", "diagnostics_Configuration_")


@dataclass(frozen=True)
class ImportReport:
    """What ``import_features`` did.

    Attributes
    ----------
    imported : int
        Units (a row of one sequence) written now.
    skipped : int
        Units that were already there.
    feature_sets : dict of address to number of features
        What to ask ``matrix`` for.
    extractor_id : str
        Under which they are kept: name, hash of the table, mapping of its columns.
    format : str
        The tool whose table it is.
    ignored : list of str
        Columns that are neither features nor provenance.
    notes : tuple of str
        What was recognised, changed or left out.
    """

    imported: int
    skipped: int
    feature_sets: dict[str, int]
    extractor_id: str
    format: str
    ignored: list[str]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """Return one sentence, and one line for each note."""
        sets = listed(
            [f"{name} ({n} features)" for name, n in self.feature_sets.items()]
        )
        return "\n".join(
            [
                f"imported {self.imported} units of {sets} from a {self.format} table, "
                f"{self.skipped} already there",
                *(f"  {note}" for note in self.notes),
            ]
        )


@dataclass(frozen=True)
class _Columns:
    """Columns that say who, whose reading, of what, when; None: not in the table."""

    patient: str
    reader: str | None
    session: str | None
    sequence: str | None
    acquired_at: str | None

    def keys(self) -> list[str]:
        return [name for name in vars(self).values() if name is not None]


def import_features(
    db: Connection,
    data: Table,
    *,
    extractor: str,
    patient: str | None,
    reader: str | None,
    session: str | int | None,
    sequence: str | Mapping[str, str] | None,
    acquired_at: str | None,
    format: str,
    missing: Iterable[str],
    decimal: str | None,
    unknown: str,
) -> ImportReport:
    """Read the table whole, refuse what is doubtful, write it in one transaction."""
    pick(format, FORMATS, "format")
    pick(unknown, ("raise", "skip"), "choice for unknown")
    _refuse_name(extractor)
    sheet = read_sheet(data)
    columns = _columns(sheet, patient, reader, session, sequence, acquired_at)
    layout = layout_of(list(sheet.columns), format, columns.keys(), sheet.source)
    mark = decimal_of(sheet, list(layout.features), decimal)
    codes = tuple(missing)
    ids = [_unescaped(id_text(cell)) for cell in sheet.text(columns.patient)]
    known, notes = _known(db, sheet, ids, unknown)
    phases = _phases(sheet, layout, columns, sequence)
    readers = _cells(sheet, columns.reader, reader or "A")
    sessions = _sessions(sheet, columns.session, session)
    _refuse_twice(sheet, ids, readers, sessions, phases)
    settings = _settings(sheet, layout, ids)
    values = {
        name: numbers_of(sheet, name, ids, codes, mark) for name in layout.features
    }
    tool = Imported(
        name=extractor,
        params={
            "source_sha256": sheet.sha256,
            "format": layout.format,
            "columns": vars(columns),
            "sequence": dict(sequence) if isinstance(sequence, Mapping) else sequence,
            "reader": reader,
            "session": session,
            "missing": list(codes),
            "decimal": mark,
            "settings": settings,
            "notes": sheet.notes,
        },
        columns={feature: name for name, (_, feature) in layout.features.items()},
        tool=layout.format,
    )
    for phase, names in {p: n for row in phases for p, n in row.items()}.items():
        pairs = [
            (layout.features[n][1], describe(n, layout.format)["unit"]) for n in names
        ]
        refuse_other_feature_units(
            db, f"{extractor}.{phase.lower()}", pairs, sheet.source
        )
    name = register_extractor(db, tool)
    rows = [
        Row(i, ids[i], phase, readers[i], sessions[i], names)
        for i in range(len(ids))
        if known[i]
        for phase, names in phases[i].items()
    ]
    if layout.ignored:
        notes.append(f"{len(layout.ignored)} other columns: {listed(layout.ignored)}")
    if mark == ",":
        notes.append("decimal comma")
    results, empty = results_of_rows(sheet, layout, acquired_at, name, rows, values)
    if empty:
        notes.append(f"{len(empty)} rows hold no number: {listed(empty)}")
    fresh = write_results(db, tool, name, sheet, results)
    sets = {
        f"{extractor}.{r.task.phase.lower()}": len(r.names) for r, _ in results if r.ok
    }
    return ImportReport(
        imported=fresh,
        skipped=sum(r.ok for r, _ in results) - fresh,
        feature_sets=sets,
        extractor_id=name,
        format=layout.format,
        ignored=layout.ignored,
        notes=(*sheet.notes, *notes),
    )


def _refuse_name(name: str) -> None:
    if not name or name == "clinical" or "." in name or "*" in name:
        raise InvalidInput(
            f"extractor={name!r} cannot name features: give a short word without dots, "
            "such as 'legacy'. It becomes the first part of 'legacy.t1'."
        )


def _columns(
    sheet: Sheet,
    patient: str | None,
    reader: str | None,
    session: str | int | None,
    sequence: str | Mapping[str, str] | None,
    acquired_at: str | None,
) -> _Columns:
    """Find the columns; a word that names no column is the value itself."""
    names = list(sheet.columns)
    if acquired_at is not None:
        pick(acquired_at, names, f"column in {sheet.source}")
    # Once, not for each kind: a table may have sixty thousand columns.
    plain = {"".join(filter(str.isalnum, name)).lower(): name for name in names}
    return _Columns(
        patient=_patient_column(sheet, plain, patient),
        reader=_key_column(sheet, plain, reader, "reader"),
        session=_key_column(sheet, plain, session, "session"),
        sequence=_key_column(sheet, plain, sequence, "sequence"),
        acquired_at=acquired_at,
    )


def _patient_column(sheet: Sheet, plain: dict[str, str], asked: str | None) -> str:
    if asked is not None:
        return pick(asked, sheet.columns, f"column in {sheet.source}")
    found = _by_name(plain, "patient")
    if found is None:
        raise InvalidInput(
            f"{sheet.source} has no column that is known to hold patient ids; it has "
            f"{listed(list(sheet.columns), 8)}. Say patient='<the column>'."
        )
    return found


def _key_column(
    sheet: Sheet, plain: dict[str, str], asked: Any, kind: str
) -> str | None:
    if asked is None:
        return _by_name(plain, kind)
    return asked if isinstance(asked, str) and asked in sheet.columns else None


def _by_name(plain: dict[str, str], kind: str) -> str | None:
    return next((plain[known] for known in NAMES[kind] if known in plain), None)


def _unescaped(cell: str) -> str:
    """Take back the quote that an exported CSV puts before a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@") else cell


def _cells(sheet: Sheet, column: str | None, constant: str) -> list[str]:
    if column is None:
        return [constant] * len(sheet.places)
    return [cell or constant for cell in sheet.text(column)]


def _sessions(sheet: Sheet, column: str | None, asked: str | int | None) -> list[int]:
    if column is None:
        cells = [str(1 if asked is None else asked)] * len(sheet.places)
    else:
        cells = sheet.text(column)
    found = []
    for place, cell in zip(sheet.places, cells, strict=True):
        plain = cell.removesuffix(".0")
        if not plain.isdecimal():
            raise InvalidInput(
                f"{sheet.source}, {place}: session {cell!r}; expected 1, 2, … (which "
                "reading of this reader it is) or the name of a column with these."
            )
        found.append(int(plain))
    return found


def _phases(
    sheet: Sheet,
    layout: Layout,
    columns: _Columns,
    sequence: str | Mapping[str, str] | None,
) -> list[dict[str, list[str]]]:
    """Return for each row its sequences, each with the columns of its features."""
    groups: dict[str, list[str]] = {}
    for name, (prefix, _) in layout.features.items():
        groups.setdefault(prefix, []).append(name)
    if isinstance(sequence, Mapping):
        for prefix in sequence:
            pick(prefix, groups, f"prefix of columns in {sheet.source}")
        named = {sequence.get(p, p): held for p, held in groups.items()}
        if len(named) == len(groups) and all(named):
            return [named] * len(sheet.places)
    elif len(groups) == 1:
        held = next(iter(groups.values()))
        constant = sequence if columns.sequence is None else None
        constant = constant or next(iter(groups))
        cells = _cells(sheet, columns.sequence, constant)
        if all(cells):
            return [{cell: held} for cell in cells]
    elif sequence is None and all(groups):
        return [groups] * len(sheet.places)
    raise InvalidInput(
        f"{sheet.source}: which sequence the numbers are of is not clear; the columns' "
        f"prefixes are {listed([repr(g) for g in groups])}. Say sequence='T1' (or the "
        "name of a column that holds it), or sequence={'<prefix>': 'T1', ...}."
    )


def _known(
    db: Connection, sheet: Sheet, ids: list[str], unknown: str
) -> tuple[list[bool], list[str]]:
    """Say which rows are of patients in the store; name near misses."""
    held = {row[0] for row in db.rows("SELECT patient_id FROM patient")}
    nameless = [p for p, item in zip(sheet.places, ids, strict=True) if not item]
    if nameless:
        raise InvalidInput(f"{sheet.source}, {nameless[0]} has no patient id.")
    strangers = list(dict.fromkeys(item for item in ids if item not in held))
    if not strangers:
        return [True] * len(ids), []
    near = {near_form(item): item for item in sorted(held)}
    told = [
        f"{item} (the store has {near[near_form(item)]})"
        if near_form(item) in near
        else item
        for item in sorted(strangers, key=lambda item: near_form(item) not in near)
    ]
    text = (
        f"{len(strangers)} patients of the table are not in the store: {listed(told)}"
    )
    if unknown == "raise":
        raise UnknownName(
            f"{sheet.source}: {text}. Correct their ids (they are text: 7 is not 007), "
            "add them with add_patients, or leave them out with unknown='skip'."
        )
    return [item in held for item in ids], [text]


def _refuse_twice(
    sheet: Sheet,
    ids: list[str],
    readers: list[str],
    sessions: list[int],
    phases: list[dict[str, list[str]]],
) -> None:
    seen: dict[tuple[Any, ...], str] = {}
    for i, place in enumerate(sheet.places):
        for phase in phases[i]:
            key = (ids[i], readers[i], sessions[i], phase.lower())
            if key in seen:
                raise InvalidInput(
                    f"{sheet.source}: patient {ids[i]!r}, {phase}, reader "
                    f"{readers[i]}, session {sessions[i]} is in {seen[key]} and "
                    f"{place}. Keep one, or say reader= or session= with the column "
                    "that tells them apart."
                )
            seen[key] = place


def _settings(sheet: Sheet, layout: Layout, ids: list[str]) -> dict[str, str]:
    """Return how the numbers were made; two ways in one table are refused."""
    found = {}
    for name in layout.provenance:
        if not name.startswith(SETTINGS):
            continue
        cells = sheet.text(name)
        odd = next((i for i, cell in enumerate(cells) if cell != cells[0]), None)
        if odd is not None:
            raise InvalidInput(
                f"{sheet.source}: {name} differs between patient {ids[0]} "
                f"({cells[0][:80]!r}) and patient {ids[odd]} ({cells[odd][:80]!r}). "
                "Numbers of two settings are never mixed: import two tables under two "
                "extractor names."
            )
        if cells:
            found[name] = cells[0]
    return found
