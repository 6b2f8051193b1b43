"""Read values of a DICOM dataset without a word of them reaching a log or an error."""

from __future__ import annotations

import logging
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputCorrupt

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "DAMAGE",
    "class_name",
    "day_of",
    "open_dicom",
    "quiet_dicom",
    "seconds_of",
    "text_of",
    "value_of",
]

DAY = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
CLOCK = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2}(?:\.\d{1,6})?)?")
# What a dataset without a preamble begins with: its group 0002 or 0008.
BARE = (b"\x02\x00", b"\x08\x00")

# What pydicom raises on damaged files, of which it reads what it can.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,  # also of a depth of sequences that no real file has
    NotImplementedError,
    OverflowError,
    MemoryError,
    struct.error,
)


@contextmanager
def quiet_dicom() -> Iterator[None]:
    """Keep pydicom from printing values: they would be in logs and tracebacks."""
    try:
        from pydicom import config
    except ImportError:
        raise missing_dependency("pydicom", "radiomics") from None
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.filterwarnings("ignore", module=r"pydicom\b")
            yield
    finally:
        logger.disabled = before


def value_of(dataset: Dataset, keyword: Any) -> Any:
    """Return the value of a tag or keyword; None without, or where it is malformed."""
    try:
        return dataset[keyword].value if keyword in dataset else None
    except (ValueError, TypeError, AttributeError, LookupError, NotImplementedError):
        # Whatever cannot be parsed cannot be kept; its text must not be in a message.
        return None


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return the value of an element as text, empty without one."""
    value = value_of(dataset, keyword)
    return "" if value is None else str(value).strip().strip("\0")


def day_of(text: str) -> date | None:
    """Read a DICOM date; None where it is none, or a day before pseudonyms reach.

    Examples
    --------
    >>> day_of("20200301")
    datetime.date(2020, 3, 1)
    """
    found = DAY.match(text)
    if found is None:
        return None
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
    return day if day.year > 1900 else None


def seconds_of(text: str) -> float | None:
    """Read a DICOM time of day in seconds; None where it is none.

    Examples
    --------
    >>> seconds_of("162037.00")
    58837.0
    """
    found = CLOCK.match(text)
    if found is None:
        return None
    return 3600 * int(found[1]) + 60 * int(found[2] or 0) + float(found[3] or 0)


def open_dicom(path: Path, **more: Any) -> Dataset:
    """Read a DICOM file, also one without the 128 bytes that should begin it.

    Such a file has ``preamble`` None. `more` is for :func:`pydicom.dcmread`.

    Raises
    ------
    InputCorrupt
        The file is something else.
    """
    import pydicom

    try:
        return pydicom.dcmread(path, **more)
    except pydicom.errors.InvalidDicomError:
        with open(path, "rb") as file:
            bare = file.read(2) in BARE
        one = pydicom.dcmread(path, force=True, **more) if bare else None
        if one is None or "SOPClassUID" not in one:
            raise InputCorrupt("This is not a DICOM file.") from None
        if "TransferSyntaxUID" not in one.file_meta:
            implicit = one.original_encoding[0]
            one.file_meta.TransferSyntaxUID = (
                pydicom.uid.ImplicitVRLittleEndian
                if implicit
                else pydicom.uid.ExplicitVRLittleEndian
            )
        return one


def class_name(uid: str) -> str:
    """Return the standard's name of a class or syntax; no other UID is repeated."""
    from pydicom.uid import UID_dictionary

    return UID_dictionary[uid][0] if uid in UID_dictionary else "of an unknown class"
