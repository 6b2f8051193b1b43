"""Measures of kept out-of-fold predictions, each with its resamples and influence.

Every measure is the mean over repeats. Measures of rank (Harrell's and Uno's c, the
time-dependent AUC) compare patients of one fold only. Measures of probability
(integrated Brier score, calibration slope, net benefit) take all patients of a repeat,
for a probability means the same in every fold. The censoring weights are those of all
patients, who are no model's prediction, and are taken as known in the resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sarcfeat._validation import listed
from sarcfeat.evaluate.nested import NestedCV
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import (
    FoldPairs,
    brier,
    integrated_brier,
    net_benefit_survival,
    resampled_slope,
)
from sarcfeat.metrics.resampling import resample_weights
from sarcfeat.survival import CensoringCurve, censoring_curve

__all__ = ["METRICS", "Kept", "Measured"]

Floats = np.ndarray[Any, np.dtype[np.float64]]

FEWEST = 10  # times under which an integral says that they are few

# Of predicted survival; the others are of the risk.
OF_SURVIVAL = ("ibs", "calibration_slope", "net_benefit")


@dataclass(frozen=True)
class Measured:
    """One measure of one model.

    Attributes
    ----------
    value : float
        NaN where it cannot be computed; `how` says why.
    draws : ndarray of shape (n_bootstrap,)
        The measure in each resample of patients; the resamples are the same for every
        model and measure.
    influence : ndarray of shape (n_patients,) or None
        Each patient's part; the error is the root of the sum of squares.
    by_fold : ndarray of shape (n_folds,) or None
        In each fold of each repeat.
    how : str
    """

    value: float
    draws: Floats = field(repr=False)
    influence: Floats | None = field(repr=False)
    by_fold: Floats | None = field(repr=False)
    how: str


class Kept:
    """Kept predictions ready to be measured, with one set of resamples for all.

    Parameters
    ----------
    result : NestedCV
    at : float, optional
        The horizon of the AUC, the calibration slope and the net benefit; one of
        ``result.times``. Without it these measures are not computed. Uno's c counts
        events up to it: where few are followed its weights are large.
    threshold : float
        The risk at or above which one would treat.
    n_bootstrap : int
    random_state : int, RandomState or None

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import CoxPH, make_y
    >>> from sarcfeat.evaluate import nested_cv
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "size"])
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    >>> result = nested_cv({"clinical": CoxPH()}, X, y, n_splits=3, n_repeats=1,
    ...                    times=[0.5, 1.0], random_state=0, progress=False)
    >>> kept = Kept(result, at=1.0, n_bootstrap=50, random_state=0)
    >>> 0 < kept.measure("clinical", "ibs").value < 0.25
    True
    """

    def __init__(
        self,
        result: NestedCV,
        *,
        at: float | None = None,
        threshold: float = 0.3,
        n_bootstrap: int = 1000,
        random_state: Any = 0,
    ) -> None:
        if not 0 < threshold < 1:
            raise InvalidInput(f"threshold must lie between 0 and 1; got {threshold}.")
        self.result, self.at, self.threshold = result, at, threshold
        self.event = result.outcome["event"].to_numpy(dtype=bool)
        self.time = result.outcome["time"].to_numpy(dtype=float)
        self.n_patients = len(self.event)
        self._check_horizon()
        drawn = resample_weights(self.n_patients, n_bootstrap, random_state)
        # The first row is the patients as they are.
        self.weights = np.vstack([np.ones((1, self.n_patients)), drawn])
        self.censoring: CensoringCurve = censoring_curve(self.event, self.time)
        before = self.censoring.before(self.time)
        self._inverse = np.divide(
            1.0, before, out=np.zeros(self.n_patients), where=before > 0
        )

    def _check_horizon(self) -> None:
        if self.at is None:
            return
        last = float(self.time.max())
        if not 0 < self.at < last:
            raise InvalidInput(
                f"The horizon {self.at:g} must lie within the follow-up, 0 to {last:g}."
            )
        if self.result.times and self.at not in self.result.times:
            raise InvalidInput(
                f"No predictions were kept at {self.at:g}; the result has "
                f"{listed(f'{t:g}' for t in self.result.times)}. Choose one of them, "
                "or pass it to nested_cv(times=...)."
            )

    def names(self) -> list[str]:
        """Return the measures that these predictions allow."""
        found = ["harrell_c", "uno_c"]
        if self.result.times:
            found.append("ibs")
        if self.at is not None:
            found.append("tdauc")
            if self.result.times:
                found += ["calibration_slope", "net_benefit"]
        return [name for name in METRICS if name in found]

    def measure(self, model: str, metric: str) -> Measured:
        """Return one measure of one model.

        Parameters
        ----------
        model : str
        metric : str
            One of :meth:`names`.
        """
        if metric not in self.names():
            raise InvalidInput(
                f"The measure {metric!r} is not known or needs more; these predictions "
                f"allow {listed(self.names())}. Measures by time need at=..., those of "
                "probabilities nested_cv(times=...)."
            )
        if metric in OF_SURVIVAL:
            survival = self.result.survival(model)
            if survival is None:
                nothing = np.full(len(self.weights) - 1, np.nan)
                why = "the model gives no survival probabilities at these times"
                return Measured(float("nan"), nothing, None, None, why)
            return _OF_SURVIVAL[metric](self, model, survival)
        return _of_rank(self, model, metric)

    def rows(self, model: str) -> list[np.ndarray[Any, np.dtype[np.intp]]]:
        """Return, for each repeat, the patients who were predicted."""
        _, fold = self.result.arrays(model)
        return [np.flatnonzero(row >= 0) for row in fold]

    @property
    def column(self) -> int:
        """Where the horizon stands among the kept times."""
        return self.result.times.index(float(self.at or 0.0))


def _of_rank(kept: Kept, model: str, metric: str) -> Measured:
    risk, fold = kept.result.arrays(model)
    options: dict[str, Any] = {}
    how = "pairs within folds"
    if metric == "uno_c":
        until = np.inf if kept.at is None else kept.at
        options["event_weight"] = np.where(kept.time <= until, kept._inverse**2, 0.0)
        how += ", weighted by 1/G(T-)^2"
        how += "" if kept.at is None else f", events up to {kept.at:g}"
    elif metric == "tdauc":
        options["event_weight"] = kept._inverse
        options["at"] = kept.at
        how += f", events by {kept.at:g} against those free of it, weighted by 1/G(T-)"
    pairs = FoldPairs(kept.event, kept.time, [risk], fold, **options)
    found = pairs.statistic(kept.weights)[0]
    return Measured(
        float(found[0]), found[1:], pairs.influence()[0], pairs.by_fold()[0], how
    )


def _ibs(kept: Kept, model: str, survival: Floats) -> Measured:
    times = np.array(kept.result.times)
    draws, influence, folds = [], np.zeros(kept.n_patients), []
    _, fold = kept.result.arrays(model)
    for repeat, rows in enumerate(kept.rows(model)):
        event, time = kept.event[rows], kept.time[rows]
        predicted = survival[repeat, rows]
        known = brier(event, time, predicted, times, censoring=kept.censoring)
        mean = integrated_brier(known)
        each = mean.ibs + mean.influence
        weights = kept.weights[:, rows]
        draws.append(weights @ each / weights.sum(axis=1))
        own = integrated_brier(brier(event, time, predicted, times))
        influence[rows] += own.influence / len(rows)
        numbers = fold[repeat, rows]
        folds += [each[numbers == number].mean() for number in np.unique(numbers)]
    found = np.mean(draws, axis=0)
    return Measured(
        float(found[0]),
        found[1:],
        influence / len(draws),
        np.array(folds),
        f"over 0 to {times[-1]:g} by the step rule, {len(times)} times"
        + (", too few: the score counts as 0 before the first" * (len(times) < FEWEST)),
    )


def _slope(kept: Kept, model: str, survival: Floats) -> Measured:
    found = np.mean(
        [
            resampled_slope(
                kept.event[rows],
                kept.time[rows],
                survival[repeat, rows, kept.column],
                kept.weights[:, rows],
            )
            for repeat, rows in enumerate(kept.rows(model))
        ],
        axis=0,
    )
    return Measured(
        float(found[0]),
        found[1:],
        None,
        None,
        f"Cox slope of log(-log(S)) at {kept.at:g}; 1 is right, below 1 too extreme",
    )


def _net_benefit(kept: Kept, model: str, survival: Floats) -> Measured:
    at = float(kept.at or 0.0)
    found = np.mean(
        [
            net_benefit_survival(
                kept.event[rows],
                kept.time[rows],
                1 - survival[repeat, rows, kept.column],
                at,
                kept.threshold,
                kept.weights[:, rows],
            )
            for repeat, rows in enumerate(kept.rows(model))
        ],
        axis=0,
    )
    return Measured(
        float(found[0]),
        found[1:],
        None,
        None,
        f"treating at a risk of {kept.threshold:g} or more by {at:g}",
    )


METRICS = (
    "harrell_c",
    "uno_c",
    "tdauc",
    "ibs",
    "calibration_slope",
    "net_benefit",
)
_OF_SURVIVAL: dict[str, Callable[[Kept, str, Floats], Measured]] = {
    "ibs": _ibs,
    "calibration_slope": _slope,
    "net_benefit": _net_benefit,
}
