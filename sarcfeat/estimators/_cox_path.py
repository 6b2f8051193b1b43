r"""Elastic-net Cox regression along a path of penalties, solved to its conditions.

The problem is glmnet's: with columns of `Z` centred and scaled,

.. math:: \min_\beta -\ell(Z\beta)/n
          + \lambda \sum_j v_j (\alpha |\beta_j| + (1-\alpha) \beta_j^2 / 2) .

Coordinate descent (glmnet, scikit-survival's Coxnet) stops when its steps become
small, up to some per cent of lambda away from the solution when columns correlate.
Here each penalty is solved by Newton steps on the non-zero coefficients with their
signs held, letting one coefficient leave when it meets zero and others enter while
the optimality conditions ask for it: a few steps a penalty, exact to rounding.

References
----------
Simon, Friedman, Hastie, Tibshirani. Regularization paths for Cox's proportional
hazards model via coordinate descent. J Stat Softw 2011;39(5).
Lee, Battle, Raina, Ng. Efficient sparse coding algorithms. NIPS 2006 (the search
over signs). Tibshirani et al. Strong rules for discarding predictors. JRSSB 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from sarcfeat.estimators._partial_likelihood import BreslowLikelihood, Floats, State

__all__ = ["CoxPath", "Penalty", "cox_path", "kkt_residual"]

# glmnet's rules for ending its own path early (Cox models).
MIN_POINTS, MIN_GAIN, MAX_RATIO = 5, 1e-3, 0.99
MAX_HALVINGS = 40
ROUNDING = 1e-13  # no gradient is more exact than this
SCREEN_ABOVE = 500  # columns; below, looking at all is cheaper than screening


@dataclass(frozen=True)
class Penalty:
    """The elastic-net penalty: `alpha` 1 is the lasso; `factor` one weight a column."""

    alpha: float
    factor: Floats

    def l1(self, lam: float) -> Floats:
        """Return the weight of each absolute value."""
        return lam * self.alpha * self.factor

    def l2(self, lam: float) -> Floats:
        """Return the weight of each half square."""
        return lam * (1.0 - self.alpha) * self.factor


@dataclass(frozen=True)
class CoxPath:
    """Solutions along the path; ``coef`` has one column a penalty."""

    lambdas: Floats
    coef: Floats
    deviance_ratio: Floats
    null_deviance: float
    converged: bool

    def at(self, lambdas: Floats) -> Floats:
        """Interpolate the coefficients linearly, holding them beyond the ends."""
        x = np.clip(lambdas, self.lambdas[-1], self.lambdas[0])
        right = np.searchsorted(-self.lambdas, -x).clip(
            1, max(len(self.lambdas) - 1, 1)
        )
        if len(self.lambdas) == 1:
            return np.repeat(self.coef, len(lambdas), axis=1)
        upper, lower = self.lambdas[right - 1], self.lambdas[right]
        share = (x - lower) / (upper - lower)
        left: Floats = self.coef[:, right - 1] * share
        return left + self.coef[:, right] * (1.0 - share)


@dataclass(frozen=True)
class _Point:
    """The problem at one coefficient vector."""

    beta: Floats
    state: State
    objective: float
    gradient: Floats  # of the smooth part


@dataclass(frozen=True)
class _Problem:
    """One penalty's problem over some columns."""

    Z: Floats
    likelihood: BreslowLikelihood
    l1: Floats
    l2: Floats

    def at(self, beta: Floats) -> _Point:
        state = self.likelihood.state(self.Z @ beta)
        ridge = self.l2 * beta
        penalty = self.l1 @ np.abs(beta) + 0.5 * (ridge @ beta)
        objective = float(penalty - state.log_likelihood / len(self.Z))
        gradient = ridge - (state.residual @ self.Z) / len(self.Z)
        return _Point(beta, state, objective, gradient)

    def curvature(self, point: _Point, active: NDArray[np.intp]) -> Floats:
        matrix = self.likelihood.information(point.state, self.Z[:, active])
        matrix /= len(self.Z)
        matrix.ravel()[:: len(active) + 1] += self.l2[active]
        return matrix


def kkt_residual(gradient: Floats, beta: Floats, l1: Floats) -> Floats:
    """Return how far each coefficient is from its optimality condition.

    `gradient` is that of the smooth part: a non-zero coefficient needs it to be
    ``-l1 * sign(beta)``, a zero one needs it within ``[-l1, l1]``.
    """
    inside = np.maximum(np.abs(gradient) - l1, 0.0)
    return np.where(beta != 0, np.abs(gradient + l1 * np.sign(beta)), inside)


def _newton_direction(matrix: Floats, gradient: Floats) -> Floats:
    """Solve for the step; a singular matrix gets the smallest ridge that works."""
    _, step, info = dposv(matrix, -gradient)
    ridge = 1e-10 * max(float(matrix.diagonal().max()), 1e-12)
    while info != 0 or not np.isfinite(step).all():
        _, step, info = dposv(matrix + ridge * np.eye(len(matrix)), -gradient)
        ridge *= 100.0
    return np.asarray(step)


def _step(
    problem: _Problem, point: _Point, sign: Floats, active: NDArray[np.intp]
) -> _Point:
    """Take one Newton step over the active coefficients, keeping their signs."""
    matrix = problem.curvature(point, active)
    while True:
        gradient = point.gradient[active] + (problem.l1 * sign)[active]
        step = _newton_direction(matrix, gradient)
        # One that has just entered must move in the direction it entered by.
        keep = (point.beta[active] != 0) | (step * sign[active] >= 0)
        if keep.all():
            return _line_search(problem, point, sign, active, step, gradient @ step)
        matrix, active = matrix[np.ix_(keep, keep)], active[keep]


def _line_search(
    problem: _Problem,
    point: _Point,
    sign: Floats,
    active: NDArray[np.intp],
    step: Floats,
    slope: float,
) -> _Point:
    """Go along `step` until a coefficient meets zero, or less far if that is worse."""
    old = point.beta[active]
    length, reach = 1.0, np.full(len(active), np.inf)
    crossing = (old + step) * sign[active] < 0
    if crossing.any():
        reach[crossing] = -old[crossing] / step[crossing]
        length = float(reach.min())
    slack = 1e-13 * max(abs(point.objective), 1.0)
    for _ in range(MAX_HALVINGS):
        beta = point.beta.copy()
        beta[active] = np.where(reach <= length, 0.0, old + length * step)
        new = problem.at(beta)
        if new.objective <= point.objective + 1e-4 * length * slope + slack:
            break
        length /= 2.0
    return new


def _minimise(
    problem: _Problem, beta: Floats, tol: float, max_iter: int
) -> tuple[_Point, bool]:
    """Solve one penalty from a starting point; return the solution and if it is one."""
    free = problem.l1 == 0
    point = problem.at(beta)
    for _ in range(max_iter):
        residual = kkt_residual(point.gradient, point.beta, problem.l1)
        if residual.max(initial=0.0) <= tol:
            return point, True
        sign = np.sign(point.beta)
        sign[free] = 0.0
        active = (point.beta != 0) | free
        outside = residual * ~active
        worst = outside.max()
        if worst > tol and worst >= (residual * active).max():
            entering = outside >= 0.5 * worst
            sign[entering] = -np.sign(point.gradient[entering])
            active |= entering
        point = _step(problem, point, sign, active.nonzero()[0])
    return point, False


def _screened(
    problem: _Problem, start: _Point, bound: Floats, tol: float, max_iter: int
) -> tuple[_Point, bool]:
    """Solve over the columns that can matter, and check all of them at the end.

    The strong rule names the columns by `bound`; one that it missed is added.
    """
    Z, likelihood, l1, l2 = problem.Z, problem.likelihood, problem.l1, problem.l2
    beta = start.beta
    watch = (beta != 0) | (np.abs(start.gradient) >= bound)
    while True:
        few = _Problem(np.asfortranarray(Z[:, watch]), likelihood, l1[watch], l2[watch])
        part, solved = _minimise(few, beta[watch], tol, max_iter)
        beta = np.zeros_like(beta)
        beta[watch] = part.beta
        point = problem.at(beta)
        missed = ~watch & (np.abs(point.gradient) > l1 + tol)
        if not solved or not missed.any():
            return point, solved
        watch |= missed


def _null_point(
    Z: Floats, likelihood: BreslowLikelihood, free: NDArray[np.bool_], max_iter: int
) -> tuple[_Point, bool]:
    """Fit the columns that carry no penalty, all others at zero."""
    beta = np.zeros(Z.shape[1])
    zero = np.zeros_like(beta)
    solved = True
    if free.any():
        part = _Problem(Z[:, free], likelihood, zero[free], zero[free])
        point, solved = _minimise(part, zero[free], 1e-12, max_iter)
        beta[free] = point.beta
    return _Problem(Z, likelihood, zero, zero).at(beta), solved


def _largest(gradient: Floats, penalty: Penalty) -> float:
    """Return the smallest penalty at which no penalised column is selected."""
    factor = penalty.factor
    weighted = factor > 0
    bound = (np.abs(gradient[weighted]) / factor[weighted]).max(initial=0.0)
    return float(bound / max(penalty.alpha, 1e-3))


def _sequence(largest: float, n_lambda: int, ratio: float) -> Floats:
    """Return `n_lambda` penalties from the largest down, evenly on the log scale."""
    return largest * ratio ** (np.arange(n_lambda) / max(n_lambda - 1, 1))


def _finished(ratios: list[float]) -> bool:
    """Apply glmnet's rules: nearly all explained, or hardly anything gained."""
    if len(ratios) < MIN_POINTS:
        return False
    gain = ratios[-1] - ratios[-MIN_POINTS]
    return gain < MIN_GAIN * ratios[-1] or ratios[-1] > MAX_RATIO


def cox_path(
    Z: Floats,
    event: NDArray[np.bool_],
    time: Floats,
    penalty: Penalty,
    *,
    lambdas: Floats | None = None,
    n_lambda: int = 100,
    ratio: float = 1e-4,
    tol: float = 1e-7,
    max_iter: int = 1000,
) -> CoxPath:
    """Fit the path.

    Parameters
    ----------
    Z : ndarray of shape (n_patients, n_columns)
        Centred, and scaled if coefficients are to be penalised alike.
    event, time : ndarray of shape (n_patients,)
    penalty : Penalty
    lambdas : ndarray, optional
        Penalties to fit, largest first; else `n_lambda` from the smallest that
        selects nothing down to `ratio` of it, ended early by glmnet's rules.
    tol : float
        The largest violation of an optimality condition, as a share of lambda.
    max_iter : int
        The most Newton steps for one penalty; the path ends where they do not do.

    Returns
    -------
    CoxPath
    """
    likelihood = BreslowLikelihood.of(event, time)
    Z = np.asfortranarray(Z[likelihood.order])
    null, solved = _null_point(Z, likelihood, penalty.factor == 0, max_iter)
    largest = _largest(null.gradient, penalty)
    wanted = _sequence(largest, n_lambda, ratio) if lambdas is None else lambdas
    if largest <= ROUNDING and lambdas is None:
        wanted = np.array([largest])  # nothing to select: the null model is the path
    floor = likelihood.null_deviance
    points: list[_Point] = []
    ratios: list[float] = []
    previous = largest
    for lam in wanted if solved else []:
        problem = _Problem(Z, likelihood, penalty.l1(lam), penalty.l2(lam))
        start = points[-1] if points else null
        limit = max(tol * max(lam, 1e-6 * largest), ROUNDING)
        if Z.shape[1] > SCREEN_ABOVE:
            bound = penalty.l1(max(2.0 * lam - previous, 0.0))
            point, solved = _screened(problem, start, bound, limit, max_iter)
        else:
            point, solved = _minimise(problem, start.beta, limit, max_iter)
        if not solved:
            break
        previous = lam
        points.append(point)
        ratios.append(1.0 - likelihood.deviance(point.state) / floor)
        if lambdas is None and _finished(ratios):
            break
    coef = np.zeros((Z.shape[1], len(points)))
    for k, point in enumerate(points):
        coef[:, k] = point.beta
    ended = np.asarray(wanted[: len(points)], dtype=float)
    return CoxPath(ended, coef, np.array(ratios), floor, solved)
