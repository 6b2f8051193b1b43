"""Random survival forest, as the rest of the package expects a model."""

from __future__ import annotations

from typing import Any

from sarcfeat.estimators._forest import SurvivalForest

__all__ = ["RandomSurvivalForest"]


class RandomSurvivalForest(SurvivalForest):
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

    def _engine(self) -> Any:
        from sksurv import ensemble

        return ensemble.RandomSurvivalForest(**self.get_params(deep=False))
