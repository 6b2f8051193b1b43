"""Gradient boosting of the Cox likelihood, as the package expects a model."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sarcfeat._validation import Interval
from sarcfeat.estimators._engine import EngineWithCurves

__all__ = ["GradientBoostingCox"]


class GradientBoostingCox(EngineWithCurves):
    """Gradient boosting: many small trees, each fitted to what the Cox model misses.

    `predict` is the log hazard ratio to an average patient.

    Parameters
    ----------
    n_estimators : int
        Trees.
    learning_rate : float
        How much each tree counts; smaller needs more trees.
    max_depth : int
        Of each tree.
    subsample : float
        Share of the patients that each tree sees.
    dropout_rate : float
        Share of the trees left out while the next is fitted.
    min_samples_leaf : int
    random_state : int, RandomState or None

    Attributes
    ----------
    model_ : object
        scikit-survival's fitted model; None where X had no column.
    max_time_ : float
        The longest follow-up among the training patients.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Friedman JH. Comput Stat Data Anal 2002; Ridgeway G. 1999; scikit-survival fits it.

    Examples
    --------
    >>> import numpy as np
    >>> from sarcfeat import make_y
    >>> X = np.arange(40.0).reshape(-1, 1)
    >>> y = make_y([1] * 40, 1000 - 20 * X.ravel())
    >>> model = GradientBoostingCox(20, random_state=0).fit(X, y)
    >>> low, high = model.predict([[2.0], [38.0]])
    >>> bool(low < high)
    True
    """

    _unseen = 1e-7  # scikit-learn's trees split no finer

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_depth": [Interval(Integral, 1, None, closed="left")],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "dropout_rate": [Interval(Real, 0, 1, closed="left")],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        learning_rate: float = 0.1,
        max_depth: int = 3,
        subsample: float = 1.0,
        dropout_rate: float = 0.0,
        min_samples_leaf: int = 1,
        random_state: Any = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.subsample = subsample
        self.dropout_rate = dropout_rate
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state

    def _engine(self) -> Any:
        from sksurv import ensemble

        return ensemble.GradientBoostingSurvivalAnalysis(**self.get_params(deep=False))
