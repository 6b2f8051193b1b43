"""Logistic regression with everything a paper prints about it."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params, listed
from sarcfeat.estimators._classes import two_classes
from sarcfeat.estimators._fittable_columns import fittable_columns
from sarcfeat.estimators._logistic_inference import (
    LogisticResult,
    firth,
    odds_table,
    plain,
)
from sarcfeat.estimators._matrix import (
    feature_names,
    fit_matrix,
    predict_matrix,
)
from sarcfeat.estimators.display_ranges import display_ranges
from sarcfeat.estimators.hazard_table import few_events_note
from sarcfeat.exceptions import (
    InvalidInput,
    NotConverged,
)

__all__ = ["Logistic"]

Floats = npt.NDArray[np.float64]


class Logistic(ClassifierMixin, BaseEstimator):
    """Logistic regression: how each variable multiplies the odds of the event.

    Unpenalised, with intervals and tests, for a yes-or-no endpoint that every patient
    was followed long enough for. For more columns than patients use
    :class:`LassoLogistic`; for times to an event :class:`CoxPH`.

    Parameters
    ----------
    firth : bool
        Whether Firth's penalty keeps the coefficients finite where a column separates
        the classes. Intervals and p-values are then those of the penalised profile
        likelihood.
    intervals : {"wald", "profile"}
        Of the plain model: from the standard error, or where the likelihood ratio has
        the p-value 1 - `level`, as R's ``confint`` gives them.
    level : float
        Coverage of the confidence intervals of ``summary_``.
    max_iter : int
        Newton steps.

    Attributes
    ----------
    classes_ : ndarray of 2 labels
        The second is the event.
    coef_ : ndarray of shape (1, n_features)
        Log odds ratios.
    intercept_ : ndarray of shape (1,)
    covariance_ : ndarray of shape (1 + n_features, 1 + n_features)
        The intercept's row comes first; NaN for an aliased column.
    se_ : ndarray of shape (n_features,)
    summary_ : DataFrame
        Index: the columns; ``coef, odds_ratio, ci_low, ci_high, se, z, p, p_lr``, where
        p is Wald's and p_lr of the likelihood ratio (with ``firth`` both are that).
    loglik_, loglik_null_, aic_, bic_ : float
        With ``firth`` penalised.
    lr_test_, wald_test_, score_test_ : tuple of (statistic, df, p)
        Of no column mattering. ``score_test_`` is None with ``firth``.
    r2_ : float
        Nagelkerke's.
    n_events_ : int
    events_per_variable_ : float
        Patients of the rarer class for each coefficient.
    aliased_ : list of str
        Columns that are constant or given by the columns before; coefficient 0.
    separated_ : list of str
        Columns whose odds ratio has no finite estimate, without ``firth``.
    ranges_ : DataFrame
        What a nomogram draws; see :class:`CoxPH`.
    means_, linear_center_
        The mean patient and his log odds, less the intercept.
    lp_range_ : tuple of float
        Lowest and highest log odds among the training patients.
    converged_ : bool
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    R's ``glm`` and ``confint.glm`` (profile intervals: Venables & Ripley, MASS); Heinze
    & Schemper, Stat Med 2002 (Firth), by ``firthmodels``.

    Examples
    --------
    >>> X = pd.DataFrame({"size": [4.0, 9, 8, 7, 3, 8, 5, 6], "old": [0.0, 1] * 4})
    >>> model = Logistic().fit(X, [0, 1, 0, 1, 0, 1, 1, 0])
    >>> bool(model.summary_.loc["size", "odds_ratio"] > 1)
    True
    >>> model.predict_proba(X[:2])[:, 1].round(2)
    array([0.16, 0.86])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "firth": ["boolean"],
        "intervals": [StrOptions({"wald", "profile"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        firth: bool = False,
        intervals: str = "wald",
        level: float = 0.95,
        max_iter: int = 100,
    ) -> None:
        self.firth = firth
        self.intervals = intervals
        self.level = level
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Logistic:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Numbers only. A frame without any column is a model that predicts the share
            with the event.
        y : array-like of two labels, shape (n_patients,)
            The label that sorts last (1, True, "yes") is the event.
        sample_weight : array-like of shape (n_patients,), optional
            Case weights; rows of weight 0 are left out.

        Returns
        -------
        Logistic
            The fitted model itself.

        Raises
        ------
        InvalidInput
            Not two classes, text columns, missing values, or as many columns as
            patients.

        Warns
        -----
        NotConverged
            A column separates the classes: its odds ratio is infinite, and named.
        NothingSelected
            X has no column; predictions are constant.
        SarcfeatWarning
            A column is constant or given by the others.
        """
        check_params(self)
        values = fit_matrix(self, X)
        codes = two_classes(self, y, len(values))
        weight = _check_sample_weight(
            sample_weight, values, dtype=np.float64, ensure_non_negative=True
        )
        there = weight > 0
        values, codes, weight = values[there], codes[there], weight[there]
        if len(np.unique(codes)) < 2:
            raise InvalidInput(
                "Logistic: the patients with a weight are all of one class."
            )
        names = [str(name) for name in feature_names(self)]
        self._refuse_too_many(*values.shape)
        kept = fittable_columns(self, values, names, "logistic")
        self.means_ = np.average(values, axis=0, weights=weight)
        spread = np.where(kept, values.std(axis=0), 1.0)[kept]
        Z = (values - self.means_)[:, kept] / spread
        self.separated_: list[str] = []
        inside = [name for name, ok in zip(names, kept, strict=True) if ok]
        found = self._fitted(Z, codes.astype(float), weight, inside)
        self._store(found, kept, spread, names)
        self._describe(values, codes, weight, names, found)
        return self

    def _fitted(
        self, Z: Floats, codes: Floats, weight: Floats, names: list[str]
    ) -> LogisticResult:
        if self.firth and Z.shape[1]:
            return firth(Z, codes, weight, level=self.level, max_iter=self.max_iter)
        profile = self.intervals == "profile"
        found = plain(
            Z, codes, weight, level=self.level, profile=profile, max_iter=self.max_iter
        )
        self.separated_ = [n for n, s in zip(names, found.endless, strict=True) if s]
        if self.separated_ or found.separated:
            warnings.warn(
                f"The coefficient of {listed(self.separated_ or names)} runs to "
                "infinity: the column separates the classes (for instance a group in "
                "which nobody, or everybody, has the event). Pass firth=True, merge "
                "categories, or leave it out.",
                NotConverged,
                stacklevel=3,
            )
        elif not found.converged:
            warnings.warn(
                f"Newton's method did not converge in {self.max_iter} steps for the "
                f"columns {listed(names)}. Standardise the columns, or leave out those "
                "that are nearly the same.",
                NotConverged,
                stacklevel=3,
            )
        return found

    def _store(
        self,
        found: LogisticResult,
        kept: npt.NDArray[np.bool_],
        spread: Floats,
        names: list[str],
    ) -> None:
        p = len(names)
        coef, rows = np.zeros(p), np.full((4, p), np.nan)
        coef[kept] = found.coef[1:] / spread
        # From the centred, scaled columns back to those given.
        back = np.zeros((1 + len(spread), 1 + len(spread)))
        back[0, 0] = 1.0
        back[0, 1:] = -self.means_[kept] / spread
        back[1:, 1:] = np.diag(1 / spread)
        covariance = back @ found.vcov @ back.T
        where = np.r_[0, 1 + np.flatnonzero(kept)]
        self.covariance_ = np.full((p + 1, p + 1), np.nan)
        self.covariance_[np.ix_(where, where)] = covariance
        self.coef_ = coef[None, :]
        self.intercept_ = np.array([found.coef[0] - self.means_ @ coef])
        self.linear_center_ = float(self.means_ @ coef)
        self.se_ = np.sqrt(np.diag(self.covariance_))[1:]
        rows[:2, kept] = found.low / spread, found.high / spread
        rows[2:, kept] = found.p, found.p_lr
        self.summary_ = odds_table(coef, self.se_, *rows).set_index(
            pd.Index(names, name="feature", dtype="str")
        )

    def _describe(
        self,
        values: Floats,
        codes: npt.NDArray[np.intp],
        weight: Floats,
        names: list[str],
        found: LogisticResult,
    ) -> None:
        df = len(found.coef) - 1
        n = float(weight.sum())
        self.loglik_, self.loglik_null_ = found.loglik, found.loglik_null
        self.lr_test_, self.wald_test_ = found.lr_test, found.wald_test
        self.score_test_ = found.score_test
        self.converged_, self.n_iter_ = found.converged, max(found.n_iter, 1)
        self.aic_ = 2 * (df + 1) - 2 * found.loglik
        self.bic_ = float(np.log(n)) * (df + 1) - 2 * found.loglik
        top = -np.expm1(-2 * (found.loglik - found.loglik_null) / n)
        self.r2_ = float(top / -np.expm1(2 * found.loglik_null / n))
        self.n_events_ = int(codes.sum())
        rarer = min(self.n_events_, len(codes) - self.n_events_)
        self.events_per_variable_ = rarer / df if df else float("inf")
        self.summary_.attrs |= {
            "level": self.level,
            "notes": few_events_note(self.events_per_variable_),
        }
        self.ranges_ = display_ranges(values, names)
        eta = values @ self.coef_[0] + self.intercept_[0]
        self.lp_range_ = (float(eta.min()), float(eta.max()))

    def linear_predictor(self, X: Any) -> Floats:
        """Return the log odds of the event, ``intercept + X @ coef``.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Columns of a frame are found by name.

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        values = predict_matrix(self, X)
        return np.asarray(values @ self.coef_[0] + self.intercept_[0])

    def linear_predictor_se(self, X: Any) -> Floats:
        """Return the standard error of :meth:`linear_predictor`.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        values = predict_matrix(self, X)
        design = np.column_stack([np.ones(len(values)), values])
        known = np.nan_to_num(self.covariance_)
        return np.sqrt(np.einsum("ij,jk,ik->i", design, known, design).clip(0))

    def decision_function(self, X: Any) -> Floats:
        """Return the log odds of the event; above 0 it is predicted."""
        check_is_fitted(self)
        return self.linear_predictor(X)

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)

        Returns
        -------
        ndarray of shape (n_patients, 2)
        """
        event = expit(self.linear_predictor(X))
        return np.column_stack([1.0 - event, event])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class whose probability is above one half."""
        above = (self.decision_function(X) > 0).astype(int)
        return np.asarray(self.classes_[above])

    def __sklearn_tags__(self) -> Any:
        """Declare that there are two classes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _refuse_too_many(self, n: int, p: int) -> None:
        if p and p >= n:
            raise InvalidInput(
                f"An unpenalised logistic model of {p} columns cannot be fitted on {n} "
                f"patients ({n / p:.2f} patients a column). Select columns first, or "
                "use LassoLogistic."
            )
