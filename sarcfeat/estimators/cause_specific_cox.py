"""A Cox model for each cause, and the incidence that follows from all of them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.estimators.coxph import CoxPH
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import SurvivalMixin, split_causes

__all__ = ["CauseSpecificCox"]

Floats = npt.NDArray[np.float64]


class CauseSpecificCox(SurvivalMixin, BaseEstimator):
    """Cause-specific Cox models, one a cause, put together to an incidence.

    Each says how fast its event comes among those still free of all (the hazard a
    biologist asks about); together they say who will have it (the chance a patient
    asks about). :class:`FineGray` models that chance directly.

    Parameters
    ----------
    cause : int
        The code of the cause of interest in y.
    ties : {"efron", "breslow"}
    level : float
        Coverage of the confidence intervals.

    Attributes
    ----------
    models_ : dict of int to CoxPH
        The model of each cause that at least two patients had.
    summary_ : DataFrame
        Of the cause of interest; see :class:`CoxPH`.
    coef_, se_ : ndarray of shape (n_features,)
        Of the cause of interest.
    n_events_, n_competing_ : int
        Events of the cause, and of the others.
    events_per_variable_, max_time_ : float
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Prentice et al., Biometrics 1978; Benichou & Gail, Biometrics 1990 (the incidence);
    the numbers of R's ``riskRegression::CSC`` with ``surv.type = "hazard"``, where the
    survival is the product of 1 minus the hazard steps.

    Examples
    --------
    >>> from sarcfeat.survival import make_causes
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.normal(size=200)})
    >>> time = rng.exponential(np.exp(-X["size"]))
    >>> model = CauseSpecificCox().fit(X, make_causes(rng.integers(0, 3, 200), time))
    >>> sorted(model.models_)
    [1, 2]
    >>> model.predict_cumulative_incidence(X[:2], [0.5]).shape
    (2, 1)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "cause": [Interval(Integral, 1, None, closed="left")],
        "ties": [StrOptions({"efron", "breslow"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self, cause: int = 1, *, ties: str = "efron", level: float = 0.95
    ) -> None:
        self.cause = cause
        self.ties = ties
        self.level = level

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CauseSpecificCox:
        """Fit the models.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        y : structured array (event: int, time: float)
            As ``sarcfeat.survival.make_causes`` builds it: 0 censored, else the code
            of the cause. A boolean event is cause 1 without any competing one.
        sample_weight : array-like of shape (n_patients,), optional

        Raises
        ------
        InvalidInput
            Text columns, as many columns as patients, or a y of another kind.
        NoEvents
            Fewer than two patients had the cause of interest.

        Warns
        -----
        NotConverged, NothingSelected, SarcfeatWarning
            As :class:`CoxPH`.
        """
        check_params(self)
        rules: dict[str, Any] = {"level": self.level}
        own = CoxPH(self.ties, cause=self.cause, **rules).fit(X, y, sample_weight)
        status, time = split_causes(y, cause=self.cause)
        self.models_ = {self.cause: own}
        counted = np.ones(len(status)) if sample_weight is None else sample_weight
        status = status[np.asarray(counted) != 0]
        for code in sorted(set(status.tolist()) - {0, self.cause}):
            # One event is no model; its step in the survival is not either.
            if (status == code).sum() >= 2:
                other = CoxPH(self.ties, cause=code, **rules)
                self.models_[code] = other.fit(X, y, sample_weight)
        self.n_features_in_ = own.n_features_in_
        if hasattr(own, "feature_names_in_"):
            self.feature_names_in_ = own.feature_names_in_
        self.coef_, self.se_, self.summary_ = own.coef_, own.se_, own.summary_
        self.n_events_ = own.n_events_
        self.n_competing_ = int(((status > 0) & (status != self.cause)).sum())
        self.events_per_variable_ = own.events_per_variable_
        self.max_time_ = float(time.max())
        return self

    def predict(self, X: Any) -> Floats:
        """Return the log hazard ratio of the cause of interest; higher is worse."""
        check_is_fitted(self, "models_")
        return self.models_[self.cause].predict(X)

    def predict_cumulative_incidence(
        self, X: Any, times: npt.ArrayLike, *, cause: int | None = None
    ) -> Floats:
        """Return each patient's chance of an event of a cause by given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of the training times. Flat after the last event.
        cause : int, optional
            By default the cause of interest.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        check_is_fitted(self, "models_")
        code = self.cause if cause is None else cause
        if code not in self.models_:
            raise InvalidInput(
                f"No model of cause {code}: those with two events or more are "
                f"{sorted(self.models_)}."
            )
        steps = np.unique(
            np.concatenate([m.baseline_.time for m in self.models_.values()])
        )
        hazards = {
            one: np.diff(m.predict_cumulative_hazard(X, steps), prepend=0.0, axis=1)
            for one, m in self.models_.items()
        }
        everything = np.add.reduce(list(hazards.values()))
        free = np.cumprod(np.clip(1 - everything, 0.0, 1.0), axis=1)
        before = np.hstack([np.ones((len(free), 1)), free[:, :-1]])
        wanted = hazards[code]
        # A step beyond certainty is cut, and shared as the hazards are.
        share = np.where(everything > 1, wanted / np.maximum(everything, 1), wanted)
        incidence = np.minimum(np.cumsum(before * share, axis=1), 1.0)
        wanted_at = np.asarray(times, dtype=float)
        if wanted_at.ndim != 1 or np.isnan(wanted_at).any() or (wanted_at < 0).any():
            raise InvalidInput(
                f"times must be a list of numbers that are not negative; got {times!r}."
            )
        place = np.searchsorted(steps, wanted_at, side="right")
        return np.hstack([np.zeros((len(free), 1)), incidence])[:, place]

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return the chance of no event of the cause by given times.

        It does not fall to 0: who died of another cause never has this one.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        return 1 - self.predict_cumulative_incidence(X, times)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return Harrell's c for the cause of interest, the others as censored.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional
        """
        check_is_fitted(self, "models_")
        return self.models_[self.cause].score(X, y, sample_weight)
