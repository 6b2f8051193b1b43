"""Who is in a study, in which cohort, and who is left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat import make_y
from sarcfeat._validation import did_you_mean, listed
from sarcfeat.datasets import Cohort
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import BagRef
from sarcfeat.splits import EventStratifiedKFold

__all__ = ["COHORTS", "TRAINING", "annotated", "endpoint_of", "left_out", "split"]

COHORTS = ("training", "internal validation", "external validation")
TRAINING = COHORTS[0]
_PARTS = 10  # of the largest hospital: three validate, seven train


def endpoint_of(cohort: Cohort, wanted: str) -> str:
    """Return the endpoint that is wanted, or else the first that there is."""
    if not cohort.outcomes:
        raise InvalidInput(
            f"Cohort {cohort.name!r} has no outcomes; expected {wanted}_time (days) "
            f"and {wanted}_event in outcomes.csv."
        )
    return wanted if wanted in cohort.outcomes else next(iter(cohort.outcomes))


def split(patients: pd.DataFrame, event: pd.Series[Any], seed: int) -> pd.Series[Any]:
    """Return each patient's cohort: as given, or 70 % of the largest hospital to train.

    The rest of that hospital validates internally, the others externally. A column
    ``cohort`` says it otherwise: ``training``, and any names of validation cohorts. A
    patient without a cohort there has none.
    """
    if "cohort" in patients:
        return _given(patients["cohort"])
    site = patients["site"]
    found = pd.Series(COHORTS[2], index=patients.index)
    mine = site.index[site == site.value_counts().index[0]]
    if len(mine) < 2 * _PARTS:
        raise InvalidInput(
            f"The largest hospital, {site[mine[0]]!r}, has {len(mine)} patients with "
            f"slides and an outcome; {2 * _PARTS} are needed to split it into training "
            "and internal validation. Say in a column 'cohort' of patients.csv who "
            f"trains ({TRAINING!r}) and who validates."
        )
    y = make_y(event.loc[mine] == 1, np.ones(len(mine)))
    folds = EventStratifiedKFold(_PARTS, random_state=seed).split(mine, y)
    found[mine] = TRAINING
    for _, test in list(folds)[:3]:
        found[mine[test]] = COHORTS[1]
    return _ordered(found)


def _given(column: pd.Series[Any]) -> pd.Series[Any]:
    words = [None if pd.isna(word) else str(word).strip() for word in column]
    # "Training" of a paper's table is meant, too.
    plain = [w.casefold() if w and w.casefold() in COHORTS else w for w in words]
    names = pd.Series(plain, column.index, dtype=object)
    there = [str(word) for word in pd.unique(names.dropna())]
    if TRAINING not in there:
        raise InvalidInput(
            f"Column 'cohort' of patients.csv has {listed(there) or 'no value'}; one "
            f"must be {TRAINING!r}.{did_you_mean(TRAINING, there)} Name the cohort to "
            "train on so, or rename a column that means something else."
        )
    return _ordered(names)


def _ordered(names: pd.Series[Any]) -> pd.Series[Any]:
    """Return categories in order: training, internal, external, then others by name."""
    there = [str(word) for word in pd.unique(names.dropna())]
    known = [name for name in COHORTS if name in there]
    order = [*known, *sorted(name for name in there if name not in known)]
    return pd.Series(pd.Categorical(names, order), names.index)


def annotated(
    bags: pd.Series[Any], regions: Sequence[str]
) -> tuple[pd.Series[Any], pd.DataFrame]:
    """Return bags of the slides on which regions are drawn, and who lacks what.

    Parameters
    ----------
    bags : Series of BagRef or None
    regions : sequence of str
        A slide must have tiles in one of them.

    Returns
    -------
    bags : Series of BagRef or None
    missing : DataFrame
        ``patient, reason``, a row a slide that is left out.
    """
    rows, found = [], {}
    for patient, bag in bags.items():
        kept = []
        for part in () if bag is None else bag.parts:
            try:
                count = replace(bag, parts=(part,)).count(regions)
                reason = f"slide {part.slide}: no tile in {listed(regions)}"
            except InvalidInput as error:
                count, reason = 0, str(error)
                if "have no regions" in reason:
                    reason = f"slide {part.slide}: no annotation of it was found"
            if count:
                kept.append(part)
            else:
                rows.append({"patient": patient, "reason": reason})
        found[patient] = BagRef(bag.patient, tuple(kept), bag.dim) if kept else None
    column = pd.Series(found, bags.index, dtype=object, name=bags.name)
    return column, pd.DataFrame(rows, columns=["patient", "reason"])


def left_out(
    cohort: Cohort,
    kept: Iterable[str],
    *,
    endpoint: str,
    where: pd.Series[Any],
    missing: pd.DataFrame,
) -> pd.DataFrame:
    """Name every patient of a cohort who is not among the kept, and say why.

    Parameters
    ----------
    cohort : Cohort
        Whom it has dropped itself is told first.
    kept : iterable of str
    endpoint : str
        The outcome that is needed.
    where : Series
        The cohort of those who have one.
    missing : DataFrame
        ``patient, reason``, of those without bags or images.

    Returns
    -------
    DataFrame
        Columns ``patient, reason``; all reasons that a patient has.
    """
    rows = cohort.dropped[["patient", "reason"]].to_dict("records")
    known = cohort.outcomes[endpoint].dropna().index
    lacks = missing.groupby("patient")["reason"].agg("; ".join)
    for patient in cohort.patients.index.difference(pd.Index(kept), sort=False):
        why = [] if patient in known else [f"no {endpoint} (time and event)"]
        if patient in where.index and pd.isna(where[patient]):
            why.append("no value in the column 'cohort'")
        if patient in lacks.index:
            why.append(str(lacks[patient]))
        rows.append({"patient": patient, "reason": "; ".join(why)})
    return pd.DataFrame(rows, columns=["patient", "reason"])
