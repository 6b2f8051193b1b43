"""A model fitted again on resamples of patients, and what is measured of each fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from threadpoolctl import threadpool_limits

from sarcfeat.evaluate.events_per_variable import events_per_variable
from sarcfeat.evaluate.progress import progress_bar
from sarcfeat.exceptions import InvalidInput, NoComparablePairs, NothingSelected
from sarcfeat.metrics import (
    brier,
    concordance,
    integrated_brier,
    time_dependent_auc,
    uno_concordance,
)
from sarcfeat.survival import (
    CensoringCurve,
    RiskSets,
    censoring_curve,
    fit_cox,
    gives_survival,
    survival_curves,
)

__all__ = ["PER_VARIABLE", "Measures", "Ranks", "refit"]

PER_VARIABLE = "events_per_variable"  # told beside the measures

Floats = np.ndarray[Any, np.dtype[np.float64]]
Rows = np.ndarray[Any, np.dtype[np.intp]]
Measure = Callable[[Any, Any, Any], Mapping[str, float]]


@dataclass(frozen=True)
class Ranks:
    """The c-indices."""

    uno: bool = False

    def __call__(self, model: Any, X: Any, y: Any) -> dict[str, float]:
        """Return the measures of a fitted model on some patients."""
        found = self.of_risk(np.asarray(model.predict(X), dtype=float), y)
        return {
            **found,
            PER_VARIABLE: events_per_variable(model, int(y["event"].sum())),
        }

    def of_risk(self, risk: Floats, y: Any) -> dict[str, float]:
        """Return the measures of a risk."""
        event, time = y["event"], y["time"]
        found = {"harrell_c": concordance(event, time, risk).c_index}
        if self.uno:
            found["uno_c"] = uno_concordance(event, time, risk).c_index
        return found


@dataclass(frozen=True)
class Measures:
    """The c-indices and the measures by a horizon, weighted as on all patients."""

    event: Any
    time: Any
    at: float

    def __post_init__(self) -> None:
        last = float(self.time.max())
        if not 0 < self.at < last:
            raise InvalidInput(
                f"The horizon {self.at:g} must lie within the follow-up, 0 to {last:g}."
            )

    @property
    def grid(self) -> Floats:
        """Times over which Brier's score is integrated."""
        return np.linspace(self.at / 20, self.at, 20)

    def __call__(self, model: Any, X: Any, y: Any) -> dict[str, float]:
        """Return the measures of a fitted model on some patients."""
        event, time = y["event"], y["time"]
        risk = np.asarray(model.predict(X), dtype=float)
        found = Ranks(True).of_risk(risk, y)
        found[PER_VARIABLE] = events_per_variable(model, int(event.sum()))
        # Of all patients: a resample may not be followed up to the horizon.
        curve: CensoringCurve = censoring_curve(self.event, self.time)
        short = float(time.max()) <= self.at
        nan = float("nan")
        found["tdauc"] = (
            nan
            if short
            else float(
                time_dependent_auc(event, time, risk, [self.at], censoring=curve).auc[0]
            )
        )
        if not gives_survival(model):
            return {**found, "ibs": nan, "calibration_slope": nan}
        survival = survival_curves(model, X, self.grid)
        scores = None if short else brier(event, time, survival, self.grid)
        found["ibs"] = nan if scores is None else integrated_brier(scores).ibs
        return {**found, "calibration_slope": _slope(event, time, survival[:, -1])}


def _slope(event: Any, time: Any, survival: Floats) -> float:
    """Return the calibration slope with Efron's ties, as the models themselves have."""
    score = np.log(-np.log(np.clip(survival, 1e-300, 1 - 1e-12)))
    if np.ptp(score) == 0:
        return float("nan")
    return float(fit_cox(score[:, None], RiskSets(event, time)).coef[0])


def refit(
    estimator: Any,
    X: Any,
    y: Any,
    measure: Measure,
    left_out: bool,
    n_bootstrap: int,
    random_state: Any,
    n_jobs: int | None,
    progress: bool,
) -> tuple[Any, list[Any]]:
    """Fit on all patients and on each resample; measure on it, and on others."""
    if n_bootstrap < 1:
        raise InvalidInput(f"n_bootstrap must be 1 or more; got {n_bootstrap}.")
    if isinstance(random_state, np.random.RandomState):
        random_state = np.random.default_rng(random_state.randint(2**31))
    rng = np.random.default_rng(random_state)
    n = len(X)
    everybody = np.arange(n)
    drawn = [everybody, *(rng.integers(0, n, n) for _ in range(n_bootstrap))]
    jobs = [
        (rows, np.setdiff1d(everybody, rows) if left_out else everybody)
        for rows in drawn
    ]
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_one)(estimator, X, y, rows, others, measure) for rows, others in jobs
    )
    found = []
    with progress_bar("bootstrap", len(jobs), progress) as advance:
        for result in results:
            found.append(result)
            advance()
    return found[0], found[1:]


def _one(
    estimator: Any, X: Any, y: Any, rows: Rows, others: Rows, measure: Measure
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Of a resample: a constant model, or nobody to compare; NaN is left out.
        warnings.simplefilter("ignore", NothingSelected)
        warnings.simplefilter("ignore", NoComparablePairs)
        if not y["event"][rows].any():
            return _Unknown(), _Unknown()
        own = _safe_indexing(X, rows)
        model = clone(estimator).fit(own, y[rows])
        inside = measure(model, own, y[rows])
        if not len(others):
            return inside, _Unknown()
        return inside, measure(model, _safe_indexing(X, others), y[others])


class _Unknown(dict[str, float]):
    """What is known of a resample that cannot be measured."""

    def __missing__(self, key: str) -> float:
        return float("nan")
