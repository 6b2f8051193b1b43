"""Who lacks what, and why: failures are rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.store.bag_blocks import read_bags
from sarcfeat.store.blocks import Block, read_block
from sarcfeat.store.clinical import clinical_columns
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.features import read_catalogue, resolve

__all__ = ["MISSING_COLUMNS", "missing"]

MISSING_COLUMNS = ["patient", "feature_set", "reason"]


def missing(
    db: Connection,
    members: Members,
    features: str | Sequence[str],
    *,
    reader: str | None,
    session: int,
    as_of: str | None,
    extractor: str | None,
) -> pd.DataFrame:
    """List every gap of a request; asking what is missing is never a leak."""
    catalogue = read_catalogue(db)
    request = resolve(catalogue, features)
    asked = type(request)(request.sets, request.clinical, set(), request.bags)
    rows: list[list[str]] = []
    for address in asked.sets:
        block = read_block(
            db, catalogue, members, address, asked, reader, session, as_of, extractor
        )
        rows += block.missing
        rows += _not_numbers(block, address)
    for name in asked.bags:
        bags = read_bags(db, catalogue, members, name, asked, as_of, extractor)
        rows += bags.missing
        left = (note.partition(": ") for note in bags.notes)
        rows += [[patient, name, reason] for patient, _, reason in left]
    rows += clinical_columns(db, members, asked.clinical, set(), as_of)[1]
    found = pd.DataFrame(rows, columns=MISSING_COLUMNS)
    return found.sort_values(["patient", "feature_set"], ignore_index=True)


def _not_numbers(block: Block, address: str) -> list[list[str]]:
    """List the patients whose unit is there and lacks single numbers."""
    gone = {row[0] for row in block.missing}
    lost = np.isnan(block.frame.to_numpy())
    names = [str(name).removeprefix(f"{address}.") for name in block.frame.columns]
    rows = []
    for patient, holes in zip(block.frame.index, lost, strict=True):
        if patient not in gone and holes.any():
            which = [name for name, hole in zip(names, holes, strict=True) if hole]
            reason = (
                f"{len(which)} of {len(names)} features are NaN: {listed(which, 3)}"
            )
            rows.append([patient, address, reason])
    return rows
