"""Net reclassification and integrated discrimination: what a new model adds.

Both move with calibration and can favour a worse model; read them beside the c-index
and the decision curve, never in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.metrics.binary import check_binary, check_probability
from sarcfeat.metrics.resampling import resample_weights
from sarcfeat.survival import censoring_curve, make_y

__all__ = ["IDI", "NRI", "idi", "idi_survival", "nri", "nri_survival"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NRI:
    """Net reclassification improvement.

    Attributes
    ----------
    nri, se, ci_low, ci_high, p : float
        The sum of the two parts below; above 0 favours the new model.
    events, nonevents : float
        Net share moved up among patients with the outcome, and net share moved down
        among those without.
    events_low, events_high, nonevents_low, nonevents_high : float
        Their intervals.
    """

    nri: float
    events: float
    nonevents: float
    se: float
    ci_low: float
    ci_high: float
    p: float
    events_low: float
    events_high: float
    nonevents_low: float
    nonevents_high: float


@dataclass(frozen=True)
class IDI:
    """Integrated discrimination improvement.

    Attributes
    ----------
    idi, se, ci_low, ci_high, p : float
        How much further apart the mean risks of patients with and without the outcome
        are under the new model.
    """

    idi: float
    se: float
    ci_low: float
    ci_high: float
    p: float


def nri(
    y: npt.ArrayLike,
    risk_old: npt.ArrayLike,
    risk_new: npt.ArrayLike,
    *,
    cuts: Sequence[float] | None = None,
    level: float = 0.95,
) -> NRI:
    """Compute the net reclassification improvement of a new model.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    risk_old, risk_new : array-like of float, shape (n_patients,)
        Predicted probabilities of the outcome.
    cuts : sequence of float, optional
        Borders of the risk categories, for instance ``[0.2, 0.5]``; a risk at a
        border belongs above it. None: category-free, any move counts.
    level : float

    Returns
    -------
    NRI

    Raises
    ------
    InvalidInput
        A risk outside 0 and 1, or one outcome only.

    References
    ----------
    Pencina et al., Stat Med 2008 and 2011.

    Examples
    --------
    >>> result = nri([0, 0, 1, 1], [0.4, 0.5, 0.5, 0.6], [0.3, 0.6, 0.7, 0.8])
    >>> result.nri, result.events, result.nonevents
    (1.0, 1.0, 0.0)
    """
    flags, _ = check_binary(y, risk_old)
    move = _moves(flags, risk_old, risk_new, cuts)
    up, down = (move > 0).astype(float), (move < 0).astype(float)
    parts, variance, limits = [], 0.0, []
    for rows, sign in ((flags, 1), (~flags, -1)):
        net = float(up[rows].mean() - down[rows].mean())
        moved = float((up + down)[rows].mean())
        spread = (moved - net**2) / int(rows.sum())
        parts.append(sign * net + 0.0)  # no minus zero
        variance += spread
        limits += _normal(parts[-1], float(np.sqrt(spread)), level)[:2]
    value, se = sum(parts), float(np.sqrt(variance))
    return NRI(value, *parts, se, *_normal(value, se, level), *limits)


def idi(
    y: npt.ArrayLike,
    risk_old: npt.ArrayLike,
    risk_new: npt.ArrayLike,
    *,
    level: float = 0.95,
) -> IDI:
    """Compute the integrated discrimination improvement of a new model.

    Parameters
    ----------
    y, risk_old, risk_new, level
        As in :func:`nri`.

    Returns
    -------
    IDI

    References
    ----------
    Pencina et al., Stat Med 2008.

    Examples
    --------
    >>> result = idi([0, 0, 1, 1], [0.4, 0.5, 0.5, 0.6], [0.3, 0.6, 0.7, 0.8])
    >>> round(result.idi, 3)
    0.2
    """
    flags, _ = check_binary(y, risk_old)
    gain = check_probability(risk_new) - check_probability(risk_old)
    ill, well = gain[flags], gain[~flags]
    value = float(ill.mean() - well.mean())
    with np.errstate(invalid="ignore", divide="ignore"):
        se = float(
            np.sqrt(np.var(ill, ddof=1) / len(ill) + np.var(well, ddof=1) / len(well))
            if min(len(ill), len(well)) > 1
            else np.nan
        )
    return IDI(value, se, *_normal(value, se, level))


def nri_survival(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk_old: npt.ArrayLike,
    risk_new: npt.ArrayLike,
    at: float,
    *,
    cuts: Sequence[float] | None = None,
    n_bootstrap: int = 500,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> NRI:
    """Compute the net reclassification improvement by a time, with censoring.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk_old, risk_new : array-like of float, shape (n_patients,)
        Predicted probabilities of the event by `at`.
    at : float
        The horizon, in the unit of `time`.
    cuts : sequence of float, optional
        As in :func:`nri`.
    n_bootstrap : int
        Resamples of patients for the interval.
    level : float
    random_state : int, Generator or None

    Returns
    -------
    NRI
        ``p`` is that of the normal approximation with the bootstrap's error.

    Raises
    ------
    NoEvents
        No event by `at`.
    InvalidInput
        A horizon beyond the follow-up, or a risk outside 0 and 1.

    References
    ----------
    Pencina et al., Stat Med 2011, with inverse-probability-of-censoring weights (Uno
    et al., Stat Med 2013; R's ``survIDINRI``).

    Examples
    --------
    >>> result = nri_survival([1, 1, 0, 0], [1, 2, 5, 6], [0.5, 0.5, 0.5, 0.5],
    ...                       [0.8, 0.4, 0.3, 0.2], at=3, random_state=0)
    >>> result.nri
    1.0
    """
    case, control, n = _weights_at(event, time, at)
    move = np.sign(_moves(np.zeros(n, bool), risk_old, risk_new, cuts))

    def parts(weight: Floats) -> Floats:
        return np.stack(
            [_mean(weight * case, move), -_mean(weight * control, move)], axis=-1
        )

    point = parts(np.ones((1, n)))[0]
    weights = resample_weights(n, n_bootstrap, random_state)
    resampled = parts(weights)
    value, up, down = float(point.sum()), float(point[0]), float(point[1])
    whole = _percentile(value, resampled.sum(axis=-1), level)
    limits = [
        limit
        for k, part in enumerate((up, down))
        for limit in _percentile(part, resampled[:, k], level)[1:3]
    ]
    return NRI(value, up, down, *whole, *limits)


def idi_survival(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk_old: npt.ArrayLike,
    risk_new: npt.ArrayLike,
    at: float,
    *,
    n_bootstrap: int = 500,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> IDI:
    """Compute the integrated discrimination improvement by a time, with censoring.

    Parameters
    ----------
    event, time, risk_old, risk_new, at, n_bootstrap, level, random_state
        As in :func:`nri_survival`.

    Returns
    -------
    IDI

    References
    ----------
    Uno et al., Stat Med 2013 (R's ``survIDINRI``).

    Examples
    --------
    >>> result = idi_survival([1, 1, 0, 0], [1, 2, 5, 6], [0.5, 0.5, 0.5, 0.5],
    ...                       [0.8, 0.4, 0.3, 0.2], at=3, random_state=0)
    >>> round(result.idi, 3)
    0.35
    """
    case, control, n = _weights_at(event, time, at)
    gain = check_probability(risk_new) - check_probability(risk_old)

    def difference(weight: Floats) -> Floats:
        return _mean(weight * case, gain) - _mean(weight * control, gain)

    value = float(difference(np.ones((1, n)))[0])
    resampled = difference(resample_weights(n, n_bootstrap, random_state))
    return IDI(value, *_percentile(value, resampled, level))


def _moves(
    y: npt.NDArray[np.bool_],
    risk_old: npt.ArrayLike,
    risk_new: npt.ArrayLike,
    cuts: Sequence[float] | None,
) -> Floats:
    old, new = check_probability(risk_old), check_probability(risk_new)
    if not old.shape == new.shape == y.shape:
        raise InvalidInput(
            f"Expected {len(y)} risks each; got {old.shape} old and {new.shape} new."
        )
    if cuts is None:
        return np.asarray(new - old)
    borders = np.asarray(cuts, dtype=float)
    if not (np.diff(borders) > 0).all():
        raise InvalidInput(f"The cuts must rise; got {list(cuts)}.")
    before = np.searchsorted(borders, old, side="right")
    after = np.searchsorted(borders, new, side="right")
    return np.asarray(after - before, dtype=float)


def _normal(value: float, se: float, level: float) -> tuple[float, float, float]:
    half = float(norm.ppf((1 + level) / 2)) * se
    p = float(2 * norm.sf(abs(value / se))) if se > 0 else float("nan")
    return value - half, value + half, p


def _weights_at(
    event: npt.ArrayLike, time: npt.ArrayLike, at: float
) -> tuple[Floats, Floats, int]:
    """Weights of the patients with the event by `at`, and of those without."""
    y = make_y(event, time, zero="keep")
    flags, times = y["event"], y["time"]
    if not (times > at).any():
        raise InvalidInput(
            f"Nobody is followed beyond {at:g}; the last follow-up is "
            f"{times.max() if len(times) else float('nan'):g}. Choose an earlier time."
        )
    if not (flags & (times <= at)).any():
        raise NoEvents(f"Nobody had the event by {at:g}. Choose a later time.")
    curve = censoring_curve(flags, times)
    case = np.where(
        flags & (times <= at), 1 / np.maximum(curve.before(times), 1e-300), 0
    )
    return case, (times > at).astype(float), len(flags)


def _mean(weight: Floats, values: Floats) -> Floats:
    total = weight.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weight @ values / total)


def _percentile(
    value: float, resampled: Floats, level: float
) -> tuple[float, float, float, float]:
    known = resampled[~np.isnan(resampled)]
    if len(known) < 2:
        nan = float("nan")
        return nan, nan, nan, nan
    se = float(known.std(ddof=1))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    p = float(2 * norm.sf(abs(value / se))) if se > 0 else float("nan")
    return se, float(low), float(high), p
