"""Fine and Gray's model: the incidence of one cause where others compete with it."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params, listed
from sarcfeat.estimators._matrix import (
    feature_names,
    fit_matrix,
    independent_columns,
    predict_matrix,
)
from sarcfeat.estimators.display_ranges import display_ranges
from sarcfeat.estimators.hazard_table import hazard_table
from sarcfeat.exceptions import (
    InvalidInput,
    NoComparablePairs,
    NoEvents,
    NothingSelected,
    SarcfeatWarning,
)
from sarcfeat.survival import (
    BaselineHazard,
    SurvivalMixin,
    count_pairs,
    fit_fine_gray,
    split_causes,
)

__all__ = ["FineGray"]

Floats = npt.NDArray[np.float64]


class FineGray(SurvivalMixin, BaseEstimator):
    """Fine and Gray's regression on the cumulative incidence of one cause.

    Where patients die of something else first, a Cox model of the metastasis says how
    fast it comes among those still free of all; this one says who will have it, which
    is what a nomogram is read for.

    Parameters
    ----------
    cause : int
        The code of the cause of interest in y.
    ties : {"together", "event_first"}
        Where an event and a censoring share a time: ``together`` gives the numbers of
        R's ``cmprsk::crr``, ``event_first`` those of ``survival::finegray``.
    level : float
        Coverage of the confidence intervals of ``summary_``.
    max_iter : int
        Newton steps.

    Attributes
    ----------
    coef_, se_ : ndarray of shape (n_features,)
        Log subdistribution hazard ratios and their robust standard errors.
    vcov_ : ndarray of shape (n_features, n_features)
    summary_ : DataFrame
        Index: the columns; ``coef, hazard_ratio, ci_low, ci_high, se, z, p``.
    means_, linear_center_
        The reference patient, the mean of the training patients.
    baseline_ : BaselineHazard
        Cumulative subdistribution hazard of the reference patient. Its variance takes
        the weights of those who had another event for known, as R's ``survfit`` of a
        ``finegray`` data set does.
    loglik_, loglik_null_ : float
    n_events_, n_competing_ : int
        Events of the cause, and of the others.
    events_per_variable_ : float
    ranges_ : DataFrame
        What a nomogram draws; see :class:`CoxPH`.
    lp_range_ : tuple of float
        Lowest and highest linear predictor among the training patients.
    max_time_ : float
    converged_ : bool
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Fine & Gray, JASA 1999;94:496-509; R's ``cmprsk::crr`` (golden cases
    ``competing_risks``).

    Examples
    --------
    >>> import pandas as pd
    >>> from sarcfeat.survival import make_causes
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.normal(size=200)})
    >>> time = rng.exponential(np.exp(-X["size"]))
    >>> model = FineGray().fit(X, make_causes(rng.integers(0, 3, 200), time))
    >>> bool(model.summary_.loc["size", "hazard_ratio"] > 1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "cause": [Interval(Integral, 1, None, closed="left")],
        "ties": [StrOptions({"together", "event_first"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        cause: int = 1,
        *,
        ties: str = "together",
        level: float = 0.95,
        max_iter: int = 50,
    ) -> None:
        self.cause = cause
        self.ties = ties
        self.level = level
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> FineGray:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Numbers only. A frame without any column is a model without variables.
        y : structured array (event: int, time: float)
            As ``sarcfeat.survival.make_causes`` builds it: 0 censored, else the code
            of the cause. A boolean event is cause 1 without any competing one.

        Returns
        -------
        FineGray
            The fitted model itself.

        Raises
        ------
        InvalidInput
            Text columns, as many columns as patients, or a y of another kind.
        NoEvents
            Fewer than two patients had an event of the cause.

        Warns
        -----
        NotConverged
            A coefficient runs to infinity.
        NothingSelected
            X has no column that varies; predictions are constant.
        SarcfeatWarning
            A column is constant or given by the others.
        """
        check_params(self)
        values = fit_matrix(self, X)
        status, time = split_causes(y, n=len(values), cause=self.cause)
        names = [str(name) for name in feature_names(self)]
        kept = self._kept(values, status, names)
        self.means_ = values.mean(axis=0) if values.size else np.zeros(len(names))
        fit = fit_fine_gray(
            (values - self.means_)[:, kept],
            status,
            time,
            cause=self.cause,
            ties=self.ties,
            names=[n for n, k in zip(names, kept, strict=True) if k],
            max_iter=self.max_iter,
        )
        p = len(names)
        self.coef_, self.vcov_ = np.zeros(p), np.full((p, p), np.nan)
        self.coef_[kept] = fit.coef
        self.vcov_[np.ix_(kept, kept)] = fit.vcov
        self.se_ = np.sqrt(np.diag(self.vcov_))
        self.linear_center_ = float(self.means_ @ self.coef_)
        self.loglik_, self.loglik_null_ = fit.loglik, fit.loglik_null
        self.converged_, self.n_iter_ = fit.converged, max(fit.n_iter, 1)
        self.n_events_ = int((status == self.cause).sum())
        self.n_competing_ = int(((status > 0) & (status != self.cause)).sum())
        self.events_per_variable_ = (
            self.n_events_ / int(kept.sum()) if kept.any() else float("inf")
        )
        drift = np.zeros((len(fit.time), p))
        drift[:, kept] = fit.drift
        self.baseline_ = BaselineHazard(fit.time, fit.baseline, fit.variance, drift)
        self.summary_ = hazard_table(
            self.coef_, self.se_, names, self.level, self.events_per_variable_
        )
        self.ranges_ = display_ranges(values, names)
        risk = (values - self.means_) @ self.coef_
        self.lp_range_ = (float(risk.min()), float(risk.max()))
        self.max_time_ = float(time.max())
        return self

    def predict(self, X: Any) -> Floats:
        """Return the linear predictor to the mean patient; higher is worse.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Columns of a frame are found by name.

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        check_is_fitted(self)
        return np.asarray((predict_matrix(self, X) - self.means_) @ self.coef_)

    def predict_cumulative_incidence(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of an event of the cause by given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of the training times. Flat after the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        return 1 - self.predict_survival_function(X, times)

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
        return self.baseline_.survival(times, self.predict(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the c-index for the cause of interest.

        A patient who had another event first never has this one, so he counts as
        followed beyond everybody.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional

        Returns
        -------
        float
            NaN, with a warning, when no pair can be compared.

        References
        ----------
        Wolbers et al., Epidemiology 2009.
        """
        status, time = split_causes(y)
        other = (status > 0) & (status != self.cause)
        until = np.where(other, np.inf, time)
        pairs = count_pairs(status == self.cause, until, self.predict(X), sample_weight)
        if not pairs.comparable > 0:
            warnings.warn(
                f"No pair of the {len(status)} patients can be compared for cause "
                f"{self.cause}; the c-index is NaN.",
                NoComparablePairs,
                stacklevel=2,
            )
        return pairs.c_index

    def _kept(
        self, values: Floats, status: npt.NDArray[np.int64], names: list[str]
    ) -> npt.NDArray[np.bool_]:
        """Mark the columns that can be fitted; the others keep the coefficient 0."""
        n, p = values.shape
        events = int((status == self.cause).sum())
        if events < 2:
            raise NoEvents(
                f"There is 1 event of cause {self.cause} among {n} patients; a model "
                "needs at least 2. Choose an endpoint with more events."
            )
        if p and p >= n:
            raise InvalidInput(
                f"A Fine–Gray model of {p} columns cannot be fitted on {n} patients "
                f"({events / p:.2f} events a column). Select columns first."
            )
        kept = independent_columns(values)
        if not kept.any():
            warnings.warn(
                "X has no column that varies; the Fine–Gray model predicts the same "
                "for every patient.",
                NothingSelected,
                stacklevel=3,
            )
        elif not kept.all():
            left = [name for name, ok in zip(names, kept, strict=True) if not ok]
            warnings.warn(
                f"{listed(left)}: constant, or given by the columns before; the "
                "coefficient is set to 0. Leave the column out.",
                SarcfeatWarning,
                stacklevel=3,
            )
        return kept
