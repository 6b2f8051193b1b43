"""From the catalogue to X and y: leak-safe, complete about who is missing, frozen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.store.bag_blocks import BagBlock, read_bags
from sarcfeat.store.blocks import Block, read_block
from sarcfeat.store.clinical import clinical_columns
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.features import read_catalogue, resolve
from sarcfeat.store.identity import canonical_json, digest
from sarcfeat.store.leaks import check_origin, refuse_proxies
from sarcfeat.store.outcomes import read_outcome
from sarcfeat.store.scales import warn_scales
from sarcfeat.store.selection import AS_OF
from sarcfeat.survival import make_y

__all__ = ["Matrix", "build_matrix", "complete_id", "split_id"]

COMPLETE = "/complete="
MISSING_COLUMNS = ["patient", "feature_set", "reason"]


@dataclass(frozen=True, eq=False)
class Matrix:
    """What a model is fitted on, and how it came about.

    Attributes
    ----------
    X : DataFrame indexed by patient id
        Float columns ``<feature set>.<feature>``, text variables as categories,
        bags of tiles as references (``BagRef``) in ``<extractor>.bag``, and the
        hospital as text in ``site``.
    y : structured array (event, time in days), or None without an outcome
        Aligned with `X`.
    missing : DataFrame with the columns patient, feature_set, reason
        Who lacks what, and why.
    provenance : dict
        Cohort version, extractors, reader, dates and what was taken for granted.
    matrix_id : str
        Hash of the request and of every number in it.
    """

    X: pd.DataFrame
    y: npt.NDArray[Any] | None
    missing: pd.DataFrame
    provenance: dict[str, Any]
    matrix_id: str

    def __repr__(self) -> str:
        """Return one line that counts."""
        events = "no outcome" if self.y is None else f"{_events(self.y)} events"
        return (
            f"<Matrix {self.matrix_id[:8]}: {self.X.shape[0]} patients × "
            f"{self.X.shape[1]} columns, {events}, {len(self.missing)} missing>"
        )

    def complete(self, needed: str | Sequence[str]) -> Matrix:
        """Return the patients who have all of some feature sets or columns.

        Parameters
        ----------
        needed : str or sequence of str
            Feature sets (``"radiomics.pet"``) or columns (``"clinical.age"``). A
            patient without one number of a set is left out; `missing` says why.

        Returns
        -------
        Matrix
            With an id of its own: this matrix's, followed by what was asked.
            ``store.matrix_by_id`` makes it again from that.
        """
        asked = [needed] if isinstance(needed, str) else list(needed)
        keep = np.ones(len(self.X), dtype=bool)
        columns = [str(column) for column in self.X]
        for name in asked:
            mine = [c for c in columns if c == name or c.startswith(f"{name}.")]
            if not mine:
                pick(name, columns, "feature set or column")
            keep &= ~self.X[mine].isna().all(axis=1).to_numpy()
        return Matrix(
            X=self.X.loc[keep],
            y=None if self.y is None else self.y[keep],
            missing=self.missing,
            provenance={
                **self.provenance,
                "complete": asked,
                "n_patients": int(keep.sum()),
            },
            matrix_id=complete_id(self.matrix_id, asked),
        )


def complete_id(matrix_id: str, asked: Sequence[str]) -> str:
    """Name the complete patients of a matrix so that the name can be read back.

    Examples
    --------
    >>> complete_id("5f2c", ["radiomics.pet", "clinical.age"])
    '5f2c/complete=radiomics.pet+clinical.age'
    """
    return f"{matrix_id}{COMPLETE}{'+'.join(quote(name, safe='') for name in asked)}"


def split_id(matrix_id: str) -> tuple[str, list[list[str]]]:
    """Return the id of the frozen matrix, and what was asked of it, in order.

    Examples
    --------
    >>> split_id("5f2c/complete=radiomics.pet+clinical.age")
    ('5f2c', [['radiomics.pet', 'clinical.age']])
    """
    frozen, *asked = matrix_id.split(COMPLETE)
    return frozen, [[unquote(name) for name in one.split("+")] for one in asked]


def _events(y: npt.NDArray[Any]) -> int:
    return int((y["event"] == 1).sum())


def build_matrix(
    db: Connection,
    members: Members,
    *,
    features: str | Sequence[str],
    outcome: str | None,
    competing: bool,
    reader: str | None,
    session: int,
    as_of: str | None,
    missing: str,
    extractor: str | Mapping[str, str] | None,
    zero: str,
    origin: str | None = None,
    freeze: bool = True,
) -> Matrix:
    """Collect what was asked for and freeze it under an id."""
    if as_of not in AS_OF:
        raise InvalidInput(
            f"as_of={as_of!r}; expected 'index_time', 'written' or None."
        )
    pick(missing, ("keep", "drop"), "choice for missing")
    catalogue = read_catalogue(db)
    request = resolve(catalogue, features)
    bags = [
        read_bags(db, catalogue, members, name, request, as_of, extractor)
        for name in request.bags
    ]
    blocks = [
        read_block(
            db, catalogue, members, address, request, reader, session, as_of, extractor
        )
        for address in request.sets
    ]
    columns, lacking = clinical_columns(
        db, members, request.clinical, request.by_name, as_of
    )
    every: list[Block | BagBlock] = [*blocks, *bags]
    gaps = [row for block in every for row in block.missing] + lacking
    X = _assemble(members, blocks, columns, bags)
    if missing == "drop":
        X = X.drop(index=sorted({row[0] for row in gaps}))
    table = None
    if outcome is not None:
        X, table, without = _followed(db, X, outcome)
        gaps += without
    y = None if table is None else _target(table, competing, zero)
    numbers = floats_of(X)
    # A frozen request has passed these checks.
    notes = (
        _checked(db, members, X, numbers, outcome, y, table, origin) if freeze else []
    )
    spec = {
        "cohort": members.name,
        "cohort_version": members.version,
        "features": [features] if isinstance(features, str) else list(features),
        "outcome": outcome,
        "competing": competing,
        "reader": reader,
        "session": session,
        "as_of": as_of,
        "missing": missing,
        "extractor": extractor,
    }
    provenance = {
        **spec,
        "n_patients": len(X),
        "feature_sets": {b.provenance["address"]: b.provenance for b in every},
        "notes": [*_notes(members, blocks, bags, as_of), *notes],
    }
    content = _content_hash(X, numbers, y, bags)
    matrix_id = digest("matrix", spec, content)
    if freeze:
        units = [unit for block in every for unit in block.units]
        _freeze(db, matrix_id, spec, X, content, units)
    frozen = db.archive.rows(
        "SELECT store_version FROM matrix WHERE matrix_id = ?", [matrix_id]
    )
    provenance["store_version"] = frozen[0][0] if frozen else db.commit_no
    gaps_frame = pd.DataFrame(gaps, columns=MISSING_COLUMNS)
    return Matrix(X, y, gaps_frame, provenance, matrix_id)


def _followed(
    db: Connection, X: pd.DataFrame, outcome: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[list[str]]]:
    """Return who has the outcome, the outcome, and a row for each who lacks it."""
    table = read_outcome(db, outcome)
    known = set(table.index.tolist())
    without = [patient for patient in X.index.tolist() if patient not in known]
    gaps = [[patient, f"outcome.{outcome}", "no follow-up"] for patient in without]
    X = X.drop(index=without) if without else X
    return X, table.loc[X.index], gaps


def _checked(
    db: Connection,
    members: Members,
    X: pd.DataFrame,
    numbers: Any,
    outcome: str | None,
    y: Any,
    table: pd.DataFrame | None,
    origin: str | None,
) -> list[str]:
    """Refuse columns that are the outcome in disguise; return what is to be noted."""
    notes: list[str] = []
    if table is not None:
        notes += check_origin(db, members, str(outcome), table, origin)
        refuse_proxies(X, numbers[1], y, str(outcome))
    return notes + warn_scales(X["site"], *numbers)


def _assemble(
    members: Members,
    blocks: list[Block],
    columns: dict[str, pd.Series[Any]],
    bags: list[BagBlock],
) -> pd.DataFrame:
    index = pd.Index(members.patients, dtype="str", name="patient")
    site = pd.Series(
        [members.site[p] or "unknown" for p in members.patients],
        index=index,
        dtype="str",
        name="site",
    )
    clinical = [
        column.set_axis(index, axis=0).rename(name) for name, column in columns.items()
    ]
    parts = [*(block.frame for block in blocks), *(block.column for block in bags)]
    return pd.concat([site, *clinical, *parts], axis=1)


def _target(table: pd.DataFrame, competing: bool, zero: str) -> npt.NDArray[Any]:
    """Return y: of the event of interest, or with the integer event codes."""
    y = make_y(table["event"] == 1, table["time"], zero=zero)
    if not competing:
        return y
    codes = np.empty(len(table), dtype=[("event", "<i8"), ("time", "<f8")])
    codes["event"], codes["time"] = table["event"], y["time"]
    return codes


def _notes(
    members: Members, blocks: list[Block], bags: list[BagBlock], as_of: str | None
) -> list[str]:
    notes = []
    undated = sum(time is None for time in members.index_time.values())
    if as_of is not None and undated:
        notes.append(
            f"{undated} of {len(members.patients)} patients have no index time: "
            "nothing of theirs was excluded by date"
        )
    notes += [
        f"{block.undated} images of {block.provenance['address']} carry no "
        "acquisition date and are taken as acquired by the index time"
        for block in blocks
        if as_of == "index_time" and block.undated
    ]
    notes += [
        f"{bag.undated} slides of {bag.provenance['address']} carry no date and are "
        "taken as acquired by the index time"
        for bag in bags
        if as_of == "index_time" and bag.undated
    ]
    notes += [note for bag in bags for note in bag.notes]
    unknown = sum(members.site[p] is None for p in members.patients)
    if unknown:
        notes.append(f"{unknown} patients have no site; it is written 'unknown'")
    return notes


def floats_of(X: pd.DataFrame) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the names and the values of the float columns."""
    names = X.columns[X.dtypes == np.float64].tolist()
    return names, X[names].to_numpy(dtype="<f8")


def _content_hash(
    X: pd.DataFrame,
    numbers: tuple[list[str], npt.NDArray[np.float64]],
    y: npt.NDArray[Any] | None,
    bags: list[BagBlock],
) -> str:
    """Hash every label and every bit of a matrix."""
    # SHA-256, which processors compute: half the time of BLAKE2 here.
    state = hashlib.sha256()
    labels = [X.index.tolist(), X.columns.tolist()]
    state.update(canonical_json(labels).encode())
    # Column by column, as a frame keeps them: no copy.
    state.update(np.ascontiguousarray(numbers[1].T).data)
    tiles = {block.column.name: block.identity for block in bags}
    for name in X.columns[X.dtypes != np.float64]:
        cells: list[Any] = [
            # A reference stands for its tiles, wherever their files lie.
            tiles[name].get(patient)
            if name in tiles
            else (None if pd.isna(cell) else str(cell))
            for patient, cell in zip(X.index.tolist(), X[name].tolist(), strict=True)
        ]
        state.update(canonical_json([name, cells]).encode())
    if y is not None:
        state.update(y.tobytes())
    return state.hexdigest()


def _freeze(
    db: Connection,
    matrix_id: str,
    spec: dict[str, Any],
    X: pd.DataFrame,
    content: str,
    units: list[str],
) -> None:
    archive, version = db.archive, db.commit_no
    if archive.read_only:  # whoever asks the store itself freezes it, by the same id
        return
    if archive.rows("SELECT 1 FROM matrix WHERE matrix_id = ?", [matrix_id]):
        return
    with archive.commit(f"matrix {matrix_id}"):
        archive.update(
            "INSERT INTO matrix (matrix_id, spec, store_version, unit_ids, n_rows, "
            "n_cols, sha256, commit_no) VALUES (?, ?, ?, ?::VARCHAR[], ?, ?, ?, ?)",
            [
                matrix_id,
                canonical_json(spec),
                version,
                units,
                X.shape[0],
                X.shape[1],
                content,
                archive.commit_no,
            ],
        )
