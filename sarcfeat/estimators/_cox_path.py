r"""Elastic-net Cox regression along a path of penalties, solved to its conditions.

The problem is glmnet's: with columns of `Z` centred and scaled,

.. math:: \min_\beta -\ell(Z\beta)/n
          + \lambda \sum_j v_j (\alpha |\beta_j| + (1-\alpha) \beta_j^2 / 2) .

Coordinate descent (glmnet, scikit-survival's Coxnet) stops when its steps become
small, up to some per cent of lambda away from the solution when columns correlate.
Here each penalty is solved by Newton steps on the non-zero coefficients with their
signs held, letting one coefficient leave when it meets zero and others enter while
the optimality conditions ask for it: a few steps a penalty, exact to rounding. The
paths of several data sets (the folds of a cross-validation) go forward side by side,
each at its own penalty, so that one numpy call does a step of all of them.

References
----------
Simon, Friedman, Hastie, Tibshirani. Regularization paths for Cox's proportional
hazards model via coordinate descent. J Stat Softw 2011;39(5).
Lee, Battle, Raina, Ng. Efficient sparse coding algorithms. NIPS 2006 (the search
over signs). Tibshirani et al. Strong rules for discarding predictors. JRSSB 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import threadpool_limits

from sarcfeat.estimators._front import Front
from sarcfeat.estimators._partial_likelihood import (
    BreslowLikelihood,
    Floats,
)

__all__ = ["CoxPath", "PathProblem", "cox_paths"]

Bools = NDArray[np.bool_]

# glmnet's rules for ending its own path early (Cox models).
MIN_POINTS, MIN_GAIN, MAX_RATIO = 5, 1e-3, 0.99
ROUNDING = 1e-13  # no gradient is more exact than this
SCREEN_ABOVE = 500  # columns; below, looking at all is cheaper than screening


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
        last = len(self.lambdas) - 1
        if last == 0:
            return np.repeat(self.coef, len(lambdas), axis=1)
        x = np.clip(lambdas, self.lambdas[-1], self.lambdas[0])
        right = np.searchsorted(-self.lambdas, -x).clip(1, last)
        upper, lower = self.lambdas[right - 1], self.lambdas[right]
        share = (x - lower) / (upper - lower)
        left: Floats = self.coef[:, right - 1] * share
        return left + self.coef[:, right] * (1.0 - share)


@dataclass(frozen=True)
class PathProblem:
    """One data set and the path wanted on it.

    Parameters
    ----------
    Z : ndarray of shape (n_patients, n_columns)
        Centred, and scaled if coefficients are to be penalised alike; its rows in the
        order of `likelihood`.
    likelihood : BreslowLikelihood
    factor : ndarray of shape (n_columns,)
        How much each column is penalised.
    lambdas : ndarray, optional
        Penalties to fit, largest first; else `n_lambda` from the smallest that
        selects nothing down to `ratio` of it, ended early by glmnet's rules.
    """

    Z: Floats
    likelihood: BreslowLikelihood
    factor: Floats
    lambdas: Floats | None = None
    n_lambda: int = 100
    ratio: float = 1e-4

    def columns(self, which: Bools) -> PathProblem:
        """Return the problem over some of the columns."""
        return replace(self, Z=self.Z[:, which], factor=self.factor[which])


@dataclass
class _Trail:
    """What one data set has left to do, and what it has found."""

    problem: PathProblem
    lambdas: Floats
    floor: float  # the largest violation that counts as none, whatever the penalty
    betas: list[Floats] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    steps: int = 0
    solved: bool = True

    def __post_init__(self) -> None:
        likelihood = self.problem.likelihood
        self.saturated = likelihood.saturated
        zero = np.zeros((len(likelihood.event), 1))
        self.null_deviance = float(likelihood.deviances(zero)[0])

    @property
    def current(self) -> float:
        return float(self.lambdas[len(self.betas)])

    def record(self, beta: Floats, log_likelihood: float) -> bool:
        """Keep a solution and return whether there is more to do."""
        deviance = 2.0 * (self.saturated - log_likelihood)
        self.betas.append(beta.copy())
        # Nothing is to be explained where each event was alone at risk.
        null = self.null_deviance
        self.ratios.append(1.0 - deviance / null if null > 0 else 0.0)
        self.steps = 0
        if len(self.betas) == len(self.lambdas):
            return False
        return self.problem.lambdas is not None or not _finished(self.ratios)

    def path(self) -> CoxPath:
        p = self.problem.Z.shape[1]
        return CoxPath(
            np.asarray(self.lambdas[: len(self.betas)], dtype=float),
            np.array(self.betas).T if self.betas else np.zeros((p, 0)),
            np.array(self.ratios),
            self.null_deviance,
            self.solved,
        )


def _finished(ratios: list[float]) -> bool:
    """Apply glmnet's rules: nearly all explained, or hardly anything gained."""
    if len(ratios) < MIN_POINTS:
        return False
    gain = ratios[-1] - ratios[-MIN_POINTS]
    return gain < MIN_GAIN * ratios[-1] or ratios[-1] > MAX_RATIO


def _front(problems: Sequence[PathProblem], beta: Floats, alpha: float) -> Front:
    return Front(
        [problem.Z for problem in problems],
        [problem.likelihood for problem in problems],
        np.array([problem.factor for problem in problems]),
        beta,
        alpha,
    )


def _run(front: Front, trails: Sequence[_Trail], tol: float, max_iter: int) -> None:
    """Take every data set along its penalties; what is found goes to its trail."""
    left = list(trails)
    for k, trail in enumerate(left):
        front.aim(k, trail.current, max(tol * trail.current, trail.floor))
    while left:
        residual = front.residual()
        settled = residual.max(axis=1, initial=0.0) <= front.limit
        stay = np.array([trail.steps < max_iter for trail in left]) | settled
        for k in np.flatnonzero(settled):
            trail = left[k]
            stay[k] = trail.record(front.beta[k], float(front.state.log_likelihood[k]))
            if stay[k]:
                front.aim(k, trail.current, max(tol * trail.current, trail.floor))
        if not stay.all():
            for k in np.flatnonzero(~stay & ~settled):
                left[k].solved = False
            front = front.take(stay)
            left = [trail for trail, kept in zip(left, stay, strict=True) if kept]
        elif not settled.any():
            stuck = front.step(residual)
            for k, trail in enumerate(left):
                trail.steps = max_iter if stuck[k] else trail.steps + 1


def _run_screened(
    trail: _Trail, beta: Floats, alpha: float, tol: float, max_iter: int
) -> CoxPath:
    """Take one wide data set along, looking only at the columns that can matter.

    The strong rule names the columns at each penalty; one that it missed is found by
    a last look at all of them, and added.
    """
    problem, previous = trail.problem, trail.lambdas[0]
    full = _front([problem], beta[None], alpha)
    for lam in trail.lambdas:
        bound = alpha * problem.factor * max(2.0 * lam - previous, 0.0)
        watch = (beta != 0) | (np.abs(full.gradient[0]) >= bound)
        missed = watch
        while missed.any():
            watch = watch | missed
            part = _Trail(problem.columns(watch), np.array([lam]), trail.floor)
            _run(
                _front([part.problem], beta[None, watch], alpha), [part], tol, max_iter
            )
            if not part.solved:
                trail.solved = False
                return trail.path()
            beta = np.zeros_like(beta)
            beta[watch] = part.betas[0]
            full.move(beta[None])
            limit = lam * alpha * problem.factor + max(tol * lam, trail.floor)
            missed = (np.abs(full.gradient[0]) > limit) & ~watch
        previous = lam
        if not trail.record(beta, float(full.state.log_likelihood[0])):
            break
    return trail.path()


def _run_alone(
    trail: _Trail, beta: Floats, alpha: float, tol: float, max_iter: int
) -> CoxPath:
    # One BLAS thread whatever n_jobs is: the same bits from any number of workers.
    with threadpool_limits(limits=1):
        return _run_screened(trail, beta, alpha, tol, max_iter)


def cox_paths(
    problems: Sequence[PathProblem],
    alpha: float,
    *,
    tol: float = 1e-7,
    max_iter: int = 1000,
    n_jobs: int | None = None,
) -> list[CoxPath]:
    """Fit the paths of several data sets that have the same columns.

    Parameters
    ----------
    problems : sequence of PathProblem
    alpha : float
        1 is the lasso; less mixes in a ridge penalty.
    tol : float
        The largest violation of an optimality condition, as a share of lambda.
    max_iter : int
        The most Newton steps for one penalty; a path ends where they do not do.
    n_jobs : int, optional
        Joblib workers for the paths of wide data, which are fitted one by one.

    Returns
    -------
    list of CoxPath
    """
    if alpha == 0 and all(_turns(problem) for problem in problems):
        return [_turned(problem, tol, max_iter) for problem in problems]
    null = np.array([_null(problem, max_iter) for problem in problems])
    found = np.isfinite(null).all(axis=1)
    front = _front(problems, np.where(found[:, None], null, 0.0), alpha)
    trails = [
        _start(problem, gradient, alpha, tol)
        for problem, gradient in zip(problems, front.gradient, strict=True)
    ]
    for trail, ok in zip(trails, found, strict=True):
        trail.solved = bool(ok)
    able = [trail for trail in trails if trail.solved]
    if null.shape[1] <= SCREEN_ABOVE:
        _run(front.take(found), able, tol, max_iter)
        return [trail.path() for trail in trails]
    del front  # a copy of every data set
    wide = Parallel(n_jobs=n_jobs)(
        delayed(_run_alone)(trail, beta, alpha, tol, max_iter)
        for trail, beta in zip(able, null[found], strict=True)
    )
    paths = iter(wide)
    return [
        next(paths) if ok else trail.path()
        for trail, ok in zip(trails, found, strict=True)
    ]


def _turns(problem: PathProblem) -> bool:
    """Return whether a ridge may be solved in as many numbers as patients."""
    n, p = problem.Z.shape
    return p > n and bool((problem.factor == 1).all())


def _turned(problem: PathProblem, tol: float, max_iter: int) -> CoxPath:
    """Take a wide ridge along in the space of its rows, where its solutions lie."""
    start = _front([problem], np.zeros((1, problem.Z.shape[1])), 0.0)
    along = _start(problem, start.gradient[0], 0.0, tol)
    u, s, vt = linalg.svd(problem.Z, full_matrices=False)
    inside = replace(problem, Z=u * s, factor=np.ones(len(s)))
    trail = _Trail(inside, along.lambdas, along.floor)
    # Lengths are kept by the turn, but the largest of the slopes is not: look closer.
    with threadpool_limits(limits=1):
        _run(
            _front([inside], np.zeros((1, len(s))), 0.0), [trail], tol * 1e-2, max_iter
        )
    path = trail.path()
    return replace(path, coef=vt.T @ path.coef)


def _null(problem: PathProblem, max_iter: int) -> Floats:
    """Fit the columns that carry no penalty, all others at zero; NaN if that fails."""
    free = problem.factor == 0
    beta = np.zeros(problem.Z.shape[1])
    if free.any():
        trail = _Trail(problem.columns(free), np.zeros(1), 1e-12)
        _run(_front([trail.problem], beta[None, free], 1.0), [trail], 0.0, max_iter)
        beta[free] = trail.betas[0] if trail.solved else np.nan
    return beta


def _start(problem: PathProblem, gradient: Floats, alpha: float, tol: float) -> _Trail:
    """Return the penalties to visit, from the gradient where none is selected."""
    weighted = problem.factor > 0
    bound = np.abs(gradient[weighted]) / problem.factor[weighted]
    largest = float(bound.max(initial=0.0) / max(alpha, 1e-3))
    lambdas = problem.lambdas
    if lambdas is None and largest <= ROUNDING:
        lambdas = np.array([largest])  # nothing to select: the null model is the path
    elif lambdas is None:
        steps = np.arange(problem.n_lambda) / max(problem.n_lambda - 1, 1)
        lambdas = largest * problem.ratio**steps
    return _Trail(problem, lambdas, max(tol * 1e-6 * largest, ROUNDING))
