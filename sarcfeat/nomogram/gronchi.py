"""The retroperitoneal nomogram of Gronchi 2013, read off its figure: approximate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.published import PublishedNomogram

__all__ = ["Gronchi2013"]

Floats = npt.NDArray[np.float64]

# Points at the knots of the axes of age (years) and size (cm).
AGE = (
    (10, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 90),
    (14, 10.5, 6.75, 2.5, 0, 2.5, 7, 12, 18, 23.75, 30, 36),
)
SIZE = ((10, 12, 14, 16, 18, 20, 30), (29, 35, 40, 44.5, 48, 50.5, 55))
PER_CM_ABOVE_30 = -0.125
# Total points and the 7-year overall survival below them.
TOTAL = (19, 68, 90, 113, 128, 138, 148, 158, 164, 173, 184, 192, 206)
SURVIVAL = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01)


class Gronchi2013(PublishedNomogram):
    """Death by 7 years after resection of a retroperitoneal sarcoma: APPROXIMATE.

    The published paper prints a figure, no coefficients. These points were digitised
    from it by others, and survival is interpolated between the ticks that were read:
    use it to rank patients beside other models, never to inform one patient. Sizes
    below 10 cm were not read and are refused.

    Inputs: ``age`` (years), ``size`` (cm), ``fnclcc`` grade ("1", "2", "3"),
    ``histology``, ``multifocal`` ("no", "yes") and ``resection`` ("complete",
    "incomplete"). ``predict`` is the total of points: higher is worse.

    Parameters
    ----------
    columns : mapping, optional
        Input → column of X; see :class:`PublishedNomogram`.
    levels : mapping, optional
        Input → words of X → levels of the nomogram.

    Attributes
    ----------
    columns_ : dict
        Input → column of X.
    approximate : bool
        True: reports mark it.

    References
    ----------
    Gronchi A, et al. J Clin Oncol 2013;31:1649-1655; points as digitised in
    conan-koh123/Sarcoma-Nomogram.

    Examples
    --------
    >>> X = pd.DataFrame(
    ...     {"age": [50], "size": [20], "fnclcc": ["3"], "histology": ["ups"],
    ...      "multifocal": ["no"], "resection": ["complete"]}, index=["P1"],
    ... )
    >>> Gronchi2013().fit(X).points(X)
    array([176.])
    """

    approximate: ClassVar[bool] = True
    numbers: ClassVar[Mapping[str, str]] = {"age": "years", "size": "cm"}
    effects: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "fnclcc": {"1": 0.0, "2": 75.0, "3": 100.0},
        "histology": {
            "solitary fibrous tumour": 0.0,
            "mpnst": 5.0,
            "dedifferentiated liposarcoma": 7.5,
            "leiomyosarcoma": 20.0,
            "other": 21.75,
            "ups": 25.5,
            "well-differentiated liposarcoma": 41.75,
        },
        "multifocal": {"no": 0.0, "yes": 26.75},
        "resection": {"complete": 0.0, "incomplete": 15.0},
    }
    times_: ClassVar[tuple[float, ...]] = (7.0,)
    source: ClassVar[str] = "Gronchi 2013, J Clin Oncol 31:1649 (digitised)"

    def points(self, X: pd.DataFrame) -> Floats:
        """Return the total points of each patient."""
        X = self._checked(X)
        age, size = self._number("age", X), self._number("size", X)
        self._refuse(
            X[self.columns_["size"]], size < SIZE[0][0], "10 cm or more (as digitised)"
        )
        points = np.interp(age, *AGE) + np.interp(size, *SIZE)
        points += PER_CM_ABOVE_30 * np.clip(size - SIZE[0][-1], 0.0, None)
        return points + np.sum([self._effect(n, X) for n in self.effects], axis=0)

    def predict_survival_function(self, X: pd.DataFrame) -> Floats:
        """Return the approximate probability of being alive at 7 years, (n, 1)."""
        return np.interp(self.points(X), TOTAL, SURVIVAL)[:, None]

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the total points: they rank patients beyond the ends of the figure."""
        return self.points(X)

    def linear_predictor(self, X: pd.DataFrame) -> Floats:
        """Refuse: a figure of points has no linear predictor."""
        raise InvalidInput(
            "Gronchi2013 was digitised as points; it has no linear predictor. Use "
            "points(X)."
        )
