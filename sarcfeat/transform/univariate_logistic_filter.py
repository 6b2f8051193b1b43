"""Keep the features that are associated with a yes-or-no outcome one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sarcfeat._validation import StrOptions, listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import adjust_p
from sarcfeat.transform._logistic_each import LogisticEach, fit_logistic_each
from sarcfeat.transform._univariate_filter import UnivariateFilter

__all__ = ["UnivariateLogisticFilter"]


class UnivariateLogisticFilter(UnivariateFilter):
    """Keep each feature whose own logistic regression has a small enough p-value.

    Parameters
    ----------
    alpha : float
        A feature is kept when its adjusted p-value is at most `alpha`.
    adjust : {"bh", "bonferroni", "holm", "none"}
        Adjustment for the number of features.
    test : {"lr", "wald"}
        The likelihood-ratio test, or Wald's, which is blind to a feature that tells
        the classes apart without error.
    passthrough : sequence of str
        Columns of a frame that pass untouched and count for nothing.

    Attributes
    ----------
    table_ : DataFrame
        ``feature, coef, odds_ratio, ci_low, ci_high, p, p_adjusted, separated, kept``;
        odds ratios are a unit of the feature, intervals 95 % (Wald).
    classes_ : ndarray of shape (2,)
        The outcomes; odds are those of the second.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    UnivariateCoxFilter : For censored times.

    Notes
    -----
    Fitted on all patients before a cross-validation, this filter is the classical leak.

    References
    ----------
    Equal to R's ``glm(family = binomial)`` and to statsmodels ``Logit``.

    Examples
    --------
    >>> X = pd.DataFrame({"entropy": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 4.5, 2.5],
    ...                   "noise": [1.0, 3.0, 2.0, 4.0, 1.0, 3.0, 2.0, 4.0]})
    >>> step = UnivariateLogisticFilter(0.1, adjust="none")
    >>> list(step.fit(X, [0, 0, 1, 1, 1, 1, 0, 0]).get_feature_names_out())
    ['entropy']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **UnivariateFilter._parameter_constraints,
        "test": [StrOptions({"lr", "wald"})],
    }
    _constant_reason = "one value in the training patients"

    def __init__(
        self,
        alpha: float = 0.05,
        *,
        adjust: str = "bh",
        test: str = "lr",
        passthrough: Sequence[str] = ("site",),
    ) -> None:
        self.alpha = alpha
        self.adjust = adjust
        self.test = test
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> UnivariateLogisticFilter:
        """Test each feature on these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Without missing values.
        y : array-like with two classes

        Raises
        ------
        InvalidInput
            No y, not two classes, or missing values (the columns are named).

        Warns
        -----
        NothingSelected
            No feature is kept.
        """
        values, names, is_feature = self._read(X, y)
        each = fit_logistic_each(values, self._classes(values, y))
        self.table_ = self._table(each, names)
        self._keep(each.constant, is_feature)
        return self

    def _classes(self, values: np.ndarray, y: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        check_consistent_length(values, y)
        check_classification_targets(y)
        self.classes_, number = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            raise InvalidInput(
                f"y has {len(self.classes_)} classes ({listed(self.classes_)}); a "
                "logistic regression needs two."
            )
        return number

    def _table(self, each: LogisticEach, names: np.ndarray) -> pd.DataFrame:
        p = each.p_wald if self.test == "wald" else each.p_lr
        adjusted = adjust_p(p, self.adjust)
        with np.errstate(over="ignore", invalid="ignore"):
            half = norm.ppf(0.975) * each.se
            low, high = np.exp(each.coef - half), np.exp(each.coef + half)
            return pd.DataFrame(
                {
                    "feature": names.astype(str),
                    "coef": each.coef,
                    "odds_ratio": np.exp(each.coef),
                    "ci_low": np.where(each.separated, 0.0, low),
                    "ci_high": np.where(each.separated, np.inf, high),
                    "p": p,
                    "p_adjusted": adjusted,
                    "separated": each.separated,
                    "kept": (adjusted <= self.alpha) & ~each.constant,
                }
            )
