"""Where a patient's file should be, for a message that helps."""

from __future__ import annotations

import os

from sarcfeat.store.connection import Connection

__all__ = ["ExpectedPaths"]


class ExpectedPaths:
    """The places that manifests and patterns name.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    what : {"image", "mask"}
        Which kind of file.
    """

    def __init__(self, db: Connection, what: str) -> None:
        self._what = what
        self._known = {
            (patient, phase): str(path)
            for patient, phase, path in db.rows(
                "SELECT patient_id, phase, path FROM file WHERE what = ? "
                "ORDER BY path DESC",
                [what],
            )
        }
        self._patterns = db.rows(
            "SELECT root, pattern, reader, session FROM source WHERE what = ? "
            "AND pattern IS NOT NULL ORDER BY commit_no LIMIT 1",
            [what],
        )

    def of(self, patient: str, phase: str) -> str:
        """Return the path, or in words where it would be named."""
        if (patient, phase) in self._known:
            return self._known[patient, phase]
        for root, pattern, reader, session in self._patterns:
            fields = {
                "patient": patient,
                "sequence": phase,
                "phase": phase,
                "reader": reader or "A",
                "session": str(session or 1),
            }
            for name, value in fields.items():
                pattern = pattern.replace(f"{{{name}}}", value)
            return os.path.join(root, *pattern.split("/"))
        return f"a row of {patient} and {phase} in the manifest of {self._what}s"
