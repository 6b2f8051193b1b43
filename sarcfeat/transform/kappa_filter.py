"""Keep the semantic features on which two readers agree."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted, validate_data

from sarcfeat._validation import StrOptions
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.kappa import WEIGHTS, kappa
from sarcfeat.transform._readings_filter import ReadingsFilter
from sarcfeat.transform.frame import aligned

__all__ = ["KappaFilter"]


class KappaFilter(ReadingsFilter):
    """Keep categories that two readers give alike, beyond what chance would give.

    The counterpart of :class:`ICCFilter` for semantic features: necrosis yes or no,
    contours, degree of enhancement.

    Parameters
    ----------
    readings : Readings
        Repeated readings; ``Readings.from_frame(table)`` for a table of your own.
        Categories may be text or numbers.
    threshold : float
        A feature is kept when its kappa is at least this (0.6 begins what Landis and
        Koch call substantial).
    weights : {"none", "linear", "quadratic"}
        Weighted kappa for ordered categories; see :func:`sarcfeat.metrics.kappa`.
    bound : {"value", "lower"}
        Compare kappa itself, or the lower limit of its 95% interval.
    readers : sequence of str, optional
        The two readers to compare, where there are more.
    sessions : sequence of int, optional
        The sessions to compare: one of two readers, or two of one reader.
    min_patients : int
        The fewest patients with both readings that a coefficient may rest on.
    missing : {"raise", "drop", "keep"}
        What to do with a feature of X that was never read twice.
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    report_ : DataFrame
        One row a feature: ``feature, kappa, lower, upper, n_patients, kept, reason``.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    References
    ----------
    Cohen. Psychol Bull 1968;70:213. Landis, Koch. Biometrics 1977;33:159.

    Examples
    --------
    >>> from sarcfeat import Readings
    >>> patients = pd.Index([f"p{i}" for i in range(6)], name="patient")
    >>> a = pd.DataFrame({"mri.necrosis": list("ynynyn"), "mri.rim": list("yynnyn")})
    >>> b = pd.DataFrame({"mri.necrosis": list("ynynyy"), "mri.rim": list("nyynny")})
    >>> a.index = b.index = patients
    >>> table = pd.concat({("A", 1): a, ("B", 1): b}, names=["reader", "session"])
    >>> readings = Readings.from_frame(table.reorder_levels([2, 0, 1]))
    >>> filter = KappaFilter(readings, threshold=0.6).fit(a)
    >>> filter.report_[["feature", "kappa", "kept"]].round(2)
            feature  kappa   kept
    0  mri.necrosis   0.67   True
    1       mri.rim  -0.33  False
    """

    _column = "kappa"
    _dtype = object
    _parameter_constraints: ClassVar[dict] = {
        **ReadingsFilter._parameter_constraints,
        "weights": [StrOptions(set(WEIGHTS))],
    }

    def __init__(
        self,
        readings: Any,
        *,
        threshold: float = 0.6,
        weights: str = "none",
        bound: str = "value",
        readers: Sequence[str] | None = None,
        sessions: Sequence[int] | None = None,
        min_patients: int = 5,
        missing: str = "raise",
        passthrough: Sequence[str] = ("site",),
    ) -> None:
        self.readings = readings
        self.threshold = threshold
        self.weights = weights
        self.bound = bound
        self.readers = readers
        self.sessions = sessions
        self.min_patients = min_patients
        self.missing = missing
        self.passthrough = passthrough

    def transform(self, X: Any) -> Any:
        """Return the kept columns of X, categories as they are.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data.
        """
        if not isinstance(X, pd.DataFrame):
            return super().transform(X)
        check_is_fitted(self, "support_")
        X = aligned(self, X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return X.loc[:, self.support_].copy()

    def _checked(self, X: Any) -> tuple[int, np.ndarray]:
        if not isinstance(X, pd.DataFrame):
            return super()._checked(X)
        validate_data(self, X, reset=True, skip_check_array=True)
        return len(X), ~X.columns.isin(list(self.passthrough))

    def _measured(self, values: np.ndarray) -> Any:
        if values.shape[1] != 2:
            raise InvalidInput(
                f"kappa compares two readings and there are {values.shape[1]} (reader, "
                "session) of these patients. Choose two by readers= or sessions=."
            )
        found = [
            kappa(*values[:, :, j].T, weights=self.weights)
            for j in range(values.shape[2])
        ]
        return SimpleNamespace(
            **{
                name: np.array([getattr(one, name) for one in found])
                for name in ("value", "lower", "upper", "n")
            }
        )
