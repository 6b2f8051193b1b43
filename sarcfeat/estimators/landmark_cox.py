"""Cox's model from landmark times on: what is known by then, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params, is_frame, listed
from sarcfeat.estimators._landmark_rows import landmark_rows
from sarcfeat.estimators._matrix import feature_names, fit_matrix, predict_matrix
from sarcfeat.estimators._row_columns import (
    Column,
    design_of,
    label_column,
    number_column,
)
from sarcfeat.estimators.coxph import CoxPH
from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.survival import SurvivalMixin, check_y, make_y

__all__ = ["LandmarkCox"]

Floats = npt.NDArray[np.float64]
# Columns of the stacked rows; no feature has such a name.
LANDMARK, WHO = "(landmark)", "(patient)"


@dataclass(frozen=True)
class _Stacked:
    """Rows of X in use: values and landmark, what followed, whose they are."""

    rows: npt.NDArray[np.intp]
    frame: pd.DataFrame
    y: np.ndarray[Any, np.dtype[np.void]]
    who: npt.NDArray[Any]


class LandmarkCox(SurvivalMixin, BaseEstimator):
    """Cox model of what becomes known during follow-up, without looking ahead.

    A response seen at three months says nothing about those who died before: to put it
    beside age as if known at the start is immortal time. Here each patient still at
    risk at a landmark enters with the values known by then, is followed from there for
    `horizon`, and is described again at the next landmark. The landmarks are strata
    (each with its baseline hazard, the hazard ratios in common), and standard errors
    are robust, as a patient comes more than once.

    Parameters
    ----------
    landmarks : sequence of float
        Times at which patients are described, in the unit of y.
    horizon : float, optional
        How long after a landmark events count; later ones are censored there. Without
        it, to the end.
    patient : str or int, optional
        Column of X that says whom a row belongs to. Without it each row is a patient.
    measured : str or int, optional
        Column of X with the time at which a row's values became known; a landmark uses
        each patient's last row by then. Without it all are known from the start.
    ties : {"efron", "breslow"}
    level : float
        Coverage of the confidence intervals of ``summary_``.

    Attributes
    ----------
    model_ : CoxPH
        The stratified model on the stacked rows.
    summary_ : DataFrame
        See :class:`CoxPH`; robust standard errors.
    coef_, se_ : ndarray of shape (n_features,)
    at_risk_ : DataFrame
        ``landmark, patients, events``.
    n_events_ : int
        Patients with an event that counted at some landmark.
    max_time_ : float
    n_features_in_, feature_names_in_
        As in scikit-learn; without the columns `patient` and `measured`.

    References
    ----------
    van Houwelingen, Scand J Stat 2007; Anderson et al., J Clin Oncol 1983 (immortal
    time).

    Examples
    --------
    >>> X = pd.DataFrame({
    ...     "patient": ["a", "a", "b", "c", "d", "e", "f"],
    ...     "measured": [0, 90, 0, 0, 0, 0, 0],
    ...     "size": [5.0, 9, 4, 8, 6, 3, 7]})
    >>> days = [200, 200, 900, 250, 400, 800, 300]
    >>> y = make_y([1, 1, 0, 1, 1, 0, 1], days)
    >>> model = LandmarkCox([0, 100], patient="patient", measured="measured")
    >>> model.fit(X, y).at_risk_.to_numpy().tolist()
    [[0.0, 6.0, 4.0], [100.0, 6.0, 4.0]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "landmarks": ["array-like"],
        "horizon": [Interval(Real, 0, None, closed="neither"), None],
        "patient": [str, int, None],
        "measured": [str, int, None],
        "ties": [StrOptions({"efron", "breslow"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        landmarks: Sequence[float] = (0.0,),
        *,
        horizon: float | None = None,
        patient: Column | None = None,
        measured: Column | None = None,
        ties: str = "efron",
        level: float = 0.95,
    ) -> None:
        self.landmarks = landmarks
        self.horizon = horizon
        self.patient = patient
        self.measured = measured
        self.ties = ties
        self.level = level

    def fit(self, X: Any, y: Any) -> LandmarkCox:
        """Stack the patients at risk at each landmark and fit the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
            A row for each time at which a patient was described.
        y : structured array (event, time)
            Of each row the event and end of follow-up of its patient.

        Raises
        ------
        InvalidInput
            Landmarks that are not rising numbers of 0 or more, a column that X lacks,
            or rows of one patient with different ends.
        NoEvents
            No patient is at risk, or fewer than two have an event after a landmark.
        """
        check_params(self)
        self._times()
        values = fit_matrix(self, self._taken(X, fit=True))
        self._names = [str(name) for name in feature_names(self)]
        event, time = check_y(y, n=len(values), min_events=2)
        stacked = self._stack(X, values, event, time)
        if not len(stacked.frame):
            raise NoEvents(
                f"No patient is at risk at the landmarks {listed(self._times())}: all "
                f"{len(values)} rows end before (the last at {time.max():g}) or are "
                "measured later. Choose earlier landmarks."
            )
        self._check_size(stacked.who)
        frame = stacked.frame.assign(**{WHO: stacked.who.astype(str)})
        rules: dict[str, Any] = {"strata": LANDMARK, "cluster": WHO}
        self.model_ = CoxPH(self.ties, level=self.level, **rules).fit(frame, stacked.y)
        self._summarise(stacked)
        self.max_time_ = float(time[stacked.rows].max())
        return self

    def _stack(
        self, X: Any, values: Floats, event: npt.NDArray[np.bool_], time: Floats
    ) -> _Stacked:
        what = type(self).__name__
        who = np.arange(len(values)).astype(str).astype(object)
        if self.patient is not None:
            who = label_column(X, [self.patient], what)
        known = np.zeros(len(values))
        if self.measured is not None:
            known = number_column(X, self.measured, what)
        found = landmark_rows(who, known, time, self._times())
        rows = found["row"].to_numpy(dtype=np.intp)
        end = found["landmark"].to_numpy(dtype=float) + (self.horizon or np.inf)
        counted = make_y(
            event[rows] & (time[rows] <= end), np.minimum(time[rows], end), zero="keep"
        )
        frame = pd.DataFrame(values[rows], columns=self._names)
        frame[LANDMARK] = found["landmark"].to_numpy(dtype=float)
        return _Stacked(rows, frame, counted, who[rows])

    def _check_size(self, who: npt.NDArray[Any]) -> None:
        n, p = len(np.unique(who.astype(str))), len(self._names)
        if p and p >= n:
            raise InvalidInput(
                f"An unpenalised Cox model of {p} columns cannot be fitted on {n} "
                f"patients ({n / p:.2f} patients a column), however often each is "
                "described. Select columns first."
            )

    def _summarise(self, stacked: _Stacked) -> None:
        event = stacked.y["event"]
        counts = stacked.frame[[LANDMARK]].assign(event=event).groupby(LANDMARK)
        table = counts["event"].agg(patients="size", events="sum").astype(int)
        self.at_risk_ = table.rename_axis("landmark").reset_index()
        self.n_events_ = len(np.unique(stacked.who[event].astype(str)))
        model = self.model_
        self.coef_, self.se_, self.summary_ = model.coef_, model.se_, model.summary_
        self.events_per_variable_ = (
            self.n_events_ / len(self._names) if self._names else float("inf")
        )

    def predict(self, X: Any) -> Floats:
        """Return the linear predictor of each row; higher is worse.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
            What is known of a patient at a landmark, a row each.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        design = self._design(X)
        return self.model_.predict(design)

    def predict_survival_function(
        self, X: Any, times: npt.ArrayLike, *, landmark: float | None = None
    ) -> Floats:
        """Return the chance to be free of the event, given freedom at a landmark.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
            What is known of each patient at the landmark.
        times : array-like of shape (n_times,)
            Since the start, as in y; 1 before the landmark. Flat after the last event
            within the horizon.
        landmark : float, optional
            One of `landmarks`; by default the first.

        Returns
        -------
        ndarray of shape (n_rows, n_times)

        Raises
        ------
        InvalidInput
            The model has no such landmark.
        """
        design = self._design(X)
        known = self.at_risk_["landmark"].tolist()
        at = known[0] if landmark is None else float(landmark)
        if at not in known:
            raise InvalidInput(
                f"LandmarkCox has no landmark {at:g} with patients at risk; it has "
                f"{listed(f'{k:g}' for k in known)}."
            )
        frame = design.assign(**{LANDMARK: at})
        return self.model_.predict_survival_function(frame, times)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return Harrell's c among the patients at risk at each landmark.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
            As for fit.
        y : structured array (event, time)
        sample_weight : array-like of shape (n_rows,), optional

        Returns
        -------
        float
            NaN when no pair can be compared.
        """
        check_is_fitted(self, "model_")
        values = predict_matrix(self, self._taken(X, fit=False))
        event, time = check_y(y, n=len(values))
        stacked = self._stack(X, values, event, time)
        weight = None if sample_weight is None else np.asarray(sample_weight, float)
        if weight is not None:
            weight = weight[stacked.rows]
        return self.model_.score(stacked.frame, stacked.y, weight)

    def _taken(self, X: Any, *, fit: bool) -> Any:
        return design_of(X, self._special(), type(self).__name__, fit=fit)

    def _design(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self, "model_")
        values = predict_matrix(self, self._taken(X, fit=False))
        index = X.index if is_frame(X) else None
        return pd.DataFrame(values, columns=self._names, index=index)

    def _special(self) -> list[Column]:
        return [name for name in (self.patient, self.measured) if name is not None]

    def _times(self) -> list[float]:
        times = [float(time) for time in self.landmarks]
        rising = all(a < b for a, b in pairwise(times))
        if not times or not rising or not np.isfinite(times).all() or times[0] < 0:
            raise InvalidInput(
                f"landmarks must be rising times of 0 or more; got {self.landmarks!r}."
            )
        return times
