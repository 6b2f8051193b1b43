"""Keep the features on which two readers of the same lesion agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from sarcfeat._validation import StrOptions
from sarcfeat.metrics.icc import FORMS, ICC, icc
from sarcfeat.transform._readings_filter import ReadingsFilter

__all__ = ["ICCFilter"]


class ICCFilter(ReadingsFilter):
    """Keep features whose intraclass correlation between readings is high enough.

    A radiomics feature that changes when a second reader outlines the same lesion is
    noise to a prognostic model. The filter measures the agreement on the patients it is
    fitted on, and on no others, so it may stand inside cross-validation.

    Parameters
    ----------
    readings : Readings
        Repeated readings, as ``store.readings("radiomics.t1")`` returns them; for
        a table of your own, ``Readings.from_frame(table)``. An array given as X is
        matched by row number (patient "0", "1", …) and by the order of the columns.
    threshold : float
        A feature is kept when its coefficient is at least this.
    form : {"ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)"}
        Which coefficient; see :func:`sarcfeat.metrics.icc`. ``"ICC(A,1)"`` (two-way,
        absolute agreement, one reading) also counts a reader who is always higher.
    bound : {"value", "lower"}
        Compare the coefficient itself, or the lower limit of its 95% interval.
    readers : sequence of str, optional
        Whose readings to compare; all, when not given. ``readers=["A"]`` with two
        sessions is the agreement of a reader with himself; for both that and the
        agreement between readers, put two filters one after the other.
    sessions : sequence of int, optional
        Which sessions to compare; ``sessions=[1]`` leaves out a later repeat.
    min_patients : int
        The fewest patients with every reading that a coefficient may rest on.
    missing : {"raise", "drop", "keep"}
        What to do with a feature of X that was never read twice.
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    report_ : DataFrame
        One row a feature: ``feature, icc, lower, upper, n_patients, kept, reason``. A
        negative coefficient is shown as it is, and one that cannot be computed (no
        variance) as NaN. It holds no value of any patient.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    References
    ----------
    McGraw KO, Wong SP. Forming inferences about some intraclass correlation
    coefficients. Psychol Methods 1996;1:30-46.

    Examples
    --------
    >>> import pandas as pd
    >>> from sarcfeat import Readings
    >>> patients = ["p1", "p2", "p3", "p4", "p5"]
    >>> a = pd.DataFrame({"ct.size": [1.0, 2, 3, 4, 5], "ct.edge": [1.0, 2, 3, 4, 5]})
    >>> b = pd.DataFrame({"ct.size": [1.1, 2, 3, 4, 5], "ct.edge": [5.0, 1, 4, 2, 3]})
    >>> a.index = b.index = pd.Index(patients, name="patient")
    >>> table = pd.concat({("A", 1): a, ("B", 1): b}, names=["reader", "session"])
    >>> readings = Readings.from_frame(table.reorder_levels([2, 0, 1]))
    >>> filter = ICCFilter(readings, threshold=0.8).fit(a)
    >>> list(filter.get_feature_names_out())
    ['ct.size']
    >>> filter.dropped_["reason"].item()
    'ICC(A,1) -0.41 < 0.8'
    """

    _column = "icc"
    _parameter_constraints: ClassVar[dict] = {
        **ReadingsFilter._parameter_constraints,
        "form": [StrOptions(set(FORMS))],
    }

    def __init__(
        self,
        readings: Any,
        *,
        threshold: float = 0.75,
        form: str = "ICC(A,1)",
        bound: str = "value",
        readers: Sequence[str] | None = None,
        sessions: Sequence[int] | None = None,
        min_patients: int = 5,
        missing: str = "raise",
        passthrough: Sequence[str] = ("site",),
    ) -> None:
        self.readings = readings
        self.threshold = threshold
        self.form = form
        self.bound = bound
        self.readers = readers
        self.sessions = sessions
        self.min_patients = min_patients
        self.missing = missing
        self.passthrough = passthrough

    def _label(self) -> str:
        return self.form

    def _measured(self, values: np.ndarray) -> ICC:
        return icc(values, form=self.form)
