"""Cox's proportional hazards model, with everything a paper prints about it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from sarcfeat._validation import Interval, StrOptions, check_params, listed
from sarcfeat.estimators._cox_checks import CoxChecks
from sarcfeat.estimators._cox_outcome import CoxRows, cox_rows
from sarcfeat.estimators._firth_hazard import FirthHazard, fit_firth
from sarcfeat.estimators._matrix import (
    feature_names,
    fit_matrix,
    independent_columns,
)
from sarcfeat.estimators._row_columns import Column, design_of
from sarcfeat.estimators.display_ranges import display_ranges
from sarcfeat.estimators.hazard_table import hazard_table
from sarcfeat.exceptions import InvalidInput, NothingSelected, SarcfeatWarning
from sarcfeat.metrics import Concordance, concordance
from sarcfeat.survival import (
    CoxFit,
    CoxState,
    SurvivalMixin,
    baseline_hazard,
    cox_state,
    fit_cox,
    wald_test,
)

__all__ = ["CoxPH"]

Floats = npt.NDArray[np.float64]


class CoxPH(CoxChecks, SurvivalMixin, BaseEstimator):
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
        ``sample_weight`` are no counts of patients (R takes it by itself where a
        weight is no whole number).
    max_iter : int
        Newton steps before giving up with :class:`NotConverged`.
    strata : str, int or sequence of them, optional
        Columns of X (of text, or of few values) within whose levels patients are
        compared: each has a baseline hazard of its own and no hazard ratio.
    firth : bool
        Whether Firth's penalty keeps hazard ratios finite where a column separates the
        events; intervals and p-values are then those of the penalised profile
        likelihood. Needs Breslow's ties, and neither weights, strata nor robust errors.
    cluster : str or int, optional
        Column of X with the patient (or hospital) that rows belong to; standard errors
        are then the sandwich estimate over clusters.
    entry : str or int, optional
        Column of X with the time from which a row is under observation. y is then the
        end of that interval: a patient whose treatment changes has a row for each
        interval (time-varying covariates); one who came late starts late.
    cause : int, optional
        The event of interest, where y holds several (:func:`make_causes`); patients
        with another leave observation then, so that this is the cause-specific hazard.

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
        Of the reference patient. With strata in its place ``baselines_``, a dict from
        the level to its baseline hazard.
    loglik_, loglik_null_, aic_, bic_ : float
        BIC counts events, as R does. With ``firth`` penalised.
    lr_test_, wald_test_, score_test_ : tuple of (statistic, df, p)
        Of no column mattering. ``score_test_`` is None with ``firth``.
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
        "strata": [str, Integral, list, tuple, None],
        "firth": ["boolean"],
        "cluster": [str, Integral, None],
        "entry": [str, Integral, None],
        "cause": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        ties: str = "efron",
        *,
        level: float = 0.95,
        robust: bool = False,
        max_iter: int = 100,
        strata: Column | Sequence[Column] | None = None,
        firth: bool = False,
        cluster: Column | None = None,
        entry: Column | None = None,
        cause: int | None = None,
    ) -> None:
        self.ties = ties
        self.level = level
        self.robust = robust
        self.max_iter = max_iter
        self.strata = strata
        self.firth = firth
        self.cluster = cluster
        self.entry = entry
        self.cause = cause

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
        design = design_of(X, self._special(), type(self).__name__, fit=True)
        rows = cox_rows(self, fit_matrix(self, design), X, y, sample_weight)
        self._check_size(rows.values, rows.event)
        names = [str(name) for name in feature_names(self)]
        self.means_ = _reference(rows.values, rows.weight)
        state = self._fit_firth(rows, names) if self.firth else self._fit(rows, names)
        self._store_baselines(state, rows)
        self.linear_center_ = float(self.means_ @ self.coef_)
        self.ranges_ = display_ranges(rows.values, names)
        risk = (rows.values - self.means_) @ self.coef_
        self.lp_range_ = (float(risk.min()), float(risk.max()))
        self.max_time_ = float(rows.time.max())
        found = concordance(
            rows.event,
            rows.time,
            risk,
            sample_weight=rows.weight,
            strata=rows.stratum,
            entry=rows.entry,
            cluster=rows.cluster,
            level=self.level,
        )
        # A fitted model keeps nothing patient by patient.
        self.concordance_: Concordance = replace(found, influence=np.empty(0))
        return self

    def _strata(self) -> list[Column]:
        if self.strata is None:
            return []
        one = isinstance(self.strata, (str, Integral))
        return [self.strata] if one else list(self.strata)

    def _special(self) -> list[Column]:
        single = [name for name in (self.entry, self.cluster) if name is not None]
        return [*self._strata(), *single]

    def _fit(self, rows: CoxRows, names: list[str]) -> CoxState:
        centred = rows.values - self.means_
        sets = rows.sets(self.ties)
        fit = fit_cox(centred, sets, names=names, max_iter=self.max_iter)
        robust = self.robust or rows.cluster is not None
        self.coef_ = fit.coef
        self.vcov_ = fit.robust_vcov(rows.cluster) if robust else fit.vcov
        self.se_ = np.sqrt(np.diag(self.vcov_))
        self.score_test_ = fit.score_test
        self._store(fit, sets.n_events, fit.aliased, names)
        self.summary_ = hazard_table(
            self.coef_, self.se_, names, self.level, self.events_per_variable_
        )
        return fit.state

    def _fit_firth(self, rows: CoxRows, names: list[str]) -> CoxState:
        self._check_firth(rows)
        kept = independent_columns(rows.values)
        if not kept.any():
            return self._fit(rows, names)
        fit = fit_firth(
            (rows.values - self.means_)[:, kept],
            rows.event,
            rows.time,
            level=self.level,
            max_iter=self.max_iter,
        )
        p = len(names)
        self.coef_, self.vcov_ = np.zeros(p), np.full((p, p), np.nan)
        self.coef_[kept], self.vcov_[np.ix_(kept, kept)] = fit.coef, fit.vcov
        self.se_ = np.sqrt(np.diag(self.vcov_))
        self.score_test_ = None
        self._store(fit, int(rows.event.sum()), ~kept, names)
        self.summary_ = hazard_table(
            self.coef_, self.se_, names, self.level, self.events_per_variable_
        )
        inside = self.summary_.index[kept]
        with np.errstate(over="ignore"):
            self.summary_.loc[inside, "ci_low"] = np.exp(fit.low)
            self.summary_.loc[inside, "ci_high"] = np.exp(fit.high)
        self.summary_.loc[inside, "p"] = fit.p
        return cox_state(self.coef_, rows.values - self.means_, rows.sets("breslow"))

    def _check_firth(self, rows: CoxRows) -> None:
        asked = {
            "strata": rows.stratum,
            "entry": rows.entry,
            "cluster": rows.cluster,
            "robust=True": self.robust or None,
            "sample_weight": rows.weight,
        }
        given = [name for name, value in asked.items() if value is not None]
        tied = len(np.unique(rows.time[rows.event])) < rows.event.sum()
        if given:
            raise InvalidInput(
                f"firth=True does not go with {listed(given)}. Leave that out, or fit "
                "without Firth's penalty."
            )
        if tied and self.ties != "breslow":
            raise InvalidInput(
                "firth=True handles tied events after Breslow, and there are some: "
                f"pass ties='breslow' (got {self.ties!r})."
            )

    def _store_baselines(self, state: CoxState, rows: CoxRows) -> None:
        if not rows.strata:
            self.baseline_ = baseline_hazard(state)
            return
        self.baselines_ = {
            name: baseline_hazard(state, code) for code, name in enumerate(rows.strata)
        }
        silent = [name for name, h in self.baselines_.items() if not len(h.time)]
        if silent:
            warnings.warn(
                f"Stratum {listed(silent)} has no event: its survival curve stays at 1 "
                "and its patients add nothing to the hazard ratios.",
                SarcfeatWarning,
                stacklevel=3,
            )

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

    def _store(
        self,
        fit: CoxFit | FirthHazard,
        n_events: int,
        aliased: npt.NDArray[np.bool_],
        names: list[str],
    ) -> None:
        self.loglik_, self.loglik_null_ = fit.loglik, fit.loglik_null
        self.lr_test_ = fit.lr_test
        self.wald_test_ = wald_test(self.coef_, self.vcov_)
        self.n_iter_, self.converged_ = fit.n_iter, fit.converged
        df = fit.lr_test[1]
        self.n_events_ = n_events
        self.aic_ = 2 * df - 2 * fit.loglik
        self.bic_ = float(np.log(n_events)) * df - 2 * fit.loglik
        self.events_per_variable_ = n_events / df if df else float("inf")
        self.aliased_ = [n for n, out in zip(names, aliased, strict=True) if out]
        if self.aliased_:
            warnings.warn(
                f"{listed(self.aliased_)}: constant among the {self.n_events_} events' "
                "risk sets, or given by the columns before; the coefficient is set to "
                "0. Leave the column out.",
                SarcfeatWarning,
                stacklevel=3,
            )


def _reference(values: Floats, weight: Floats | None) -> Floats:
    """Return the mean of each column, 0 for an indicator."""
    if not values.shape[1]:
        return np.zeros(0)
    indicator = np.isin(values, (-1.0, 0.0, 1.0)).all(axis=0)
    return np.where(indicator, 0.0, np.average(values, axis=0, weights=weight))
