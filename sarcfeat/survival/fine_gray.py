"""Fine and Gray's regression on the cumulative incidence of one cause.

A patient who had an event of another cause stays in the risk sets of the cause of
interest, with the weight G(u-)/G(T-) that he would still be uncensored at u, G being
Kaplan–Meier of the censoring. So each risk-set sum at u is one sum over those still
followed plus G(u-) times one over the others who left before, both cumulative sums in
time, and a fit costs O(n p^2) a step.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import linalg

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput, NotConverged
from sarcfeat.survival.causes import check_causes
from sarcfeat.survival.censoring import censoring_curve

__all__ = ["FineGrayFit", "fit_fine_gray"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

_MAX_HALVINGS = 30
_STEP_DONE = 1e-10  # per standard deviation of a column
_FLAT = 1e-12  # relative gain in log-likelihood under which it no longer rises
_STEP_OPEN = 1e-3  # a step this long on a flat likelihood has no finite end


@dataclass(frozen=True)
class FineGrayFit:
    """Coefficients of a subdistribution hazard, and what comes with them.

    Attributes
    ----------
    coef, se : ndarray of shape (n_features,)
        Log subdistribution hazard ratios and their robust standard errors.
    vcov : ndarray of shape (n_features, n_features)
        Robust covariance; it counts that the censoring was estimated.
    loglik, loglik_null : float
        Log pseudo-likelihood at `coef` and at 0.
    time : ndarray of shape (n_times,)
        The distinct times of events of the cause.
    baseline : ndarray of shape (n_times,)
        Baseline cumulative subdistribution hazard at `time`, at X = 0.
    converged : bool
    n_iter : int
    variance : ndarray of shape (n_times,)
        Of `baseline`, were the coefficients and the weights of the others known.
    drift : ndarray of shape (n_times, n_features)
        The hazard-weighted sum of the mean of X at risk, from which the error of the
        coefficients is carried on; as in :class:`BaselineHazard`.
    """

    coef: Floats
    se: Floats
    vcov: Floats
    loglik: float
    loglik_null: float
    time: Floats
    baseline: Floats = field(repr=False)
    converged: bool
    n_iter: int
    variance: Floats = field(repr=False)
    drift: Floats = field(repr=False)

    def incidence(self, X: npt.ArrayLike, times: npt.ArrayLike) -> Floats:
        """Return the cumulative incidence of rows of X, shape (n, n_times)."""
        risk = np.exp(np.asarray(X, dtype=float) @ self.coef)
        where = np.searchsorted(self.time, np.asarray(times, float), side="right")
        hazard = np.r_[0.0, self.baseline][np.atleast_1d(where)]
        return np.asarray(-np.expm1(-risk[:, None] * hazard))


def fit_fine_gray(
    X: npt.ArrayLike,
    status: npt.ArrayLike,
    time: npt.ArrayLike,
    *,
    cause: int = 1,
    ties: str = "together",
    names: Sequence[str] | None = None,
    max_iter: int = 50,
) -> FineGrayFit:
    """Fit Fine and Gray's model by Newton's method.

    Parameters
    ----------
    X : array-like of shape (n_patients, n_features)
    status : array-like of int, shape (n_patients,)
        0 censored, else the code of the cause.
    time : array-like of float, shape (n_patients,)
    cause : int
        The cause of interest.
    ties : {"together", "event_first"}
        Where an event and a censoring share a time; as
        :func:`censoring_curve`. ``together`` is ``cmprsk::crr``, ``event_first``
        ``survival::finegray``.
    names : sequence of str, optional
        Of the columns, for the warning.
    max_iter : int
        Newton steps before giving up.

    Returns
    -------
    FineGrayFit

    Raises
    ------
    InvalidInput
        X that is not finite or of another length.
    NoEvents
        Nobody had an event of `cause`.

    Warns
    -----
    NotConverged
        `max_iter` is reached or a coefficient runs to infinity.

    References
    ----------
    Fine & Gray, JASA 1999; numbers agree with R's ``cmprsk::crr`` (golden cases
    ``competing_risks``).

    Examples
    --------
    >>> X = np.array([[1.0], [0.0], [1.0], [0.0], [1.0]])
    >>> fit = fit_fine_gray(X, [1, 1, 2, 0, 1], [1.0, 2, 3, 4, 5])
    >>> fit.coef.round(3), fit.se.round(3)
    (array([-0.203]), array([1.146]))
    """
    pick(ties, ("together", "event_first"), "tie rule")
    X = np.ascontiguousarray(X, dtype=float)
    codes, times = check_causes(status, time, cause=cause)
    if X.ndim != 2 or len(X) != len(codes) or not np.isfinite(X).all():
        raise InvalidInput(
            f"X has shape {X.shape} for {len(codes)} patients; expected as many rows "
            "of finite numbers."
        )
    centre, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 1e-12 * np.abs(centre), scale, 1.0)
    sets = _Sets(codes, times, cause, ties)
    Z = (X - centre)[sets.order] / scale
    coef = np.zeros(X.shape[1])
    null = state = _state(coef, Z, sets)
    converged, n_iter = X.shape[1] == 0, 0
    while not converged and n_iter < max_iter:
        n_iter += 1
        step = _solved(state.information(), state.score())
        found = _halved(coef, step, state, Z, sets)
        if found is None:
            break
        moved = float(np.abs(found[0] - coef).max())
        gain = found[1].loglik - state.loglik
        coef, state = found
        if gain <= _FLAT * (1 + abs(state.loglik)) and moved > _STEP_OPEN:
            break  # a flat likelihood and still a long step: no finite end
        converged = moved <= _STEP_DONE * (1 + float(np.abs(coef).max()))
    if not converged:
        worst = int(np.abs(coef).argmax())
        named = f"column {worst}" if names is None else f"{names[worst]!r}"
        warnings.warn(
            f"The Fine–Gray fit did not converge in {n_iter} steps; {named} has the "
            f"largest coefficient, {coef[worst] / scale[worst]:.3g}. It may separate "
            "the events: leave it out or merge its categories.",
            NotConverged,
            stacklevel=2,
        )
    influence = state.influence()
    bread = _solved(state.information(), np.eye(len(coef)))
    vcov = bread @ (influence.T @ influence) @ bread.T / np.outer(scale, scale)
    coef = coef / scale
    step = state.hazard * float(np.exp(-centre @ coef - state.shift))
    return FineGrayFit(
        coef,
        np.sqrt(np.diag(vcov)),
        vcov,
        state.loglik,
        null.loglik,
        sets.group_time,
        np.cumsum(step),
        converged,
        n_iter,
        np.cumsum(step**2 / sets.n_events),
        np.cumsum(step[:, None] * (centre + state.mean * scale), axis=0),
    )


class _Sets:
    """Patients in time order, and where each stands among the events of the cause."""

    def __init__(
        self, status: npt.NDArray[np.int64], time: Floats, cause: int, ties: str
    ) -> None:
        self.order = np.argsort(time, kind="stable")
        status, self.time = status[self.order], time[self.order]
        self.event = status == cause
        self.other = (status != cause) & (status > 0)
        self.censored = status == 0
        curve = censoring_curve(status > 0, self.time, ties=ties)
        self.group_time, self.n_events = np.unique(
            self.time[self.event], return_counts=True
        )
        self.g_group = curve.before(self.group_time)
        g = curve.before(self.time)
        self.per_g = np.divide(1.0, g, out=np.zeros_like(g), where=g > 0)
        self.first = np.searchsorted(self.time, self.group_time, side="left")
        # Groups up to and including the patient's own time.
        self.until = np.searchsorted(self.group_time, self.time, side="right")
        self.from_own = np.searchsorted(self.group_time, self.time, side="left")
        self.start = np.searchsorted(self.time, self.time, side="left")

    def sums(self, values: Floats) -> Floats:
        """Weighted sum over the risk set of each group."""
        total = _running(values)
        kept = self.other.reshape(-1, *[1] * (values.ndim - 1))
        left = _running(np.where(kept, self._over_g(values), 0.0))[self.first]
        g = self.g_group.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(total[-1] - total[self.first] + g * left)

    def spread(self, values: Floats) -> Floats:
        """Weighted sum of a value of each group over the sets a patient is in."""
        seen = _running(values)
        g = self.g_group.reshape(-1, *[1] * (values.ndim - 1))
        later = _running(g * values)
        kept = self.other.reshape(-1, *[1] * (values.ndim - 1))
        extra = self._over_g(later[-1] - later[self.until])
        return np.asarray(seen[self.until] + np.where(kept, extra, 0.0))

    def _over_g(self, values: Floats) -> Floats:
        return values * self.per_g.reshape(-1, *[1] * (values.ndim - 1))


@dataclass(frozen=True)
class _State:
    loglik: float
    shift: float
    risk: Floats
    hazard: Floats
    mean: Floats
    Z: Floats
    sets: _Sets

    def score(self) -> Floats:
        expected = self.risk * self.sets.spread(self.hazard)
        return np.asarray(self.Z.T @ (self.sets.event - expected))

    def information(self) -> Floats:
        at_risk = self.risk * self.sets.spread(self.hazard)
        within = self.Z.T @ (at_risk[:, None] * self.Z)
        return np.asarray(
            within - self.mean.T @ (self.sets.n_events[:, None] * self.mean)
        )

    def influence(self) -> Floats:
        """Each patient's part of the score, with that of the estimated censoring."""
        sets, risk = self.sets, self.risk[:, None]
        expected = self.Z * sets.spread(self.hazard)[:, None]
        expected -= sets.spread(self.hazard[:, None] * self.mean)
        eta = -risk * expected
        rows = np.flatnonzero(sets.event)
        eta[rows] += self.Z[rows] - self.mean[sets.until[rows] - 1]
        # q(t): how the score moves with the weights of those who left before t.
        gone = np.where(sets.other, self.risk * sets.per_g, 0.0)
        r0 = _running(gone)[sets.start]
        r1 = _running(gone[:, None] * self.Z)[sets.start]
        step = sets.g_group * self.hazard
        h0, h1 = _running(step), _running(step[:, None] * self.mean)
        h0 = (h0[-1] - h0[sets.from_own])[:, None]
        h1 = h1[-1] - h1[sets.from_own]
        q = r1 * h0 - r0[:, None] * h1
        at_risk = (len(self.risk) - sets.start)[:, None]
        jumps = np.where(sets.censored[:, None], q / at_risk, 0.0)
        drift = _running(jumps / at_risk)
        end = np.searchsorted(sets.time, sets.time, side="right")
        return np.asarray(eta + jumps - drift[end])


def _state(coef: Floats, Z: Floats, sets: _Sets) -> _State:
    eta = Z @ coef
    shift = float(eta.max()) if len(coef) and np.isfinite(eta).all() else 0.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        risk = np.exp(eta - shift)
        total = sets.sums(risk)
        mean = sets.sums(risk[:, None] * Z) / total[:, None]
        loglik = float((eta[sets.event] - shift).sum() - sets.n_events @ np.log(total))
    return _State(loglik, shift, risk, sets.n_events / total, mean, Z, sets)


def _halved(
    coef: Floats, step: Floats, state: _State, Z: Floats, sets: _Sets
) -> tuple[Floats, _State] | None:
    """Take the step, halved until the likelihood does not fall."""
    slack = 1e-13 * (1 + abs(state.loglik))
    for halving in range(_MAX_HALVINGS):
        trial = coef + step / 2**halving
        new = _state(trial, Z, sets)
        if new.loglik >= state.loglik - slack:
            return trial, new
    return None


def _solved(information: Floats, right: Floats) -> Floats:
    if not len(information):
        return np.zeros_like(right)
    try:
        return np.asarray(linalg.cho_solve(linalg.cho_factor(information), right))
    except linalg.LinAlgError:
        return np.asarray(linalg.lstsq(information, right)[0])


def _running(values: Floats) -> Floats:
    zero = np.zeros((1, *values.shape[1:]))
    return np.concatenate([zero, np.cumsum(values, axis=0)])
