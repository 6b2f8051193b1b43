"""Each hospital predicted by a model of the others, to see whether it travels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.evaluate.nested import NestedCV, run_folds
from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.survival import check_y

__all__ = ["leave_one_site_out"]

POOLED = "(small sites)"


def leave_one_site_out(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    site: str | Sequence[Any] = "site",
    fewest: int = 1,
    times: Sequence[float] = (),
    n_jobs: int | None = None,
    progress: bool = True,
) -> NestedCV:
    """Predict the patients of each site by models fitted on all other sites.

    Parameters
    ----------
    models : dict of name to estimator
        Survival estimators; cloned for each site. A ``ComBat`` in them meets a site
        that it never saw: say what it shall do by ``unseen="skip"``.
    X : DataFrame indexed by patient, or array
    y : structured array (event, time)
    site : str, or sequence of shape (n_patients,)
        The column of X with the hospital, or the hospitals themselves.
    fewest : int
        Sites with fewer patients are left out together, as one fold.
    times, n_jobs, progress
        As in :func:`~sarcfeat.evaluate.nested_cv`.

    Returns
    -------
    NestedCV
        One repeat; a fold is a site, and ``fits`` has its name in ``site``. Its
        c-index compares patients of one site with each other.

    Raises
    ------
    InvalidInput
        One site only, a patient without a site, or no such column.
    NoEvents
        Without a site no event is left to learn from.

    References
    ----------
    Internal-external cross-validation: Steyerberg & Harrell, J Clin Epidemiol 2016.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import CoxPH, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "size"])
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    >>> result = leave_one_site_out({"clinical": CoxPH()}, X, y,
    ...                             site=["A", "B", "C"] * 20, progress=False)
    >>> result.fits["site"].tolist()
    ['A', 'B', 'C']
    """
    event, _ = check_y(y, n=len(X))
    names = _pooled(_sites(X, site), fewest)
    levels = sorted(set(names))
    if len(levels) < 2:
        raise InvalidInput(
            f"All {len(names)} patients are of one site ({levels[0]!r}"
            f"{f', fewest={fewest}' if fewest > 1 else ''}); leaving it out leaves "
            "nobody. Use nested_cv, or a smaller fewest."
        )
    folds = []
    for number, level in enumerate(levels):
        train, test = np.flatnonzero(names != level), np.flatnonzero(names == level)
        if not event[train].any():
            raise NoEvents(
                f"All {int(event.sum())} events are of site {level!r}: without it no "
                "event is left to learn from. Use nested_cv."
            )
        folds.append((0, number, train, test))
    predictions, outcome, fits = run_folds(
        models, X, y, folds, times=times, n_jobs=n_jobs, progress=progress
    )
    fits.insert(3, "site", [levels[fold] for fold in fits["fold"]])
    return NestedCV(
        predictions,
        outcome,
        fits,
        len(levels),
        1,
        tuple(map(float, times)),
        "cross-validation, each fold a site",
    )


def _sites(X: Any, site: str | Sequence[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    if isinstance(site, str):
        columns = list(X.columns) if isinstance(X, pd.DataFrame) else []
        if site not in columns:
            raise InvalidInput(
                f"X has no column {site!r} with the hospital."
                f"{did_you_mean(site, columns)} Name it by site=..., or give the "
                "hospitals themselves."
            )
        series = X[site].reset_index(drop=True)
    else:
        series = pd.Series(list(site))
    if len(series) != len(X):
        raise InvalidInput(f"{len(series)} sites for {len(X)} patients.")
    if series.isna().any():
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(X))
        raise InvalidInput(
            f"{int(series.isna().sum())} patients have no site: "
            f"{listed(index[series.isna().to_numpy()])}."
        )
    return series.astype(str).to_numpy(dtype=object)


def _pooled(
    names: np.ndarray[Any, np.dtype[np.object_]], fewest: int
) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Put the sites with fewer patients than `fewest` together."""
    counts = pd.Series(names).map(pd.Series(names).value_counts()).to_numpy()
    return np.where(counts < fewest, POOLED, names).astype(object)
