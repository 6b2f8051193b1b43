"""Images beside their masks, for those who draw or perturb them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from sarcfeat.store.connection import Connection

__all__ = ["readable_pairs"]

COLUMNS = [
    "patient",
    "sequence",
    "reader",
    "session",
    "label",
    "image_path",
    "mask_path",
]


def readable_pairs(db: Connection, patients: Iterable[str]) -> pd.DataFrame:
    """Return the current masks of some patients, each with its image."""
    rows = db.rows(
        "SELECT m.patient_id, m.phase, m.reader, m.session, m.label, i.uri, m.uri "
        "FROM mask m JOIN image i ON m.image_id = i.image_id "
        "AND m.patient_id = i.patient_id AND m.phase = i.phase "
        "WHERE m.retired_no IS NULL AND i.retired_no IS NULL "
        "AND i.kind <> 'imported' "
        "AND list_contains(?::VARCHAR[], m.patient_id) "
        "ORDER BY m.patient_id, m.phase, m.reader, m.session, m.lesion_id, m.label",
        [list(patients)],
    )
    return pd.DataFrame(rows, columns=COLUMNS)
