"""Choose features that tell much about the outcome and little twice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.feature_selection import (
    f_classif,
    f_regression,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.exceptions import InvalidInput, NotConverged
from sarcfeat.survival import RiskSets, check_y, fit_cox_each
from sarcfeat.transform._association import (
    concordance_with,
    correlation_with,
    mutual_information,
    standardised,
)
from sarcfeat.transform.frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["MRMR"]

# Scores closer than this are ties, which go to the earlier column: the same columns in
# another place may differ in the last bit.
TIE = 1e-12
# A quotient needs something to divide by; the value is that of mrmr-selection.
FLOOR = 1e-3


def greedy(
    relevance: np.ndarray,
    redundancy: Callable[[int], np.ndarray],
    k: int,
    *,
    quotient: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Select `k` columns, each the best given those selected before.

    Parameters
    ----------
    relevance : ndarray of shape (n_features,)
    redundancy : callable
        ``redundancy(j)`` returns the association of column `j` with every column.
    k : int
    quotient : bool
        Divide the relevance by the mean redundancy, instead of taking the difference.

    Returns
    -------
    order : ndarray of int
        The columns in the order of their selection.
    scores : ndarray of float
        The score of each when it was selected.
    """
    open_ = np.ones(len(relevance), dtype=bool)
    total = np.zeros(len(relevance))
    order, scores = [], []
    for step in range(min(k, len(relevance))):
        score = relevance.copy()
        if step:
            total += redundancy(order[-1])
            mean = total / step
            with np.errstate(invalid="ignore", divide="ignore"):
                score = score / mean if quotient else score - mean
        score = np.where(np.isnan(score), -np.inf, score)
        best = _first_best(score, open_)
        open_[best] = False
        order.append(best)
        scores.append(score[best])
    return np.array(order, dtype=int), np.array(scores, dtype=float)


def _first_best(score: np.ndarray, open_: np.ndarray) -> int:
    """Return the first open column whose score is the highest, but for rounding."""
    candidates = np.flatnonzero(open_)
    values = score[candidates]
    highest = values.max()
    if np.isfinite(highest):
        highest -= TIE * max(1.0, abs(highest))
    return int(candidates[np.argmax(values >= highest)])


def cox_information(X: np.ndarray, event: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return what each feature's own Cox model tells: its likelihood ratio over 2n."""
    with warnings.catch_warnings():
        # A feature that separates the events is the most relevant of all.
        warnings.simplefilter("ignore", NotConverged)
        each = fit_cox_each(X, RiskSets(event, time))
    return np.maximum(each.loglik - each.loglik_null, 0.0) / len(X)


def read_target(y: Any, n: int) -> tuple[str, Any]:
    """Return what kind of target y is and its values.

    Returns
    -------
    kind : {"survival", "binary", "classes", "continuous"}
    values : ndarray, or tuple (event, time) for a survival target
    """
    if isinstance(y, pd.DataFrame) or getattr(getattr(y, "dtype", None), "names", None):
        return "survival", check_y(y, n=n)
    values = column_or_1d(y, warn=True)
    check_consistent_length(np.empty((n, 0)), values)
    if pd.isna(values).any() or (values.dtype.kind == "f" and np.isinf(values).any()):
        raise InvalidInput("Input y contains NaN or infinity.")
    if values.dtype == object:
        values = _numbers_if_numbers(values)
    codes, classes = pd.factorize(values, sort=True)
    if len(classes) <= 2:
        return "binary", codes
    if values.dtype.kind in "fiu":
        return "continuous", values.astype(float)
    return "classes", codes


def _numbers_if_numbers(values: np.ndarray) -> np.ndarray:
    try:
        return values.astype(float)
    except (TypeError, ValueError):  # labels, then
        return values.astype(str)


class MRMR(ColumnFilter):
    """Select the features of maximum relevance and minimum redundancy.

    One by one, the feature is taken whose association with the outcome, less its mean
    association with the features already taken, is highest.

    Parameters
    ----------
    k : int
        How many features to keep; all when there are fewer.
    relevance : {"auto", "correlation", "concordance", "c_index", "cox", \
            "mutual_information", "f", "f_classif", "f_regression"}
        Association with the outcome. ``"auto"``: concordance for a survival or a binary
        outcome, Pearson correlation for a number, both as mutual information
        ``-ln(1 - r^2) / 2`` with ``r = 2C - 1`` for a concordance C. ``"f"``: the F
        statistic, of classes for two values or text (``f_classif``), of a regression
        otherwise (``f_regression``); integer codes of classes need ``"f_classif"``.
        ``"cox"``: the likelihood ratio of the feature's own Cox model over twice the
        number of patients, which is the mutual information of its Cox–Snell R².
        ``"c_index"``: ``|2C - 1|`` itself, on the scale of a correlation.
        ``"mutual_information"``: estimated by nearest neighbours, without a shape.
    redundancy : {"mi", "correlation"}
        Association of two features: the mutual information of their Pearson correlation
        or its absolute value.
    scheme : {"difference", "quotient"}
        Relevance minus, or divided by, the mean redundancy. ``relevance="f",
        redundancy="correlation", scheme="quotient"`` is the FCQ of Zhao and colleagues,
        ``scheme="difference"`` their FCD.
    ties : {"half", "mRMRe"}
        How a concordance counts two patients with the same value: one half, or as
        discordant, as mRMRe does (a feature of mostly zeros then looks relevant). Both
        give mRMRe's numbers where no value repeats.
    random_state : int, RandomState or None
        For the noise that ``"mutual_information"`` adds to tell equal values apart.
    passthrough : sequence of str
        Columns of a frame that pass untouched and count for nothing.

    Attributes
    ----------
    selected_ : list of str
        Names in the order of selection. ``transform`` keeps the order of X.
    scores_ : ndarray of shape (n_selected,)
        The score of each when it was selected; the first is its relevance.
    relevance_ : ndarray of shape (n_features,)
    ranking_ : ndarray of int, shape (n_features,)
        1 for the feature selected first, and so on; 0 for those not selected.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    References
    ----------
    De Jay N, et al. mRMRe: an R package for parallelized mRMR ensemble feature
    selection. Bioinformatics 2013;29:2365-8. Zhao Z, Anand R, Wang M. Maximum relevance
    and minimum redundancy feature selection methods for a marketing machine learning
    platform. DSAA 2019.

    Examples
    --------
    >>> X = pd.DataFrame({
    ...     "size": [1.0, 2, 3, 4, 5, 6],
    ...     "diameter": [1.1, 2, 3, 4, 5, 6.2],
    ...     "entropy": [2.0, 1, 4, 3, 6, 1],
    ... })
    >>> y = np.array([1.0, 2.0, 3.5, 4.0, 6.0, 5.0])
    >>> MRMR(k=2).fit(X, y).selected_
    ['size', 'entropy']
    """

    _parameter_constraints: ClassVar[dict] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "relevance": [
            StrOptions(
                {
                    "auto",
                    "correlation",
                    "concordance",
                    "c_index",
                    "cox",
                    "mutual_information",
                    "f",
                    "f_classif",
                    "f_regression",
                }
            )
        ],
        "redundancy": [StrOptions({"mi", "correlation"})],
        "scheme": [StrOptions({"difference", "quotient"})],
        "ties": [StrOptions({"half", "mRMRe"})],
        "random_state": ["random_state"],
        "passthrough": ["array-like"],
    }

    def __init__(
        self,
        k: int = 25,
        *,
        relevance: str = "auto",
        redundancy: str = "mi",
        scheme: str = "difference",
        ties: str = "half",
        random_state: Any = None,
        passthrough: Sequence[str] = ("site",),
    ) -> None:
        self.k = k
        self.relevance = relevance
        self.redundancy = redundancy
        self.scheme = scheme
        self.ties = ties
        self.random_state = random_state
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> MRMR:
        """Select features on these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Without missing values.
        y : survival target, array of numbers or of labels, shape (n_patients,)

        Raises
        ------
        InvalidInput
            y is missing, or of a kind that `relevance` does not fit.
        """
        check_params(self)
        values, is_feature = read_features(self, X, reset=True, passed=self.passthrough)
        if y is None:
            raise InvalidInput(
                "MRMR requires y to be passed, but the target y is None."
            )
        kind, target = read_target(y, len(values))
        names = input_names(self)[is_feature]
        if not len(names):
            order, self.scores_ = np.empty(0, dtype=int), np.empty(0)
            self.relevance_ = np.empty(0)
        else:
            self.relevance_ = self._relevance(values, kind, target)
            order, self.scores_ = greedy(
                self.relevance_,
                self._redundancy(standardised(values)),
                self.k,
                quotient=self.scheme == "quotient",
            )
        self._remember(names, is_feature, order)
        return self

    def _remember(
        self, names: np.ndarray, is_feature: np.ndarray, order: np.ndarray
    ) -> None:
        self.selected_ = [str(name) for name in names[order]]
        self.ranking_ = np.zeros(len(names), dtype=int)
        self.ranking_[order] = np.arange(1, len(order) + 1)
        self.support_ = ~is_feature
        self.support_[is_feature] = self.ranking_ > 0
        self.dropped_ = reasons(
            [
                (name, f"not among the {len(order)} of the best mRMR score")
                for name in names[self.ranking_ == 0]
            ]
        )

    def _relevance(self, X: np.ndarray, kind: str, target: Any) -> np.ndarray:
        how = self._measure(kind)
        if how == "concordance":
            return mutual_information(concordance_with(X, target, ties=self.ties))
        if how == "correlation":
            return mutual_information(correlation_with(X, target))
        if how == "c_index":
            return np.abs(concordance_with(X, target, ties=self.ties))
        if how == "cox":
            return cox_information(X, *target)
        varies = np.ptp(X, axis=0) > 0
        relevance = np.zeros(X.shape[1])
        if varies.any():
            found = self._test(X[:, varies], kind, how, target)
            relevance[varies] = np.nan_to_num(found, nan=0.0)
        return relevance

    def _test(self, X: np.ndarray, kind: str, how: str, target: Any) -> np.ndarray:
        if how == "mutual_information":
            numbers = kind == "continuous"
            test = mutual_info_regression if numbers else mutual_info_classif
            return test(X, target, random_state=self.random_state)
        return (f_classif if how == "f_classif" else f_regression)(X, target)[0]

    def _measure(self, kind: str) -> str:
        """Return the measure of relevance for a kind of target."""
        measure = self.relevance
        if measure == "auto":
            measure = {
                "survival": "concordance",
                "binary": "concordance",
                "continuous": "correlation",
            }.get(kind, "auto")
        elif measure == "f":
            measure = "f_regression" if kind == "continuous" else "f_classif"
        fits = {
            "concordance": {"survival", "binary", "continuous"},
            "correlation": {"binary", "continuous"},
            "c_index": {"survival", "binary", "continuous"},
            "cox": {"survival"},
            "f_classif": {"binary", "classes", "continuous"},
            "f_regression": {"binary", "continuous"},
            "mutual_information": {"binary", "classes", "continuous"},
        }
        if kind not in fits.get(measure, set()):
            choices = [name for name, kinds in fits.items() if kind in kinds]
            raise InvalidInput(
                f"relevance={self.relevance!r} does not fit a target of kind {kind!r}; "
                f"choose {' or '.join(map(repr, choices))}."
            )
        return measure

    def _redundancy(self, Z: np.ndarray) -> Callable[[int], np.ndarray]:
        measure = mutual_information if self.redundancy == "mi" else np.abs
        floor = FLOOR if self.scheme == "quotient" else 0.0
        return lambda j: np.maximum(measure(Z.T @ Z[:, j]), floor)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that selection needs an outcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
