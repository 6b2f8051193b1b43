"""Firth's Cox model: finite hazard ratios where a variable separates the events."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from sarcfeat._validation import Interval, check_params
from sarcfeat.estimators._display_ranges import display_ranges
from sarcfeat.estimators._matrix import feature_names, fit_matrix, predict_matrix
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import (
    RiskSets,
    SurvivalMixin,
    baseline_hazard,
    check_y,
    cox_state,
    make_y,
)

__all__ = ["FirthCox"]

Floats = npt.NDArray[np.float64]


class FirthCox(SurvivalMixin, BaseEstimator):
    """Cox model with Firth's penalty, for a group without any event or a rare one.

    Where one level holds every event (or none), Cox's hazard ratio is infinite; this
    one is finite and less biased. Its intervals and p-values are those of the
    penalised profile likelihood, as its authors advise. Ties after Breslow.

    Parameters
    ----------
    level : float
        Coverage of the confidence intervals of ``summary_``.
    max_iter : int
        Newton steps.

    Attributes
    ----------
    coef_, se_ : ndarray of shape (n_features,)
        Log hazard ratios and their (Wald) standard errors.
    summary_ : DataFrame
        Index: the columns; ``coef, hazard_ratio, ci_low, ci_high, se, p``.
    means_, linear_center_
        The reference patient, the mean of the training patients.
    baseline_ : BaselineHazard
    ranges_ : DataFrame
        What a nomogram draws; see :class:`CoxPH`.
    n_events_ : int
    events_per_variable_ : float
    max_time_ : float
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Heinze G, Schemper M. Biometrics 2001;57:114-119. Fitted by ``firthmodels``.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> X = pd.DataFrame({"positive_margin": [0.0, 0, 0, 0, 1, 1, 1, 1]})
    >>> y = make_y([0, 0, 0, 0, 1, 1, 1, 0], [9, 8, 7, 6, 2, 3, 4, 5])
    >>> ratio = FirthCox().fit(X, y).summary_.loc["positive_margin", "hazard_ratio"]
    >>> bool(1 < ratio < 1000)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "level": [Interval(Real, 0, 1, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, level: float = 0.95, max_iter: int = 100) -> None:
        self.level = level
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> FirthCox:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        y : structured array (event, time)

        Raises
        ------
        InvalidInput
            No column, a constant one, as many as patients, or text.
        NoEvents
            Fewer than two patients had the event.
        """
        from firthmodels import FirthCoxPH

        check_params(self)
        values = fit_matrix(self, X)
        event, time = check_y(y, n=len(values), min_events=2)
        names = [str(name) for name in feature_names(self)]
        if len(names) >= len(values):
            raise InvalidInput(
                f"FirthCox needs fewer columns than patients; got {len(names)} columns "
                f"and {len(values)} patients. Select columns first, or use LassoCox."
            )
        scale = values.std(axis=0)
        if not names or not scale.all():
            flat = [n for n, s in zip(names, scale, strict=True) if s == 0]
            raise InvalidInput(
                f"FirthCox needs columns that vary; {flat or 'X has no column'}. Leave "
                "constant columns out (DropConstant)."
            )
        self.means_ = values.mean(axis=0)
        Z = (values - self.means_) / scale
        engine = FirthCoxPH(
            backend="numpy", max_iter=self.max_iter, gtol=1e-5, xtol=1e-7
        )
        engine.fit(Z, make_y(event, time, zero="keep"))
        engine.lrt()
        bounds = engine.conf_int(alpha=1 - self.level, method="pl") / scale[:, None]
        self.coef_, self.se_ = engine.coef_ / scale, engine.bse_ / scale
        self.linear_center_ = float(self.means_ @ self.coef_)
        with np.errstate(over="ignore"):
            self.summary_ = pd.DataFrame(
                {
                    "coef": self.coef_,
                    "hazard_ratio": np.exp(self.coef_),
                    "ci_low": np.exp(bounds[:, 0]),
                    "ci_high": np.exp(bounds[:, 1]),
                    "se": self.se_,
                    "p": engine.lrt_pvalues_,
                },
                index=pd.Index(names, name="feature", dtype="str"),
            )
        self.n_events_ = int(event.sum())
        self.events_per_variable_ = self.n_events_ / len(names)
        self.ranges_ = display_ranges(values, names)
        self.max_time_ = float(time.max())
        sets = RiskSets(event, time, None, ties="breslow")
        state = cox_state(self.coef_, values - self.means_, sets)
        self.baseline_ = baseline_hazard(state)
        return self

    def predict(self, X: Any) -> Floats:
        """Return the log hazard ratio to the mean patient; higher is worse."""
        values = predict_matrix(self, X)
        return np.asarray((values - self.means_) @ self.coef_)

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of no event by `times`, a row a patient."""
        risk = self.predict(X)
        return self.baseline_.survival(times, risk)
