"""How sure a nomogram is: the error of a linear predictor at each horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat.exceptions import InvalidInput

__all__ = ["Uncertainty", "z_value"]

Floats = npt.NDArray[np.float64]


def z_value(level: float) -> float:
    """Return how many standard errors an interval reaches to each side.

    Raises
    ------
    InvalidInput
        A level that is not between 0 and 1 (percent, most often).

    Examples
    --------
    >>> round(z_value(0.95), 4)
    1.96
    """
    if not 0 < level < 1:
        raise InvalidInput(f"The level of an interval lies in (0, 1); got {level}.")
    return float(norm.ppf((1 + level) / 2))


@dataclass(frozen=True)
class Uncertainty:
    """The variance of what a nomogram adds up, for any patient and horizon.

    At horizon t it is ``variances[t] + (x - centers[t])' covariance (x - centers[t])``
    with x the patient's design: the number of a numeric variable, 0/1 for each level
    of a categorical one, the columns of a spline. It is the variance of
    ``log(-log S(t))`` of a Cox model (of which R's ``survfit.coxph`` makes its
    ``log-log`` intervals, the error of the baseline hazard included) and of the log
    odds of a logistic one.

    Parameters
    ----------
    covariance : sequence of sequence of float
        Of the coefficients, in the order of the variables.
    centers : sequence of sequence of float
        One a horizon: the design at which the variance is smallest.
    variances : sequence of float
        One a horizon: the variance there.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, numbers that are not finite, a negative variance.

    Examples
    --------
    >>> known = Uncertainty([[0.04]], [[5.0]], [0.01])
    >>> known.standard_error(np.array([[5.0], [6.0]])).round(3)
    array([[0.1  ],
           [0.224]])
    """

    covariance: Sequence[Sequence[float]]
    centers: Sequence[Sequence[float]]
    variances: Sequence[float]

    def __post_init__(self) -> None:
        """Turn what was given into plain tuples and refuse what cannot be right."""
        for name in ("covariance", "centers"):
            rows = tuple(tuple(float(v) for v in row) for row in getattr(self, name))
            object.__setattr__(self, name, rows)
        object.__setattr__(self, "variances", tuple(float(v) for v in self.variances))
        k = len(self.covariance)
        widths = {len(row) for row in (*self.covariance, *self.centers)}
        fits = widths <= {k} and len(self.centers) == len(self.variances)
        numbers = [v for row in (*self.covariance, *self.centers) for v in row]
        if not fits or not np.isfinite([*numbers, *self.variances]).all():
            raise InvalidInput(
                f"An uncertainty needs a square covariance ({k} rows), a center of as "
                "many numbers and a variance for each horizon, all of them finite."
            )
        if min(self.variances, default=0.0) < 0:
            raise InvalidInput(f"A variance is 0 or more; got {list(self.variances)}.")

    def standard_error(self, design: npt.ArrayLike) -> Floats:
        """Return the standard error of each patient at each horizon.

        Parameters
        ----------
        design : array-like of shape (n_patients, n_columns)

        Returns
        -------
        ndarray of shape (n_patients, n_horizons)
        """
        x = np.asarray(design, dtype=float)
        spread = np.array(self.covariance, dtype=float).reshape(x.shape[1], -1)
        variance = np.empty((len(x), len(self.variances)))
        for t, (center, least) in enumerate(
            zip(self.centers, self.variances, strict=True)
        ):
            off = x - np.array(center, dtype=float)
            variance[:, t] = least + ((off @ spread) * off).sum(axis=1)
        return np.sqrt(np.maximum(variance, 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, parts: Mapping[str, Any]) -> Uncertainty:
        """Build it from :meth:`to_dict`."""
        return cls(**parts)
