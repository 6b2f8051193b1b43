"""Optimism: how much better a model looks on its own patients, by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput

__all__ = ["bootstrap_optimism"]

Measure = Callable[
    [npt.NDArray[np.intp]], tuple[Mapping[str, float], Mapping[str, float]]
]


def bootstrap_optimism(
    measure: Measure,
    n: int,
    *,
    n_bootstrap: int = 200,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Correct measures of a model for having been fitted on the same patients.

    Parameters
    ----------
    measure : callable
        ``measure(rows)`` fits the whole model, every selection in it included, on the
        patients in `rows` (a patient may come twice) and returns two mappings of
        names to values: measured on those rows, and measured on all patients.
    n : int
        Number of patients.
    n_bootstrap : int
        Resamples.
    random_state : int, RandomState, Generator or None

    Returns
    -------
    DataFrame
        One row a measure: ``apparent``, ``training`` and ``test`` (means over the
        resamples), ``optimism`` (their difference), ``corrected`` and ``n`` (the
        resamples in which both were known).

    Raises
    ------
    InvalidInput
        Fewer than one resample or patient.

    References
    ----------
    Harrell, Lee & Mark, Stat Med 1996; as R's ``rms::validate`` and ``calibrate``.

    Examples
    --------
    >>> x = np.array([1.0, 4.0, 2.0, 8.0])
    >>> def spread(rows):
    ...     centre = x[rows].mean()
    ...     return ({"mse": ((x[rows] - centre) ** 2).mean()},
    ...             {"mse": ((x - centre) ** 2).mean()})
    >>> table = bootstrap_optimism(spread, 4, n_bootstrap=50, random_state=0)
    >>> bool(table.loc["mse", "corrected"] > table.loc["mse", "apparent"])
    True
    """
    if n < 1 or n_bootstrap < 1:
        raise InvalidInput(
            f"Expected patients and resamples; got n = {n} and n_bootstrap = "
            f"{n_bootstrap}."
        )
    if isinstance(random_state, np.random.RandomState):
        random_state = np.random.default_rng(random_state.randint(2**31))
    rng = np.random.default_rng(random_state)
    apparent = pd.Series(measure(np.arange(n))[0], dtype=float)
    training = np.full((n_bootstrap, len(apparent)), np.nan)
    test = np.full_like(training, np.nan)
    for b in range(n_bootstrap):
        on_rows, on_all = measure(rng.integers(0, n, n))
        training[b] = [on_rows[name] for name in apparent.index]
        test[b] = [on_all[name] for name in apparent.index]
    known = ~np.isnan(training + test)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_training = np.where(known, training, 0.0).sum(axis=0) / count
        mean_test = np.where(known, test, 0.0).sum(axis=0) / count
    optimism = mean_training - mean_test
    return pd.DataFrame(
        {
            "apparent": apparent,
            "training": mean_training,
            "test": mean_test,
            "optimism": optimism,
            "corrected": apparent - optimism,
            "n": count,
        },
        index=apparent.index,
    )
