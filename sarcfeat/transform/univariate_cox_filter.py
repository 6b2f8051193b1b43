"""Keep the features that are associated with the outcome one at a time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.stats import norm

from sarcfeat._validation import Interval, StrOptions, check_params, listed
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.metrics import adjust_p
from sarcfeat.survival import CoxEach, RiskSets, check_y, fit_cox_each
from sarcfeat.transform._frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["UnivariateCoxFilter"]


class UnivariateCoxFilter(ColumnFilter):
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
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "adjust": [StrOptions({"bh", "bonferroni", "holm", "none"})],
        "test": [StrOptions({"wald", "lr", "score"})],
        "ties": [StrOptions({"efron", "breslow"})],
        "passthrough": ["array-like"],
    }

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
        check_params(self)
        if y is None:
            raise InvalidInput(
                "UnivariateCoxFilter requires y to be passed, but the target y is None."
            )
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        names = input_names(self)[is_feature]
        _refuse_missing(values, names)
        event, time = check_y(y, n=len(values), min_events=1)
        sets = RiskSets(event, time, ties=self.ties)
        each = fit_cox_each(values, sets, names=[str(name) for name in names])
        self.table_ = self._table(each, names)
        self._remember(each.constant, is_feature)
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

    def _remember(self, constant: np.ndarray, is_feature: np.ndarray) -> None:
        kept = self.table_["kept"].to_numpy(dtype=bool)
        self.support_ = ~is_feature
        self.support_[is_feature] = kept
        adjusted = self.table_["p_adjusted"].to_numpy()
        self.dropped_ = reasons(
            [
                (name, "constant among the patients at risk at an event")
                if is_constant
                else (name, f"adjusted p = {p:.3g} > {self.alpha:g}")
                for name, is_constant, p, keep in zip(
                    self.table_["feature"], constant, adjusted, kept, strict=True
                )
                if not keep
            ]
        )
        if not kept.any():
            least = f" (smallest adjusted p {adjusted.min():.3g})" if len(kept) else ""
            warnings.warn(
                f"None of {len(kept)} features has an adjusted p <= {self.alpha:g}"
                f"{least}; the step passes no feature on.",
                NothingSelected,
                stacklevel=3,
            )

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the filter needs an outcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _refuse_missing(values: np.ndarray, names: np.ndarray) -> None:
    missing = np.isnan(values).sum(axis=0)
    if missing.any():
        where = np.flatnonzero(missing)
        found = listed(f"{names[j]} ({missing[j]} patients)" for j in where)
        raise InvalidInput(
            f"Input X contains NaN in {len(where)} columns: {found}. Fill them inside "
            "the fold (MedianImputer) or leave the columns out."
        )
