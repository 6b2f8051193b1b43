"""Newton steps on the elastic-net Cox problems of several data sets at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from sarcfeat.estimators._partial_likelihood import (
    BreslowLikelihood,
    Floats,
    Stacked,
    State,
)

__all__ = ["Front", "kkt_residual"]

Bools = NDArray[np.bool_]

MAX_HALVINGS = 40
MAX_RIDGES = 12
TOGETHER_UP_TO = 48  # active columns; above, each data set is better off on its own


def kkt_residual(gradient: Floats, beta: Floats, l1: Floats) -> Floats:
    """Return how far each coefficient is from its optimality condition.

    `gradient` is that of the smooth part: a non-zero coefficient needs it to be
    ``-l1 * sign(beta)``, a zero one needs it within ``[-l1, l1]``.
    """
    inside = np.maximum(np.abs(gradient) - l1, 0.0)
    return np.where(beta != 0, np.abs(gradient + l1 * np.sign(beta)), inside)


class Front:
    """Data sets side by side, each at one coefficient vector and one penalty.

    Parameters
    ----------
    Z : sequence of ndarray of shape (n_patients, n_columns)
        Rows in the order of the likelihoods; numbers of patients may differ.
    likelihoods : sequence of BreslowLikelihood
    factor, beta : ndarray of shape (K, n_columns)
        Weights of the penalty, and where to start.
    alpha : float
        Share of the lasso in the penalty.
    """

    def __init__(
        self,
        Z: Sequence[Floats],
        likelihoods: Sequence[BreslowLikelihood],
        factor: Floats,
        beta: Floats,
        alpha: float,
    ) -> None:
        self.likelihood = Stacked.of(likelihoods)
        self.size = np.array([one.size for one in likelihoods])
        self.Z = np.zeros((*self.likelihood.event.shape, beta.shape[1]))
        for k, rows in enumerate(Z):
            self.Z[k, : len(rows)] = rows
        self.factor, self.alpha = factor, alpha
        self.limit = np.zeros(len(Z))
        self.l1, self.l2 = np.zeros_like(beta), np.zeros_like(beta)
        self.move(beta)

    def take(self, which: Bools | slice) -> Front:
        """Return some of the data sets, where they are."""
        part = object.__new__(Front)
        part.alpha = self.alpha
        part.likelihood = self.likelihood.take(which)
        part.state = self.state.take(which)
        for name in ("Z", "size", "factor", "beta", "limit", "l1", "l2", "gradient"):
            setattr(part, name, getattr(self, name)[which])
        return part

    def aim(self, k: int, lam: float, limit: float) -> None:
        """Set the penalty of one data set."""
        self.l1[k] = lam * self.alpha * self.factor[k]
        self.l2[k] = lam * (1.0 - self.alpha) * self.factor[k]
        self.limit[k] = limit

    def evaluate(self, beta: Floats) -> State:
        """Return the likelihoods at coefficients."""
        return self.likelihood.state((self.Z @ beta[:, :, None])[:, :, 0])

    def objective(self, beta: Floats, state: State) -> Floats:
        """Return the penalised objectives."""
        penalty = (self.l1 * np.abs(beta) + 0.5 * self.l2 * beta**2).sum(axis=1)
        return np.asarray(penalty - state.log_likelihood / self.size)

    def move(self, beta: Floats, state: State | None = None) -> None:
        """Go to coefficients and take the gradient of the likelihood there."""
        self.beta = beta
        self.state = self.evaluate(beta) if state is None else state
        slope = (self.state.residual[:, None, :] @ self.Z)[:, 0, :]
        self.gradient = -slope / self.size[:, None]

    def residual(self) -> Floats:
        """Return how far each coefficient is from its condition."""
        smooth = self.gradient + self.l2 * self.beta
        return kkt_residual(smooth, self.beta, self.l1)

    def step(self, residual: Floats) -> Bools:
        """Take one Newton step over the active coefficients of each data set.

        Returns which data sets got no further: their coefficients run away.
        """
        sign, active = self._signs(residual)
        gradient = self.gradient + self.l2 * self.beta + self.l1 * sign
        direction = np.zeros_like(self.beta)
        union = active.any(axis=0)
        if len(active) == 1 or union.sum() <= TOGETHER_UP_TO:
            direction[:, union] = self._directions(gradient, sign, active, union)
        else:
            for k, own in enumerate(active):
                one = slice(k, k + 1)
                direction[one, own] = self.take(one)._directions(
                    gradient[one], sign[one], active[one], own
                )
        return self._line_search(direction, sign, (gradient * direction).sum(axis=1))

    def _signs(self, residual: Floats) -> tuple[Floats, Bools]:
        """Return the signs to keep, and which coefficients move.

        Those that are not zero, those without a penalty, and, once these are settled
        better than the others, the zero ones that violate their condition most.
        """
        free = self.l1 == 0
        sign = np.where(free, 0.0, np.sign(self.beta))
        active = (self.beta != 0) | free
        outside = np.where(active, 0.0, residual)
        worst = outside.max(axis=1)
        inside = (residual * active).max(axis=1)
        bound = np.where((worst > self.limit) & (worst >= inside), 0.5 * worst, np.inf)
        entering = outside >= bound[:, None]
        sign[entering] = -np.sign(self.gradient[entering])
        return sign, active | entering

    def _directions(
        self, gradient: Floats, sign: Floats, active: Bools, columns: Bools
    ) -> Floats:
        """Solve for the Newton step in some columns, zero where not active."""
        Z = self.Z if columns.all() else self.Z[:, :, columns]
        matrix = self.likelihood.information(self.state, Z)
        matrix /= self.size[:, None, None]
        diagonal = np.arange(matrix.shape[1])
        matrix[:, diagonal, diagonal] += self.l2[:, columns]
        active, sign = active[:, columns], sign[:, columns]
        gradient, entered = gradient[:, columns], self.beta[:, columns] == 0
        while True:
            step = _solve(matrix, gradient, active)
            # One that has just entered must move in the direction it entered by.
            wrong = entered & (step * sign < 0)
            if not wrong.any():
                return step
            active = active & ~wrong

    def _line_search(self, direction: Floats, sign: Floats, slope: Floats) -> Bools:
        """Go until a coefficient meets zero, or less far where that is worse."""
        old = self.beta
        reach = np.full(old.shape, np.inf)
        length = np.ones(len(old))
        crossing = (old + direction) * sign < 0
        if crossing.any() and self._went_all_the_way(direction, crossing, slope):
            return np.zeros(len(old), dtype=bool)
        if crossing.any():
            reach[crossing] = -old[crossing] / direction[crossing]
            length = np.minimum(length, reach.min(axis=1))
        start = self.objective(old, self.state)
        slack = 1e-13 * np.maximum(np.abs(start), 1.0)
        for _ in range(MAX_HALVINGS):
            new = old + length[:, None] * direction
            new[reach <= length[:, None]] = 0.0
            state = self.evaluate(new)
            wanted = start + 1e-4 * length * slope + slack
            worse = ~(self.objective(new, state) <= wanted)  # NaN is worse, too
            if not worse.any():
                break
            length[worse] /= 2.0
        self.move(new, state)
        return worse

    def _went_all_the_way(
        self, direction: Floats, crossing: Bools, slope: Floats
    ) -> bool:
        """Take the whole step, those that meet zero staying there, if that is better.

        Several coefficients may leave at once; stopping at the first would cost a step
        for each.
        """
        new = np.where(crossing, 0.0, self.beta + direction)
        state = self.evaluate(new)
        start = self.objective(self.beta, self.state)
        slack = 1e-13 * np.maximum(np.abs(start), 1.0)
        if not (self.objective(new, state) <= start + 1e-4 * slope + slack).all():
            return False
        self.move(new, state)
        return True


def _solve(matrix: Floats, gradient: Floats, active: Bools) -> Floats:
    """Solve for the steps of the active columns; a singular matrix gets a ridge."""
    if len(matrix) == 1:
        step = _solve_one(matrix[0], gradient[0], active[0])
        if step is not None:
            return step[None]
    system = np.where(active[:, :, None] & active[:, None, :], matrix, 0.0)
    diagonal = np.arange(matrix.shape[1])
    largest = system[:, diagonal, diagonal].max(axis=1, initial=1e-12)
    system[:, diagonal, diagonal] += ~active
    right = -np.where(active, gradient, 0.0)
    ridge = 1e-10 * largest[:, None]
    step = right
    for _ in range(MAX_RIDGES):
        try:
            step = np.linalg.solve(system, right[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:  # does not say which: lift them all
            bad = np.ones(len(system), dtype=bool)
        else:
            # Not downhill (or NaN): the matrix is not positive definite.
            bad = ~((step * right).sum(axis=1) >= 0)
        if not bad.any():
            break
        system[:, diagonal, diagonal] += ridge * bad[:, None]
        ridge *= 100.0
    return np.where(bad[:, None], right, step)


def _solve_one(matrix: Floats, gradient: Floats, active: Bools) -> Floats | None:
    """Solve for one data set by Cholesky; None where the matrix is not definite."""
    system = matrix if active.all() else matrix[np.ix_(active, active)]
    try:
        factor = cho_factor(system, lower=True, check_finite=False)
    except LinAlgError:
        return None
    found = -cho_solve(factor, gradient[active], check_finite=False)
    if not np.isfinite(found).all():
        return None
    step = np.zeros(len(gradient))
    step[active] = found
    return step
