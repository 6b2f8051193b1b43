"""Random survival forest, as the rest of the package expects a model."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sarcfeat._validation import Interval, StrOptions
from sarcfeat.estimators._engine import EngineWithCurves

__all__ = ["RandomSurvivalForest"]


class RandomSurvivalForest(EngineWithCurves):
    """Random survival forest: the mean hazard of many trees of resampled patients.

    `predict` is the expected number of events over follow-up.

    Parameters
    ----------
    n_estimators : int
        Trees.
    max_depth : int, optional
    min_samples_split, min_samples_leaf : int
        Fewest patients in a node that is split, and in a leaf.
    max_features : {"sqrt", "log2"}, int, float or None
        Columns looked at for each split.
    n_jobs : int, optional
        Results are the same for any.
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
    Ishwaran H, et al. Ann Appl Stat 2008; scikit-survival grows the trees.

    Examples
    --------
    >>> import numpy as np
    >>> from sarcfeat import make_y
    >>> X = np.arange(40.0).reshape(-1, 1)
    >>> y = make_y([1] * 40, 1000 - 20 * X.ravel())
    >>> model = RandomSurvivalForest(20, random_state=0).fit(X, y)
    >>> low, high = model.predict([[2.0], [38.0]])
    >>> bool(low < high)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_split": [Interval(Integral, 2, None, closed="left")],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "max_features": [
            StrOptions({"sqrt", "log2"}),
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
            None,
        ],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        max_depth: int | None = None,
        min_samples_split: int = 6,
        min_samples_leaf: int = 3,
        max_features: str | int | float | None = "sqrt",
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _engine(self) -> Any:
        from sksurv import ensemble

        return ensemble.RandomSurvivalForest(**self.get_params(deep=False))
