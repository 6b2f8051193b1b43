"""The ranking survival support vector machine, as the package expects a model."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sarcfeat._validation import Interval
from sarcfeat.estimators._engine import EngineModel

__all__ = ["SurvivalSVM"]


class SurvivalSVM(EngineModel):
    """Linear survival support vector machine: it learns to rank patients by risk.

    It predicts an order, no probability, and cannot weigh patients.

    Parameters
    ----------
    alpha : float
        Weight of the ranking loss; smaller shrinks the coefficients more.
    max_iter : int
        Newton steps.
    random_state : int, RandomState or None
        Settles ties of the training times.

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
    Poelsterl S, et al. ECML PKDD 2015; scikit-survival's ``FastSurvivalSVM``.

    Examples
    --------
    >>> import numpy as np
    >>> from sarcfeat import make_y
    >>> X = np.arange(40.0).reshape(-1, 1)
    >>> y = make_y([1] * 40, 1000 - 20 * X.ravel())
    >>> model = SurvivalSVM(random_state=0).fit(X, y)
    >>> low, high = model.predict([[2.0], [38.0]])
    >>> bool(low < high)
    True
    """

    _takes_weights = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self, alpha: float = 1.0, *, max_iter: int = 50, random_state: Any = None
    ) -> None:
        self.alpha = alpha
        self.max_iter = max_iter
        self.random_state = random_state

    def _engine(self) -> Any:
        from sksurv.svm import FastSurvivalSVM

        return FastSurvivalSVM(**self.get_params(deep=False))
