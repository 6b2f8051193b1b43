"""Keep the features that are associated with the outcome one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.stats import norm

from sarcfeat._validation import StrOptions
from sarcfeat.metrics import adjust_p
from sarcfeat.survival import CoxEach, RiskSets, check_y, fit_cox_each
from sarcfeat.transform._univariate_filter import UnivariateFilter

__all__ = ["UnivariateCoxFilter"]


class UnivariateCoxFilter(UnivariateFilter):
    """Keep each feature whose own Cox model has a small enough p-value.

    Parameters
    ----------
    alpha : float
        A feature is kept when its adjusted p-value is at most `alpha`.
    adjust : {"bh", "bonferroni", "holm", "none"}
        Adjustment for the number of features; ``"bh"`` (Benjamini–Hochberg) makes
        `alpha` the share of false discoveries among those kept.
    test : {"wald", "lr", "score"}
        Which test of the one coefficient.
    ties : {"efron", "breslow"}
        How patients with an event at the same time are handled.
    passthrough : sequence of str
        Columns of a frame that pass untouched and count for nothing.

    Attributes
    ----------
    table_ : DataFrame
        ``feature, coef, hazard_ratio, ci_low, ci_high, p, p_adjusted, kept``; hazard
        ratios are a unit of the feature, intervals 95 %.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    MRMR : Looks at the redundancy of the features kept as well.

    Notes
    -----
    Fitted on all patients before a cross-validation, this filter is the classical leak;
    put it into the pipeline that is cross-validated.

    References
    ----------
    P-values agree with R's ``survival::coxph`` (golden case ``cox_univariate``).

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> X = pd.DataFrame({"entropy": [5.0, 4.2, 3.9, 4.1, 2.0, 2.2, 1.9, 1.0],
    ...                   "noise": [1.0, 3.0, 2.0, 4.0, 1.0, 3.0, 2.0, 4.0]})
    >>> y = make_y([1, 1, 1, 1, 1, 0, 1, 0], [1, 2, 3, 4, 5, 6, 7, 8])
    >>> selector = UnivariateCoxFilter(alpha=0.1, test="lr").fit(X, y)
    >>> list(selector.get_feature_names_out())
    ['entropy']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **UnivariateFilter._parameter_constraints,
        "test": [StrOptions({"wald", "lr", "score"})],
        "ties": [StrOptions({"efron", "breslow"})],
    }
    _constant_reason = "constant among the patients at risk at an event"

    def __init__(
        self,
        alpha: float = 0.05,
        *,
        adjust: str = "bh",
        test: str = "wald",
        ties: str = "efron",
        passthrough: Sequence[str] = ("site",),
    ) -> None:
        self.alpha = alpha
        self.adjust = adjust
        self.test = test
        self.ties = ties
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> UnivariateCoxFilter:
        """Test each feature on these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Without missing values.
        y : structured array (event, time)

        Returns
        -------
        UnivariateCoxFilter
            The fitted filter itself.

        Raises
        ------
        InvalidInput
            Missing values (the columns are named), or no y.
        NoEvents
            No patient had the event.

        Warns
        -----
        NothingSelected
            No feature is kept.
        """
        values, names, is_feature = self._read(X, y)
        event, time = check_y(y, n=len(values), min_events=1)
        sets = RiskSets(event, time, ties=self.ties)
        each = fit_cox_each(values, sets, names=[str(name) for name in names])
        self.table_ = self._table(each, names)
        self._keep(each.constant, is_feature)
        return self

    def _table(self, each: CoxEach, names: np.ndarray) -> pd.DataFrame:
        p = {"wald": each.p_wald, "lr": each.p_lr, "score": each.p_score}[self.test]
        adjusted = adjust_p(p, self.adjust)
        half = norm.ppf(0.975) * each.se
        with np.errstate(over="ignore"):
            return pd.DataFrame(
                {
                    "feature": names.astype(str),
                    "coef": each.coef,
                    "hazard_ratio": np.exp(each.coef),
                    "ci_low": np.exp(each.coef - half),
                    "ci_high": np.exp(each.coef + half),
                    "p": p,
                    "p_adjusted": adjusted,
                    "kept": (adjusted <= self.alpha) & ~each.constant,
                }
            )
