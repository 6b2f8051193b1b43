"""A percentile interval for any measure that has none of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput, SarcfeatError

__all__ = ["bootstrap_interval", "percentile_of"]


def bootstrap_interval(
    measure: Callable[[npt.NDArray[np.intp]], Mapping[str, float]],
    n: int,
    *,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Put a bootstrap interval around measures of one set of predictions.

    Parameters
    ----------
    measure : callable
        ``measure(rows)`` returns names and values, measured on the patients in `rows`
        (a patient may come twice). Of a resample that cannot be measured (no events,
        say) it may raise a sarcfeat error or return NaN; it is then left out.
    n : int
        Number of patients.
    n_bootstrap : int
        Resamples of patients.
    level : float
        Coverage of the interval.
    random_state : int, RandomState, Generator or None

    Returns
    -------
    DataFrame
        One row a measure: ``value`` (on the patients as they are), ``se``, ``ci_low``,
        ``ci_high`` and ``n`` (resamples in which it was known). It says nothing of
        refitting the model.

    Raises
    ------
    InvalidInput
        Fewer than one resample or patient.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> table = bootstrap_interval(lambda rows: {"mean": x[rows].mean()}, 20,
    ...                            n_bootstrap=200, random_state=0)
    >>> bool(table.loc["mean", "ci_low"] < 9.5 < table.loc["mean", "ci_high"])
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
    value = pd.Series(measure(np.arange(n)), dtype=float)
    drawn = np.full((n_bootstrap, len(value)), np.nan)
    for b in range(n_bootstrap):
        rows = rng.integers(0, n, n)
        try:
            found = measure(rows)
        except SarcfeatError:  # such a resample cannot be measured: counted in n
            continue
        drawn[b] = [found[name] for name in value.index]
    shares = [(1 - level) / 2, (1 + level) / 2]
    table = []
    for k, name in enumerate(value.index):
        known = drawn[~np.isnan(drawn[:, k]), k]
        enough = len(known) > 1
        low, high = np.quantile(known, shares) if enough else (np.nan, np.nan)
        se = known.std(ddof=1) if enough else np.nan
        table.append((value[name], se, low, high, len(known)))
    columns = ["value", "se", "ci_low", "ci_high", "n"]
    return pd.DataFrame(table, index=value.index, columns=columns)


def percentile_of(
    measure: Callable[[npt.NDArray[np.intp]], float],
    n: int,
    n_bootstrap: int,
    level: float,
    random_state: int | np.random.RandomState | np.random.Generator | None,
) -> tuple[float, float]:
    """Return the bootstrap interval of one measure; NaN where no resample is asked."""
    if n_bootstrap == 0:
        return float("nan"), float("nan")
    table = bootstrap_interval(
        lambda rows: {"value": measure(rows)},
        n,
        n_bootstrap=n_bootstrap,
        level=level,
        random_state=random_state,
    )
    return float(table["ci_low"].iloc[0]), float(table["ci_high"].iloc[0])
