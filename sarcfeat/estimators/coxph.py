"""Cox's proportional hazards model, with everything a paper prints about it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params, listed
from sarcfeat.estimators._display_ranges import display_ranges
from sarcfeat.estimators._hazard_table import hazard_table
from sarcfeat.estimators._matrix import feature_names, fit_matrix, predict_matrix
from sarcfeat.exceptions import InvalidInput, NothingSelected, SarcfeatWarning
from sarcfeat.metrics import Concordance, concordance
from sarcfeat.survival import (
    CoxFit,
    RiskSets,
    SurvivalMixin,
    baseline_hazard,
    check_y,
    cox_state,
    cox_zph,
    fit_cox,
    wald_test,
)

__all__ = ["CoxPH"]

Floats = npt.NDArray[np.float64]


class CoxPH(SurvivalMixin, BaseEstimator):
    """Cox model: how each variable multiplies the hazard of the event.

    Unpenalised; for more columns than patients use :class:`LassoCox`. A column that is
    constant, or given by the columns before it, gets the coefficient 0 and no standard
    error, as R does, and is named in a warning.

    Parameters
    ----------
    ties : {"efron", "breslow"}
        How patients with an event at the same time are handled.
    level : float
        Coverage of the confidence intervals of ``summary_``.
    robust : bool
        Whether standard errors are the sandwich estimate, which holds where
        ``sample_weight`` are no counts of patients.
    max_iter : int
        Newton steps before giving up with :class:`NotConverged`.

    Attributes
    ----------
    coef_, se_ : ndarray of shape (n_features,)
        Log hazard ratios and their standard errors.
    vcov_ : ndarray of shape (n_features, n_features)
        Their covariance.
    summary_ : DataFrame
        Index: the columns; ``coef, hazard_ratio, ci_low, ci_high, se, z, p``.
    means_ : ndarray of shape (n_features,)
        The reference patient, whose linear predictor is 0: the (weighted) mean of a
        column, 0 for a column that holds only -1, 0 and 1.
    linear_center_ : float
        ``means_ @ coef_``.
    baseline_ : BaselineHazard
        Of the reference patient.
    loglik_, loglik_null_, aic_, bic_ : float
        BIC counts events, as R does.
    lr_test_, wald_test_, score_test_ : tuple of (statistic, df, p)
        Of no column mattering.
    concordance_ : Concordance
        On the training data; optimistic. Without ``influence``.
    n_events_ : int
    events_per_variable_ : float
        Events for each coefficient; below 10 the model is at risk of overfitting.
    ranges_ : DataFrame
        Index: the columns; ``low, high`` (the interval that holds all but the 10 most
        extreme patients at each end, 5 % at most), ``median``, ``levels`` (the distinct
        values of a column with two or three of them, else None), ``minimum, maximum``.
        Nomograms use it.
    lp_range_ : tuple of float
        Lowest and highest linear predictor among the training patients.
    max_time_ : float
        The longest follow-up among the training patients.
    aliased_ : list of str
        The columns without a coefficient of their own.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        When fitted on a DataFrame.

    See Also
    --------
    LassoCox : For many columns.
    sarcfeat.nomogram.Nomogram : Draws a fitted model.

    References
    ----------
    Cox, J R Stat Soc B 1972. All numbers agree with R's ``survival::coxph``; the
    display range is that of ``rms::datadist``.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import make_y
    >>> X = pd.DataFrame({"size": [4.0, 9.0, 8.5, 7.0, 3.0, 8.0]})
    >>> y = make_y([1, 1, 0, 1, 0, 1], [900, 400, 800, 150, 1000, 600])
    >>> model = CoxPH().fit(X, y)
    >>> bool(model.summary_.loc["size", "hazard_ratio"] > 1)
    True
    >>> model.predict_survival_function(X[:1], [365, 730]).shape
    (1, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "ties": [StrOptions({"efron", "breslow"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "robust": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        ties: str = "efron",
        *,
        level: float = 0.95,
        robust: bool = False,
        max_iter: int = 100,
    ) -> None:
        self.ties = ties
        self.level = level
        self.robust = robust
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CoxPH:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Numbers only. A frame without any column is a model without variables.
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional
            Case weights; rows of weight 0 are left out.

        Returns
        -------
        CoxPH
            The fitted model itself.

        Raises
        ------
        InvalidInput
            Text columns, or as many columns as patients.
        NoEvents
            Fewer than two patients had the event.

        Warns
        -----
        NotConverged
            A coefficient runs to infinity; the column is named.
        NothingSelected
            X has no column; predictions are constant.
        """
        check_params(self)
        values = fit_matrix(self, X)
        event, time = check_y(y, n=len(values), min_events=2)
        values, event, time, weight = _weighted(values, event, time, sample_weight)
        self._check_size(values, event)
        names = [str(name) for name in feature_names(self)]
        self.means_ = _reference(values, weight)
        sets = RiskSets(event, time, weight, ties=self.ties)
        fit = fit_cox(values - self.means_, sets, names=names, max_iter=self.max_iter)
        self._store(fit, names)
        self.ranges_ = display_ranges(values, names)
        risk = (values - self.means_) @ self.coef_
        self.lp_range_ = (float(risk.min()), float(risk.max()))
        self.max_time_ = float(time.max())
        found = concordance(event, time, risk, sample_weight=weight, level=self.level)
        # A fitted model keeps nothing patient by patient.
        self.concordance_: Concordance = replace(found, influence=np.empty(0))
        return self

    def predict(self, X: Any) -> Floats:
        """Return the linear predictor: log hazard ratio to the reference patient.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Columns of a frame are found by name.

        Returns
        -------
        ndarray of shape (n_patients,)
            Higher is worse.
        """
        return np.asarray(self._centred(X) @ self.coef_)

    def predict_cumulative_hazard(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return the cumulative hazard of each patient at given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of the training times. Flat after the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        return np.outer(np.exp(self.predict(X)), self.baseline_.at(times))

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of being free of the event at given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of the training times. Flat after the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        return self.baseline_.survival(times, self.predict(X))

    def predict_survival_se(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return the standard error of :meth:`predict_survival_function`.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        centred = self._centred(X)
        return self.baseline_.std_err(times, centred, self.coef_, self.vcov_)

    def martingale_residuals(self, X: Any, y: Any, sample_weight: Any = None) -> Floats:
        """Return events seen minus events expected, patient by patient.

        Parameters
        ----------
        X, y, sample_weight
            The training data; the model keeps no patient.

        Returns
        -------
        ndarray of shape (n_patients,)
            At most 1; a large negative value is a patient who outlived the model's
            expectation. They sum to 0.
        """
        centred = self._centred(X)
        event, time = check_y(y, n=len(centred), min_events=1)
        sets = RiskSets(event, time, sample_weight, ties=self.ties)
        return cox_state(self.coef_, centred, sets).martingale

    def proportional_hazards_test(
        self, X: Any, y: Any, *, transform: str = "km", sample_weight: Any = None
    ) -> pd.DataFrame:
        """Test whether each hazard ratio is constant over time.

        Parameters
        ----------
        X, y, sample_weight
            The training data; the model keeps no patient.
        transform : {"km", "rank", "identity", "log"}
            The scale of time.

        Returns
        -------
        DataFrame
            Index: the columns and ``GLOBAL``; ``chisq, df, p``.

        References
        ----------
        R's ``survival::cox.zph``, version 3 and later.
        """
        centred = self._centred(X)
        event, time = check_y(y, n=len(centred), min_events=1)
        centred, event, time, weight = _weighted(centred, event, time, sample_weight)
        sets = RiskSets(event, time, weight, ties=self.ties)
        names = [str(name) for name in feature_names(self)]
        return cox_zph(fit_cox(centred, sets, names=names), names, transform=transform)

    def _centred(self, X: Any) -> Floats:
        check_is_fitted(self)
        return np.asarray(predict_matrix(self, X) - self.means_)

    def _check_size(self, values: Floats, event: npt.NDArray[np.bool_]) -> None:
        n, p = values.shape
        if p and p >= n:
            raise InvalidInput(
                f"An unpenalised Cox model of {p} columns cannot be fitted on {n} "
                f"patients ({n / p:.2f} patients and {event.sum() / p:.2f} events a "
                "column). Select columns first, or use LassoCox."
            )
        if not p:
            warnings.warn(
                "X has no column; the Cox model predicts the same for every patient.",
                NothingSelected,
                stacklevel=3,
            )

    def _store(self, fit: CoxFit, names: list[str]) -> None:
        self.coef_ = fit.coef
        self.vcov_ = fit.robust_vcov() if self.robust else fit.vcov
        self.se_ = np.sqrt(np.diag(self.vcov_))
        self.linear_center_ = float(self.means_ @ self.coef_)
        self.loglik_, self.loglik_null_ = fit.loglik, fit.loglik_null
        self.lr_test_, self.score_test_ = fit.lr_test, fit.score_test
        self.wald_test_ = wald_test(fit.coef, self.vcov_)
        self.n_iter_, self.converged_ = fit.n_iter, fit.converged
        df = fit.lr_test[1]
        self.n_events_ = fit.state.sets.n_events
        self.aic_ = 2 * df - 2 * fit.loglik
        self.bic_ = float(np.log(self.n_events_)) * df - 2 * fit.loglik
        self.events_per_variable_ = self.n_events_ / df if df else float("inf")
        self.baseline_ = baseline_hazard(fit.state)
        self.summary_ = hazard_table(self.coef_, self.se_, names, self.level)
        self.aliased_ = [n for n, out in zip(names, fit.aliased, strict=True) if out]
        if self.aliased_:
            warnings.warn(
                f"{listed(self.aliased_)}: constant among the {self.n_events_} events' "
                "risk sets, or given by the columns before; the coefficient is set to "
                "0. Leave the column out.",
                SarcfeatWarning,
                stacklevel=3,
            )


def _weighted(
    values: Floats, event: npt.NDArray[np.bool_], time: Floats, sample_weight: Any
) -> tuple[Floats, npt.NDArray[np.bool_], Floats, Floats | None]:
    """Leave out the rows of weight 0."""
    if sample_weight is None:
        return values, event, time, None
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (len(values),):
        raise InvalidInput(
            f"sample_weight has shape {weight.shape}; expected ({len(values)},)."
        )
    rows = weight != 0
    return values[rows], event[rows], time[rows], weight[rows]


def _reference(values: Floats, weight: Floats | None) -> Floats:
    """Return the mean of each column, 0 for an indicator."""
    if not values.shape[1]:
        return np.zeros(0)
    indicator = np.isin(values, (-1.0, 0.0, 1.0)).all(axis=0)
    return np.where(indicator, 0.0, np.average(values, axis=0, weights=weight))
