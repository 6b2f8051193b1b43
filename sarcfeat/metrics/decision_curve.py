"""Decision curves: the net benefit of acting on a predicted risk.

At a threshold pt a patient is treated when his risk is at or above it. Net benefit is
the share of true positives less pt / (1 - pt) times that of false positives; it is
compared with treating all and treating none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_binary, check_probability
from sarcfeat.metrics.resampling import resample_weights
from sarcfeat.survival import check_causes, make_y

__all__ = [
    "decision_curve",
    "decision_curve_competing",
    "decision_curve_survival",
    "net_benefit_survival",
]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rates = Callable[[Flags, Floats], tuple[Floats, Floats]]

_THRESHOLDS = np.arange(1, 100) / 100


def decision_curve(
    y: npt.ArrayLike,
    risks: Mapping[str, npt.ArrayLike],
    thresholds: npt.ArrayLike = _THRESHOLDS,
    *,
    n_bootstrap: int = 0,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Compute decision curves of a yes-or-no outcome.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    risks : mapping of name to array-like of float, shape (n_patients,)
        Predicted probabilities of each model.
    thresholds : array-like of float
        Between 0 and 1.
    n_bootstrap : int
        Resamples of patients for the percentile interval; 0 for none.
    level : float
    random_state : int, Generator or None

    Returns
    -------
    DataFrame
        One row a model and threshold, the models ``all`` and ``none`` first: ``model``,
        ``threshold``, ``tp_rate``, ``fp_rate``, ``net_benefit``, ``ci_low``,
        ``ci_high`` and ``avoided``, the net share of patients spared treatment against
        treating all.

    Raises
    ------
    InvalidInput
        A risk or threshold outside 0 and 1, or a model named ``all`` or ``none``.

    References
    ----------
    Vickers & Elkin, Med Decis Making 2006; equal to R's ``dcurves``.

    Examples
    --------
    >>> table = decision_curve([0, 0, 1, 1], {"m": [0.1, 0.4, 0.3, 0.9]}, [0.2])
    >>> table[["model", "net_benefit"]].round(4).to_numpy().tolist()
    [['all', 0.375], ['none', 0.0], ['m', 0.4375]]
    """
    flags, _ = check_binary(y, np.zeros(len(np.asarray(y))), both=False)
    n = len(flags)

    def rates(positive: Flags, weight: Floats) -> tuple[Floats, Floats]:
        ill = weight @ (positive & flags) / n
        well = weight @ (positive & ~flags) / n
        return ill, well

    return _curves(rates, risks, thresholds, n, n_bootstrap, level, random_state)


def decision_curve_survival(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risks: Mapping[str, npt.ArrayLike],
    at: float,
    thresholds: npt.ArrayLike = _THRESHOLDS,
    *,
    extend: bool = True,
    n_bootstrap: int = 0,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Compute decision curves of the event by a time, with censoring.

    Among the patients at or above a threshold the risk is one minus Kaplan–Meier.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risks : mapping of name to array-like of float, shape (n_patients,)
        Predicted probabilities of the event by `at`.
    at : float
        The horizon, in the unit of `time`.
    extend : bool
        Whether Kaplan–Meier of the patients above a threshold holds its last value
        up to `at`; if not, net benefit is NaN there (as in ``dcurves``), unless the
        curve has reached 0.
    thresholds, n_bootstrap, level, random_state
        As in :func:`decision_curve`.

    Returns
    -------
    DataFrame
        As :func:`decision_curve`.

    Raises
    ------
    InvalidInput
        A horizon beyond everybody's follow-up.

    References
    ----------
    Vickers et al., BMC Med Inform Decis Mak 2008; equal to R's ``dcurves``.

    Examples
    --------
    >>> event, time = [1, 0, 1, 0], [1.0, 5.0, 2.0, 6.0]
    >>> table = decision_curve_survival(event, time, {"m": [0.9, 0.1, 0.4, 0.2]}, 3,
    ...                                 [0.3])
    >>> table["net_benefit"].round(3).tolist()
    [0.286, 0.0, 0.5]
    """
    y = make_y(event, time, zero="keep")
    codes = y["event"].astype(np.int64)
    return _censored(
        codes,
        y["time"],
        risks,
        at,
        thresholds,
        1,
        extend,
        n_bootstrap,
        level,
        random_state,
    )


def net_benefit_survival(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    at: float,
    threshold: float,
    weights: npt.ArrayLike,
) -> Floats:
    """Return the net benefit at one threshold under each row of weights.

    Parameters
    ----------
    event, time, at
        As in :func:`decision_curve_survival`.
    risk : array-like of float, shape (n_patients,)
    threshold : float
    weights : array-like of float, shape (n_rows, n_patients)
        How often each patient counts; a row of ones for the patients as they are.

    Returns
    -------
    ndarray of shape (n_rows,)

    Examples
    --------
    >>> event, time = [1, 0, 1, 0], [1.0, 5.0, 2.0, 6.0]
    >>> net_benefit_survival(event, time, [0.9, 0.1, 0.4, 0.2], 3, 0.3, np.ones((1, 4)))
    array([0.5])
    """
    y = make_y(event, time, zero="keep")
    values = check_probability(risk, "The risk")
    rows = np.atleast_2d(np.asarray(weights, dtype=float))
    positive = values >= threshold
    share = rows @ positive.astype(float) / rows.sum(axis=1)
    incidence = _Incidence(y["event"].astype(np.int64), y["time"], 1, at, True)
    found = np.where(share > 0, incidence(positive, rows), 0.0)
    odds = threshold / (1 - threshold)
    return np.asarray(found * share - odds * (1 - found) * share)


def decision_curve_competing(
    status: npt.ArrayLike,
    time: npt.ArrayLike,
    risks: Mapping[str, npt.ArrayLike],
    at: float,
    thresholds: npt.ArrayLike = _THRESHOLDS,
    *,
    cause: int = 1,
    extend: bool = True,
    n_bootstrap: int = 0,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> pd.DataFrame:
    """Compute decision curves of the event of one cause by a time.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 censored, else the code of the cause.
    cause : int
    time, risks, at, thresholds, extend, n_bootstrap, level, random_state
        As in :func:`decision_curve_survival`.

    Returns
    -------
    DataFrame
        As :func:`decision_curve`.

    References
    ----------
    Vickers et al., BMC Med Inform Decis Mak 2008, with the cumulative incidence in
    place of one minus Kaplan–Meier; R's ``dcurves``.

    Examples
    --------
    >>> status, time = [1, 2, 1, 0], [1.0, 1.5, 2.0, 6.0]
    >>> table = decision_curve_competing(status, time, {"m": [0.9, 0.1, 0.4, 0.2]}, 3,
    ...                                  [0.3])
    >>> table["net_benefit"].round(3).tolist()
    [0.286, 0.0, 0.5]
    """
    codes, times = check_causes(status, time, cause=cause)
    return _censored(
        codes,
        times,
        risks,
        at,
        thresholds,
        cause,
        extend,
        n_bootstrap,
        level,
        random_state,
    )


def _censored(
    status: npt.NDArray[np.int64],
    time: Floats,
    risks: Mapping[str, npt.ArrayLike],
    at: float,
    thresholds: npt.ArrayLike,
    cause: int,
    extend: bool,
    n_bootstrap: int,
    level: float,
    random_state: int | np.random.Generator | None,
) -> pd.DataFrame:
    n = len(status)
    if not n or not 0 < at <= time.max():
        last = f"{time.max():g}" if n else "none"
        raise InvalidInput(
            f"The horizon {at:g} must be above 0 and within the follow-up; the last "
            f"one is {last}. Choose an earlier time."
        )
    incidence = _Incidence(status, time, cause, at, extend)

    def rates(positive: Flags, weight: Floats) -> tuple[Floats, Floats]:
        share = weight @ positive.astype(float) / n
        risk = np.where(share > 0, incidence(positive, weight), 0.0)
        return risk * share, (1 - risk) * share

    return _curves(rates, risks, thresholds, n, n_bootstrap, level, random_state)


class _Incidence:
    """Cumulative incidence at one time among some patients, for rows of weights."""

    def __init__(
        self,
        status: npt.NDArray[np.int64],
        time: Floats,
        cause: int,
        at: float,
        extend: bool,
    ) -> None:
        self.order = np.argsort(time, kind="stable")
        ordered = time[self.order]
        self.starts = np.flatnonzero(np.r_[True, np.diff(ordered) != 0])
        self.n_times = int(np.searchsorted(ordered[self.starts], at, side="right"))
        self.any = (status > 0)[self.order]
        self.own = (status == cause)[self.order]
        self.beyond = ordered >= at
        self.extend = extend

    def __call__(self, positive: Flags, weight: Floats) -> Floats:
        w = (weight * positive)[:, self.order]
        behind = w[:, ::-1].cumsum(axis=1)[:, ::-1][:, self.starts]
        at_risk = behind[:, : self.n_times]

        def per_time(which: Flags) -> Floats:
            dying = np.add.reduceat(w * which, self.starts, axis=1)
            dying = dying[:, : self.n_times]
            return np.divide(
                dying, at_risk, out=np.zeros(dying.shape), where=at_risk > 0
            )

        free = np.cumprod(1 - per_time(self.any), axis=1)
        before = np.c_[np.ones(len(w)), free[:, :-1]]
        found = (before * per_time(self.own)).sum(axis=1)
        if self.extend:
            return np.asarray(found)
        ended = (w[:, self.beyond].sum(axis=1) == 0) & (free[:, -1] > 1e-12)
        return np.asarray(np.where(ended, np.nan, found))


def _curves(
    rates: Rates,
    risks: Mapping[str, npt.ArrayLike],
    thresholds: npt.ArrayLike,
    n: int,
    n_bootstrap: int,
    level: float,
    random_state: int | np.random.Generator | None,
) -> pd.DataFrame:
    cuts = np.atleast_1d(np.asarray(thresholds, dtype=float))
    if not ((cuts > 0) & (cuts < 1)).all():
        raise InvalidInput(
            "Thresholds must lie between 0 and 1, both excluded; got "
            f"{cuts.min():g} to {cuts.max():g}."
        )
    models = _models(risks, n)
    weights = np.ones((1, n))
    if n_bootstrap:
        weights = np.vstack([weights, resample_weights(n, n_bootstrap, random_state)])
    odds = cuts / (1 - cuts)
    everybody = rates(np.ones(n, dtype=bool), weights)
    all_benefit = everybody[0][0] - odds * everybody[1][0]
    tables = []
    for name, risk in models.items():
        for k, cut in enumerate(cuts):
            positive = risk >= cut
            tp, fp = everybody if positive.all() else rates(positive, weights)
            benefit = tp - odds[k] * fp
            low, high = _interval(benefit[1:], level)
            tables.append(
                {
                    "model": name,
                    "threshold": float(cut),
                    "tp_rate": float(tp[0]),
                    "fp_rate": float(fp[0]),
                    "net_benefit": float(benefit[0]),
                    "ci_low": low,
                    "ci_high": high,
                    "avoided": float((benefit[0] - all_benefit[k]) / odds[k]),
                }
            )
    return pd.DataFrame(tables)


def _models(risks: Mapping[str, npt.ArrayLike], n: int) -> dict[str, Floats]:
    models = {"all": np.full(n, np.inf), "none": np.full(n, -np.inf)}
    for name, risk in risks.items():
        if name in models:
            raise InvalidInput(
                f"A model cannot be called {name!r}: that is a strategy of every "
                "decision curve. Rename it."
            )
        values = check_probability(risk, f"The risk of {name!r}")
        if values.shape != (n,):
            raise InvalidInput(
                f"The risk of {name!r} has shape {values.shape}; expected {n} values."
            )
        models[name] = values
    return models


def _interval(resampled: Floats, level: float) -> tuple[float, float]:
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
