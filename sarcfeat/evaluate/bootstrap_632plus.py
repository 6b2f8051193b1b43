"""The c-index of a model by the .632+ bootstrap."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from sarcfeat.evaluate.refits import Ranks, refit
from sarcfeat.exceptions import NoComparablePairs
from sarcfeat.survival import check_y

__all__ = ["Bootstrap632Plus", "bootstrap_632plus", "plus_632"]


@dataclass(frozen=True)
class Bootstrap632Plus:
    """The c-index of a model by the .632+ bootstrap.

    Attributes
    ----------
    c_index : float
        The .632+ estimate.
    ci_low, ci_high : float
        The percentile interval of the out-of-bag c-indices, moved to the estimate.
    apparent : float
        On the patients the model was fitted on.
    out_of_bag : float
        Mean over resamples of the c-index on the patients left out of them.
    plain_632 : float
        The .632 estimate, without regard to overfitting.
    relative_overfitting : float
        0: none; 1: as much as there can be, for nothing was learned.
    weight : float
        Of the out-of-bag value: .632 to 1.
    n : int
        Resamples with a comparable pair left out.
    """

    c_index: float
    ci_low: float
    ci_high: float
    apparent: float
    out_of_bag: float
    plain_632: float
    relative_overfitting: float
    weight: float
    n: int


def plus_632(
    apparent: float, out_of_bag: float, no_information: float = 0.5
) -> tuple[float, float, float]:
    """Combine an apparent and an out-of-bag c-index by the .632+ rule.

    With errors ``1 - c``: the relative overfitting rate R is the distance of the
    out-of-bag error from the apparent one, over that of the error without any
    information; the weight of the out-of-bag error is ``.632 / (1 - .368 R)``.

    Parameters
    ----------
    apparent, out_of_bag : float
    no_information : float
        Of a model that knows nothing; 0.5 for every c-index.

    Returns
    -------
    value, relative_overfitting, weight : float

    References
    ----------
    Efron & Tibshirani, JASA 1997, equations 24 to 32: where nothing is to be learned,
    a nearest neighbour has apparent error 0, out-of-bag error 0.5 and .632+ error 0.5.

    Examples
    --------
    >>> plus_632(1.0, 0.5)
    (0.5, 1.0, 1.0)
    """
    error, gamma = 1 - apparent, 1 - no_information
    outside = min(1 - out_of_bag, gamma)
    overfitting = 0.0
    if outside > error and gamma > error:
        overfitting = (outside - error) / (gamma - error)
    weight = 0.632 / (1 - 0.368 * overfitting)
    return 1 - ((1 - weight) * error + weight * outside), overfitting, weight


def bootstrap_632plus(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    n_bootstrap: int = 200,
    level: float = 0.95,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Bootstrap632Plus:
    """Estimate the c-index of a model by the .632+ bootstrap.

    The whole estimator, every selection and tuning in it included, is fitted on each
    resample of patients and judged on the patients left out.

    Parameters
    ----------
    estimator : survival estimator or Pipeline
        Cloned for each resample. Patients stand in a resample more than once, so an
        inner cross-validation of its own sees copies on both sides.
    X : DataFrame indexed by patient, or array
    y : structured array (event, time)
    n_bootstrap : int
        Resamples.
    level : float
        Coverage of the interval.
    random_state : int, RandomState or None
        Seed of the resamples; models carry their own seeds.
    n_jobs : int, optional
        Joblib workers; the result does not depend on it.
    progress : bool

    Returns
    -------
    Bootstrap632Plus

    Raises
    ------
    InvalidInput
        Fewer than one resample.
    NoComparablePairs
        As a warning, where no resample leaves a comparable pair out.

    References
    ----------
    Efron & Tibshirani, JASA 1997; for survival models Gerds & Schumacher, Biometrics
    2007. The error is ``1 - c`` and that of no information 0.5.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import CoxPH, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "size"])
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    >>> found = bootstrap_632plus(CoxPH(), X, y, n_bootstrap=20, random_state=0,
    ...                           progress=False)
    >>> found.out_of_bag < found.c_index < found.apparent
    True
    """
    check_y(y, n=len(X))
    (apparent, _), resamples = refit(
        estimator, X, y, Ranks(), True, n_bootstrap, random_state, n_jobs, progress
    )
    outside = np.array([found["harrell_c"] for _, found in resamples])
    known = outside[~np.isnan(outside)]
    nan = float("nan")
    if not len(known):
        warnings.warn(
            f"None of the {n_bootstrap} resamples leaves a comparable pair out; the "
            ".632+ c-index is NaN. Use more resamples or an endpoint with more events.",
            NoComparablePairs,
            stacklevel=2,
        )
        return Bootstrap632Plus(
            nan, nan, nan, apparent["harrell_c"], nan, nan, nan, nan, 0
        )
    mean = float(known.mean())
    value, overfitting, weight = plus_632(apparent["harrell_c"], mean)
    shares = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(known, shares) + value - mean
    return Bootstrap632Plus(
        value,
        max(float(low), 0.0),
        min(float(high), 1.0),
        apparent["harrell_c"],
        mean,
        0.368 * apparent["harrell_c"] + 0.632 * mean,
        overfitting,
        weight,
        len(known),
    )
