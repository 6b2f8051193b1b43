"""Who is a case and who a control at a time, and what each counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import CensoringCurve, censoring_curve

__all__ = ["CaseWeights", "check_marker", "influence_error"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CONVENTIONS = ("riskRegression", "scikit-survival", "timeROC")


class CaseWeights:
    """The weights of cases and controls, by convention.

    The conventions are those of :func:`time_dependent_auc`.
    """

    def __init__(
        self,
        status: Ints,
        time: Floats,
        cause: int,
        convention: str,
        censoring: CensoringCurve | None,
    ) -> None:
        pick(convention, _CONVENTIONS, "convention")
        self.curve = censoring or censoring_curve(status > 0, time)
        self.status, self.time, self.cause = status, time, cause
        self.strict = convention == "timeROC"
        # timeROC reads G(T-), but its errors are those of G(T).
        self.after = convention != "riskRegression"
        before = convention in ("timeROC", "riskRegression")
        own = self.curve.before(time) if before else self.curve.at(time)
        self.own = np.divide(1.0, own, out=np.zeros(len(own)), where=own > 0)

    def at(self, t: float) -> tuple[Floats, Floats, Floats]:
        """Weights of the cases, of the event-free and of those with another event."""
        gone = self.time < t if self.strict else self.time <= t
        case = np.where(gone & (self.status == self.cause), self.own, 0.0)
        other = gone & (self.status > 0) & (self.status != self.cause)
        g = float(self.curve.at(t))
        beyond = (self.time > t) * (1 / g if g > 0 else 0.0)
        return case, beyond, np.where(other, self.own, 0.0)


def check_marker(risk: npt.ArrayLike, n: int) -> Floats:
    """Return one risk a patient as floats; refuse what is missing."""
    marker = np.asarray(risk, dtype=float)
    if marker.shape != (n,):
        raise InvalidInput(f"risk has shape {marker.shape}; expected {n} values.")
    if np.isnan(marker).any():
        raise InvalidInput(
            f"{int(np.isnan(marker).sum())} of {n} risks are NaN (first: row "
            f"{int(np.flatnonzero(np.isnan(marker))[0])}). Leave these patients out."
        )
    return marker


def influence_error(influence: Floats) -> Floats:
    """Return the standard error of each row of influences, shape (n, n_patients)."""
    n = influence.shape[1]
    if n < 2:
        return np.full(len(influence), np.nan)
    return np.asarray(influence.std(axis=1, ddof=1) / np.sqrt(n))
