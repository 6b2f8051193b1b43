"""A clinical table under pseudonyms, with the same date shift as the images."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.pseudonyms import Pseudonyms

__all__ = ["deidentify_table"]

OLDEST = 89


def deidentify_table(
    frame: pd.DataFrame,
    *,
    key: bytes,
    keep: Iterable[str],
    dates: Iterable[str] = (),
    ages: Iterable[str] = ("age",),
) -> pd.DataFrame:
    """Return the columns asked for, under the pseudonyms that the images have.

    Parameters
    ----------
    frame : DataFrame
        Indexed by the hospital's patient id, as text.
    key : bytes
        The secret of the study; the same one as for the images.
    keep : iterable of str
        Columns that say nothing of who somebody is; all others are dropped.
    dates : iterable of str
        Columns of dates to keep, each moved back by the patient's constant.
    ages : iterable of str
        Columns of ages in years, cut at 90.

    Returns
    -------
    DataFrame
        Indexed by pseudonym.

    Raises
    ------
    UnknownName
        A column that is not in the table.
    InvalidInput
        Two patients of one id; a cell that is not a date.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"name": ["Ann"], "age": [93], "scan": ["2020-01-01"],
    ...      "surgery": ["2020-01-15"]}, index=["0012345"]
    ... )
    >>> clean = deidentify_table(
    ...     table, key=bytes(32), keep=["age"], dates=["scan", "surgery"]
    ... )
    >>> clean["age"].item(), (clean["surgery"] - clean["scan"]).dt.days.item()
    (90, 14)
    """
    names = Pseudonyms(key)
    ids = [str(item).strip() for item in frame.index]
    if len(set(ids)) < len(ids):
        raise InvalidInput(
            "A patient id is in the table twice. Keep one row a patient."
        )
    kept = [pick(name, frame.columns, "column in the table") for name in keep]
    moved = [pick(name, frame.columns, "column in the table") for name in dates]
    clean = frame.loc[:, [*kept, *moved]].copy()
    shift = pd.Series([timedelta(days=names.days(i)) for i in ids], index=clean.index)
    for name in moved:
        try:
            clean[name] = pd.to_datetime(clean[name], format="ISO8601") - shift
        except (ValueError, TypeError):
            raise InvalidInput(
                f"Column {name!r} holds a cell that is not a date. Write dates as "
                "year-month-day, such as 2019-04-30."
            ) from None
    for name in set(ages) & set(kept):
        clean[name] = clean[name].clip(upper=OLDEST + 1)
    index = pd.Index([names.patient(i) for i in ids], name="patient", dtype="str")
    return clean.set_axis(index, axis=0)
