"""Keyed pseudonyms: the same patient, date shift and UID each time, for one secret."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta

from sarcfeat.exceptions import InvalidInput

__all__ = ["Pseudonyms"]

FEWEST_BYTES = 16
# Ten years of possible shifts, always into the past: no date lies in the future.
DAYS = 3650


class Pseudonyms:
    """Replace what says who somebody is, so that only the key's owner can repeat it.

    Every replacement is a keyed BLAKE2b hash (a MAC) of the original: without the key
    it cannot be undone by trying all hospital numbers.

    Parameters
    ----------
    key : bytes
        At least 16 secret bytes, as :func:`~sarcfeat.io.load_salt` reads them.

    Raises
    ------
    InvalidInput
        The key is too short.

    Examples
    --------
    >>> names = Pseudonyms(b"sixteen or more bytes")
    >>> names.patient("0012345") == names.patient(" 0012345 ")
    True
    >>> shifted = names.shift("0012345", date(2020, 3, 1))
    >>> (names.shift("0012345", date(2020, 3, 11)) - shifted).days
    10
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < FEWEST_BYTES:
            raise InvalidInput(
                f"The key has {len(key)} bytes; at least {FEWEST_BYTES} are needed. "
                "Write one with create_salt(path) and read it with load_salt(path)."
            )
        self._key = hashlib.blake2b(key, digest_size=64).digest()

    def patient(self, patient_id: str) -> str:
        """Return the pseudonym of a patient id; spaces at its ends do not count."""
        return f"P{self._hash('patient', patient_id.strip(), 8).hex()}"

    def uid(self, uid: str) -> str:
        """Return a DICOM UID in place of another."""
        # 2.25. is the root for UIDs made of a 128-bit number.
        return f"2.25.{int.from_bytes(self._hash('uid', uid.strip(), 16), 'big')}"

    def code(self, kind: str, text: str) -> str:
        """Return a short code for a file, series or description."""
        return self._hash(kind, text, 6).hex()

    def days(self, patient_id: str) -> int:
        """Return by how many days the dates of a patient are moved back, 1 to 3650."""
        drawn = int.from_bytes(self._hash("days", patient_id.strip(), 8), "big")
        return 1 + drawn % DAYS

    def shift(self, patient_id: str, day: date) -> date:
        """Move a date back by the patient's constant: intervals stay exact."""
        return day - timedelta(days=self.days(patient_id))

    def _hash(self, kind: str, text: str, size: int) -> bytes:
        body = f"{kind}\0{text}".encode()
        return hashlib.blake2b(body, key=self._key, digest_size=size).digest()
