"""Cox's partial likelihood, its derivatives, and Newton's method on it.

For a linear predictor eta = X b with v = w exp(eta), a term m of the likelihood (see
:mod:`sarcfeat.survival.risk_sets`) has the risk-set sum S_m of v and

    log L  = sum over events of w eta  -  sum_m a_m log S_m
    score  = X' (w event - v A),   A_j = sum of a_m / S_m over the terms of patient j
    info   = X' diag(v A) X  -  sum_m a_m xbar_m xbar_m'

so nothing larger than X is ever built, and event - exp(eta) A is the martingale
residual. Time is O(n p^2).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.stats import chi2

from sarcfeat._validation import listed
from sarcfeat.exceptions import NotConverged
from sarcfeat.survival.risk_sets import RiskSets

__all__ = ["CoxFit", "CoxState", "cox_state", "fit_cox", "wald_test"]

Floats = npt.NDArray[np.float64]

_MAX_HALVINGS = 30
_STEP_DONE = 1e-9  # per standard deviation of a column: far below any printed digit
_FLAT = 1e-12  # relative gain in log-likelihood under which it no longer rises
_LARGEST = 1e150  # a hazard whose square is still a number
_STEP_OPEN = 1e-3  # a step this long on a flat likelihood has no finite end
_ALIASED = 1e-10  # share of a column's information left after the columns before it


@dataclass(frozen=True)
class CoxState:
    """The partial likelihood at one coefficient vector.

    Attributes
    ----------
    loglik : float
        Log partial likelihood.
    risk : ndarray of shape (n_patients,)
        exp(eta), up to the factor ``exp(shift)`` that keeps it from overflowing.
    shift : float
        The largest eta.
    hazard : ndarray of shape (n_terms,)
        The step a_m / S_m of the baseline cumulative hazard, for ``risk`` as it is.
    mean : ndarray of shape (n_terms, n_features)
        The risk-weighted mean of X in each term's risk set.
    """

    loglik: float
    risk: Floats
    shift: float
    hazard: Floats
    mean: Floats
    X: Floats = field(repr=False)
    sets: RiskSets = field(repr=False)

    @property
    def martingale(self) -> Floats:
        """Observed minus expected events of each patient."""
        return self.sets.event - self.risk * self.sets.spread(self.hazard)

    def score(self, by_term: Floats | None = None) -> Floats:
        """Gradient of the log-likelihood; each event may carry a factor g(t)."""
        sets = self.sets
        if by_term is None:
            return np.asarray(self.X.T @ (sets.weight * self.martingale))
        of_group = np.zeros(len(sets.group_time))
        of_group[sets.term_group] = by_term
        factor = np.where(sets.event, of_group[sets.group_of_row], 0.0)
        expected = self.risk * sets.spread(self.hazard * by_term)
        return np.asarray(self.X.T @ (sets.weight * (factor - expected)))

    def information(self, by_term: Floats | float = 1.0) -> Floats:
        """Negative Hessian; each term may carry a factor."""
        step = self.hazard * by_term
        at_risk = self.sets.weight * self.risk * self.sets.spread(step)
        within = self.X.T @ (at_risk[:, None] * self.X)
        factor = self.sets.term_weight * by_term
        between = self.mean.T @ (factor[:, None] * self.mean)
        return np.asarray(within - between)

    def score_residuals(self) -> Floats:
        """Return each patient's part of the score, shape (n_patients, n_features)."""
        sets, terms = self.sets, self.sets.term_group
        of_group = np.zeros((len(sets.group_time), self.X.shape[1]))
        np.add.at(of_group, terms, self.mean)
        of_group /= np.bincount(terms)[:, None]
        expected = self.X * sets.spread(self.hazard)[:, None]
        expected -= sets.spread(self.hazard[:, None] * self.mean)
        residuals = -self.risk[:, None] * expected
        rows = np.flatnonzero(sets.event)
        residuals[rows] += self.X[rows] - of_group[sets.group_of_row[rows]]
        return np.asarray(residuals)


def cox_state(coef: npt.ArrayLike, X: Floats, sets: RiskSets) -> CoxState:
    """Evaluate Cox's partial likelihood at one coefficient vector.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        Log hazard ratios.
    X : ndarray of shape (n_patients, n_features)
    sets : RiskSets
        The target, with its ties, weights, strata and entry times.

    Returns
    -------
    CoxState
        With ``loglik``, ``score()``, ``information()`` and ``martingale``.

    References
    ----------
    Cox, J R Stat Soc B 1972; Efron, JASA 1977 (ties).

    Examples
    --------
    >>> sets = RiskSets([True, True, False], [1.0, 2.0, 3.0])
    >>> state = cox_state([0.0], np.array([[1.0], [0.0], [0.0]]), sets)
    >>> round(state.loglik, 4)  # -log 3 - log 2
    -1.7918
    """
    eta = X @ np.asarray(coef, dtype=float)
    shift = float(eta.max()) if np.isfinite(eta).all() else 0.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        risk = np.exp(eta - shift)
        v = sets.weight * risk
        total = sets.term_sums(v)
        hazard = sets.term_weight / total
        mean = sets.term_sums(v[:, None] * X) / total[:, None]
        observed = float(sets.weight[sets.event] @ (eta[sets.event] - shift))
        counted = sets.term_weight > 0
        logs = np.log(total[counted])
        loglik = observed - float(sets.term_weight[counted] @ logs)
    return CoxState(loglik, risk, shift, hazard, mean, X, sets)


@dataclass(frozen=True)
class CoxFit:
    """Coefficients of largest partial likelihood, and what comes with them.

    Attributes
    ----------
    coef, se : ndarray of shape (n_features,)
        Log hazard ratios and their standard errors; an aliased column has 0 and NaN.
    vcov : ndarray of shape (n_features, n_features)
        Inverse information.
    loglik, loglik_null : float
        Log partial likelihood at `coef` and at 0.
    lr_test, wald_test, score_test : tuple of (statistic, df, p)
        Of all coefficients being 0.
    aliased : ndarray of bool, shape (n_features,)
        Columns that are constant at the events, or given by the columns before them.
    diverging : ndarray of bool, shape (n_features,)
        Columns whose coefficient still grew when the fit stopped.
    converged : bool
    n_iter : int
    state : CoxState
        The likelihood at the solution, on the X that was given: centre it first where
        its columns are far from 0.
    """

    coef: Floats
    se: Floats
    vcov: Floats
    loglik: float
    loglik_null: float
    lr_test: tuple[float, int, float]
    wald_test: tuple[float, int, float]
    score_test: tuple[float, int, float]
    aliased: npt.NDArray[np.bool_]
    diverging: npt.NDArray[np.bool_]
    converged: bool
    n_iter: int
    state: CoxState = field(repr=False)

    def robust_vcov(self, cluster: npt.ArrayLike | None = None) -> Floats:
        """Return the sandwich covariance: each patient's influence, squared.

        Holds where case weights are no counts; with a `cluster` for each row, also
        where several rows belong to one patient. Lin & Wei, JASA 1989.
        """
        weight = self.state.sets.weight[:, None]
        influence = weight * self.state.score_residuals() @ np.nan_to_num(self.vcov)
        if cluster is not None:
            code = np.unique(np.asarray(cluster), return_inverse=True)[1].reshape(-1)
            rows, influence = influence, np.zeros((code.max() + 1, len(self.coef)))
            np.add.at(influence, code, rows)
        vcov = influence.T @ influence
        vcov[self.aliased, :] = vcov[:, self.aliased] = np.nan
        return np.asarray(vcov)


def fit_cox(
    X: npt.ArrayLike,
    sets: RiskSets,
    *,
    names: Sequence[str] | None = None,
    max_iter: int = 100,
) -> CoxFit:
    """Fit Cox's model by Newton's method with step-halving.

    Parameters
    ----------
    X : array-like of shape (n_patients, n_features)
    sets : RiskSets
        The target, with its ties, weights, strata and entry times.
    names : sequence of str, optional
        Column names for the warnings.
    max_iter : int
        Newton steps before giving up.

    Returns
    -------
    CoxFit

    Warns
    -----
    NotConverged
        A coefficient runs to infinity (one of its groups has no event, or the column
        separates the events), or `max_iter` is reached; the columns are named.

    References
    ----------
    Numbers agree with R's ``survival::coxph`` (golden cases ``cox``, ``cox_strata``).

    Examples
    --------
    >>> sets = RiskSets([1, 1, 1, 0], [1.0, 2.0, 3.0, 4.0])
    >>> fit = fit_cox(np.array([[1.0], [0.0], [1.0], [0.0]]), sets)
    >>> fit.coef.round(3)
    array([0.941])
    """
    X = np.ascontiguousarray(X, dtype=float)
    # The likelihood does not change with the centre; the scale makes one tolerance do.
    centre, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 1e-12 * np.abs(centre), scale, 1.0)
    Z = (X - centre) / scale
    start = cox_state(np.zeros(X.shape[1]), Z, sets)
    kept = ~_aliased(start.information())
    found = _newton(Z[:, kept], sets, max_iter)
    coef, vcov = np.zeros(len(kept)), np.full((len(kept), len(kept)), np.nan)
    diverging = np.zeros(len(kept), dtype=bool)
    coef[kept] = found.coef
    vcov[np.ix_(kept, kept)] = found.vcov
    diverging[kept] = found.diverging
    _warn(found, diverging, names or [f"x{j}" for j in range(len(kept))], max_iter)
    coef, vcov = coef / scale, vcov / np.outer(scale, scale)
    inside = np.ix_(kept, kept)
    df, u = int(kept.sum()), start.score()[kept]
    final = cox_state(coef, X, sets)
    return CoxFit(
        coef=coef,
        se=np.sqrt(np.diag(vcov)),
        vcov=vcov,
        loglik=found.loglik,
        loglik_null=start.loglik,
        lr_test=_chi2(2 * (found.loglik - start.loglik), df),
        wald_test=wald_test(coef, vcov),
        score_test=_chi2(float(u @ _solve(start.information()[inside], u)), df),
        aliased=~kept,
        diverging=diverging,
        converged=found.converged,
        n_iter=found.n_iter,
        state=final,
    )


@dataclass(frozen=True)
class _Found:
    coef: Floats
    vcov: Floats
    loglik: float
    diverging: npt.NDArray[np.bool_]
    converged: bool
    n_iter: int


def _newton(Z: Floats, sets: RiskSets, max_iter: int) -> _Found:
    coef = np.zeros(Z.shape[1])
    state = cox_state(coef, Z, sets)
    converged = Z.shape[1] == 0
    step, n_iter = np.zeros_like(coef), 0
    diverging = np.zeros(len(coef), dtype=bool)
    while not converged and n_iter < max_iter:
        n_iter += 1
        step = _solve(state.information(), state.score())
        trial = _halved(coef, step, state, Z, sets)
        if trial is None:
            # No better point along the step: as near as the digits allow, or lost.
            diverging = np.abs(step) > _STEP_OPEN
            converged = not diverging.any()
            break
        gain = trial[1].loglik - state.loglik
        step = trial[0] - coef
        coef, state = trial
        longest = float(np.abs(step).max())
        converged = longest <= _STEP_DONE * (1 + float(np.abs(coef).max()))
        flat = gain <= _FLAT * (1 + abs(state.loglik))
        if flat and longest > _STEP_OPEN:
            diverging = np.abs(step) > _STEP_OPEN
            break
    vcov = _solve(state.information(), np.eye(len(coef)))
    half = (vcov + vcov.T) / 2
    return _Found(coef, half, state.loglik, diverging, converged, n_iter)


def _halved(
    coef: Floats, step: Floats, state: CoxState, Z: Floats, sets: RiskSets
) -> tuple[Floats, CoxState] | None:
    """Take the step, halved until the likelihood does not fall."""
    slack = 1e-13 * (1 + abs(state.loglik))
    for halving in range(_MAX_HALVINGS):
        trial = coef + step / 2**halving
        new = cox_state(trial, Z, sets)
        finite = np.isfinite(new.mean).all() and (new.hazard < _LARGEST).all()
        if finite and new.loglik >= state.loglik - slack:
            return trial, new
    return None


def _aliased(information: Floats) -> npt.NDArray[np.bool_]:
    """Mark the columns that add no information to the columns before them."""
    left = information.copy()
    own = np.diag(information).copy()
    aliased = np.zeros(len(own), dtype=bool)
    for j in range(len(own)):
        if not left[j, j] > _ALIASED * max(own[j], 1e-3):
            aliased[j] = True
            continue
        left[j:, j:] -= np.outer(left[j:, j], left[j, j:]) / left[j, j]
    return aliased


def _solve(information: Floats, right: Floats) -> Floats:
    if not len(information):
        return np.zeros_like(right)
    try:
        return np.asarray(linalg.cho_solve(linalg.cho_factor(information), right))
    except linalg.LinAlgError:
        # Nearly singular on the way to infinity: the shortest step will do.
        return np.asarray(linalg.lstsq(information, right)[0])


def wald_test(coef: Floats, vcov: Floats) -> tuple[float, int, float]:
    """Test that all coefficients are 0; an aliased column (NaN) is not counted.

    Returns
    -------
    statistic, df, p : float, int, float

    Examples
    --------
    >>> wald_test(np.array([1.0]), np.array([[0.25]]))[:2]
    (4.0, 1)
    """
    known = ~np.isnan(np.diag(vcov))
    b = coef[known]
    statistic = float(b @ _solve(vcov[np.ix_(known, known)], b))
    return _chi2(statistic, int(known.sum()))


def _chi2(statistic: float, df: int) -> tuple[float, int, float]:
    return statistic, df, float(chi2.sf(statistic, df)) if df else 1.0


def _warn(
    found: _Found,
    diverging: npt.NDArray[np.bool_],
    names: Sequence[str],
    max_iter: int,
) -> None:
    if diverging.any():
        columns = [name for name, runs in zip(names, diverging, strict=True) if runs]
        warnings.warn(
            f"The coefficient of {listed(columns)} runs to infinity: the column "
            "separates the events (for instance a group without any event). Leave it "
            "out, merge categories, or use a penalty: CoxPH(firth=True), LassoCox.",
            NotConverged,
            stacklevel=4,
        )
    elif not found.converged:
        warnings.warn(
            f"Newton's method did not converge in {max_iter} steps for the columns "
            f"{listed(names)}. Standardise the columns, or leave out those that are "
            "nearly the same.",
            NotConverged,
            stacklevel=4,
        )
