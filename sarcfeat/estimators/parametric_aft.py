"""Weibull and log-normal accelerated-failure-time models."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2, norm
from sklearn.base import BaseEstimator

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.estimators._fittable_columns import fittable_columns
from sarcfeat.estimators._matrix import (
    feature_names,
    fit_matrix,
    predict_matrix,
)
from sarcfeat.estimators.display_ranges import display_ranges
from sarcfeat.estimators.hazard_table import few_events_note
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import (
    AFTFit,
    SurvivalMixin,
    aft_quantile,
    aft_survival,
    check_y,
    fit_aft,
    wald_test,
)

__all__ = ["ParametricAFT"]

Floats = npt.NDArray[np.float64]


class ParametricAFT(SurvivalMixin, BaseEstimator):
    """Parametric survival: how each variable stretches or shortens the time.

    A time ratio of 0.5 halves every quantile of the time to the event. Curves go on
    beyond the last event, on the word of the distribution alone.

    Parameters
    ----------
    distribution : {"weibull", "lognormal"}
        Of the survival times. Weibull's hazards are proportional as Cox's are; the
        log-normal's rise and fall.
    level : float
        Coverage of the confidence intervals of ``summary_``.
    max_iter : int
        Newton steps.

    Attributes
    ----------
    coef_, se_ : ndarray of shape (n_features,)
        Log time ratios (above 0: longer) and their standard errors.
    intercept_, scale_ : float
        Of log time; Weibull's shape is ``1 / scale_``.
    covariance_ : ndarray of shape (n_features + 2, n_features + 2)
        Of the intercept, the coefficients and the logarithm of the scale.
    summary_ : DataFrame
        Index: the columns; ``coef, time_ratio, ci_low, ci_high, se, z, p``.
    loglik_, loglik_null_, aic_, bic_ : float
    lr_test_, wald_test_ : tuple of (statistic, df, p)
        Of no column mattering.
    means_ : ndarray of shape (n_features,)
        The reference patient, whose risk is 0.
    n_events_ : int
    events_per_variable_, max_time_ : float
    aliased_ : list of str
        Columns that are constant or given by the columns before; coefficient 0.
    ranges_ : DataFrame
        See :class:`CoxPH`.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    R's ``survival::survreg`` and lifelines' ``WeibullAFTFitter`` and
    ``LogNormalAFTFitter``, with which coefficients, errors and likelihoods agree.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> X = pd.DataFrame({"size": [4.0, 9.0, 8.5, 7.0, 3.0, 8.0]})
    >>> y = make_y([1, 1, 0, 1, 0, 1], [900, 400, 800, 150, 1000, 600])
    >>> model = ParametricAFT().fit(X, y)
    >>> bool(model.summary_.loc["size", "time_ratio"] < 1)
    True
    >>> model.predict_survival_function(X[:1], [365, 730]).shape
    (1, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "distribution": [StrOptions({"weibull", "lognormal"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        distribution: str = "weibull",
        *,
        level: float = 0.95,
        max_iter: int = 200,
    ) -> None:
        self.distribution = distribution
        self.level = level
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ParametricAFT:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Numbers only. A frame without any column is a model without variables.
        y : structured array (event, time)
            Times above 0.
        sample_weight : array-like of shape (n_patients,), optional
            Case weights; rows of weight 0 are left out.

        Raises
        ------
        InvalidInput
            Text columns, a time of 0, or as many columns as patients.
        NoEvents
            Fewer than two patients had the event.

        Warns
        -----
        NotConverged
            A coefficient runs to infinity.
        NothingSelected
            X has no column; predictions are constant.
        SarcfeatWarning
            A column is constant or given by the others.
        """
        check_params(self)
        values = fit_matrix(self, X)
        event, time = check_y(y, n=len(values), min_events=2)
        weight = np.ones(len(values))
        if sample_weight is not None:
            weight = np.asarray(sample_weight, dtype=float)
        if weight.shape != (len(values),) or not (weight >= 0).all():
            raise InvalidInput(
                f"sample_weight must be {len(values)} numbers that are not negative; "
                f"got the shape {weight.shape}."
            )
        there = weight > 0
        values, event, time, weight = (a[there] for a in (values, event, time, weight))
        names = [str(name) for name in feature_names(self)]
        self._refuse_too_many(*values.shape, int(event.sum()))
        kept = fittable_columns(self, values, names, self.distribution)
        self.means_ = np.average(values, axis=0, weights=weight)
        spread = values.std(axis=0)[kept]
        Z = (values - self.means_)[:, kept] / spread
        design = np.column_stack([np.ones(len(Z)), Z])
        rules: dict[str, Any] = {
            "shape": self.distribution,
            "sample_weight": weight,
            "max_iter": self.max_iter,
        }
        fit = fit_aft(design, event, time, **rules)
        null = fit_aft(design[:, :1], event, time, **rules)
        self._store(fit, kept, spread, names)
        self._describe(fit, null.loglik, int(event.sum()), names)
        self.ranges_ = display_ranges(values, names)
        self.max_time_ = float(time.max())
        return self

    def predict(self, X: Any) -> Floats:
        """Return the risk: for Weibull the log hazard ratio to the mean patient.

        For the log-normal the same quantity, minus log time over the scale, orders
        patients; hazards are not proportional then.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Columns of a frame are found by name.

        Returns
        -------
        ndarray of shape (n_patients,)
            Higher is worse.
        """
        values = predict_matrix(self, X)
        return np.asarray(-((values - self.means_) @ self.coef_) / self.scale_)

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of being free of the event at given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of the training times, also beyond the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        wanted = np.asarray(times, dtype=float)
        if wanted.ndim != 1 or np.isnan(wanted).any() or (wanted < 0).any():
            raise InvalidInput(
                f"times must be a list of numbers that are not negative; got {times!r}."
            )
        with np.errstate(divide="ignore"):
            log_time = np.log(wanted)
        z = (log_time - self._location(X)[:, None]) / self.scale_
        return aft_survival(z, self.distribution)

    def predict_quantile(self, X: Any, p: float = 0.5) -> Floats:
        """Return the time by which a share `p` of patients like each has the event.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        p : float
            0.5 is the median.

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        if not 0 < p < 1:
            raise InvalidInput(f"p must lie between 0 and 1; got {p}.")
        z = aft_quantile(p, self.distribution)
        return np.exp(self._location(X) + self.scale_ * z)

    def _location(self, X: Any) -> Floats:
        values = predict_matrix(self, X)
        return np.asarray(self.intercept_ + values @ self.coef_)

    def _refuse_too_many(self, n: int, p: int, events: int) -> None:
        if p and p >= n:
            raise InvalidInput(
                f"An unpenalised {self.distribution} model of {p} columns cannot be "
                f"fitted on {n} patients ({n / p:.2f} patients and "
                f"{events / p:.2f} events a column). Select columns first, or use "
                "LassoCox."
            )

    def _store(
        self,
        fit: AFTFit,
        kept: npt.NDArray[np.bool_],
        spread: Floats,
        names: list[str],
    ) -> None:
        p, k = len(names), len(spread)
        self.coef_ = np.zeros(p)
        self.coef_[kept] = fit.coef[1:] / spread
        self.scale_ = float(np.exp(fit.log_scale))
        self.intercept_ = float(fit.coef[0] - self.means_ @ self.coef_)
        # From the centred, scaled columns back to those given.
        back = np.eye(k + 2)
        back[0, 1:-1] = -self.means_[kept] / spread
        back[1:-1, 1:-1] = np.diag(1 / spread)
        where = np.r_[0, 1 + np.flatnonzero(kept), p + 1]
        self.covariance_ = np.full((p + 2, p + 2), np.nan)
        self.covariance_[np.ix_(where, where)] = back @ fit.vcov @ back.T
        self.se_ = np.sqrt(np.diag(self.covariance_))[1:-1]

    def _describe(
        self, fit: AFTFit, loglik_null: float, n_events: int, names: list[str]
    ) -> None:
        df = len(fit.coef) - 1
        self.loglik_, self.loglik_null_ = fit.loglik, loglik_null
        gain = 2 * (fit.loglik - loglik_null)
        p_value = float(chi2.sf(max(gain, 0.0), df)) if df else 1.0
        self.lr_test_ = (gain, df, p_value)
        self.wald_test_ = wald_test(self.coef_, self.covariance_[1:-1, 1:-1])
        self.aic_ = 2 * (df + 2) - 2 * fit.loglik
        self.bic_ = float(np.log(n_events)) * (df + 2) - 2 * fit.loglik
        self.converged_, self.n_iter_ = fit.converged, fit.n_iter
        self.n_events_ = n_events
        self.events_per_variable_ = n_events / df if df else float("inf")
        half = float(norm.ppf((1 + self.level) / 2)) * self.se_
        z = self.coef_ / self.se_
        with np.errstate(over="ignore"):
            columns = {
                "coef": self.coef_,
                "time_ratio": np.exp(self.coef_),
                "ci_low": np.exp(self.coef_ - half),
                "ci_high": np.exp(self.coef_ + half),
                "se": self.se_,
                "z": z,
                "p": 2 * norm.sf(np.abs(z)),
            }
        index = pd.Index(names, name="feature", dtype="str")
        self.summary_ = pd.DataFrame(columns, index=index)
        self.summary_.attrs |= {
            "level": self.level,
            "notes": few_events_note(self.events_per_variable_),
        }
