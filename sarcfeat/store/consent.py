"""Who withdrew consent, and may not come back under the same id."""

from __future__ import annotations

from collections.abc import Iterable

from sarcfeat._validation import listed
from sarcfeat.exceptions import StoreError
from sarcfeat.store.connection import Connection

__all__ = ["erased_among", "refuse_erased"]


def erased_among(db: Connection, ids: Iterable[str]) -> list[str]:
    """Return the patients who withdrew their consent."""
    found = db.rows(
        "SELECT patient_id FROM erased WHERE list_contains(?::VARCHAR[], patient_id) "
        "ORDER BY patient_id",
        [sorted({str(item) for item in ids})],
    )
    return [row[0] for row in found]


def refuse_erased(db: Connection, ids: Iterable[str]) -> None:
    """Refuse to take in again what an erasure has removed.

    Raises
    ------
    StoreError
        Some patients were erased; they are named.
    """
    gone = erased_among(db, ids)
    if gone:
        raise StoreError(
            f"Patients {listed(gone)} were erased from this store and do not come back "
            "under the same id. Leave them out."
        )
