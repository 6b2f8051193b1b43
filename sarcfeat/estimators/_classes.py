"""What the classifiers here ask of y: two labels, the last of which is the event."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput

__all__ = ["two_classes"]


def two_classes(estimator: Any, y: Any, n: int) -> NDArray[np.intp]:
    """Set ``estimator.classes_`` and return 0 and 1, where 1 is the label sorted last.

    Raises
    ------
    InvalidInput
        Not two labels.
    """
    y = column_or_1d(y, warn=True)
    check_consistent_length(np.empty((n, 0)), y)
    check_classification_targets(y)
    estimator.classes_, codes = np.unique(y, return_inverse=True)
    if len(estimator.classes_) > 2:
        raise InvalidInput(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}, with the labels {listed(estimator.classes_)}."
        )
    if len(estimator.classes_) < 2:
        raise InvalidInput(
            f"{type(estimator).__name__} can't be fitted when only one class is "
            f"present: all {n} patients are {listed(estimator.classes_)}."
        )
    return np.asarray(codes.ravel(), dtype=np.intp)
