"""Firth's Cox model: finite hazard ratios where a variable separates the events."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sarcfeat._validation import Interval
from sarcfeat.estimators.coxph import CoxPH

__all__ = ["FirthCox"]


class FirthCox(CoxPH):
    """Cox model with Firth's penalty, for a group without any event or a rare one.

    Where one level holds every event (or none), Cox's hazard ratio is infinite; this
    one is finite and less biased. Its intervals and p-values are those of the
    penalised profile likelihood, as its authors advise. Ties after Breslow. It is
    ``CoxPH("breslow", firth=True)`` by a shorter name.

    Parameters
    ----------
    level : float
        Coverage of the confidence intervals of ``summary_``.
    max_iter : int
        Newton steps.

    Attributes
    ----------
    coef_, se_, summary_, means_, baseline_, ranges_, ...
        As of :class:`CoxPH`; the standard errors are Wald's, the likelihoods penalised.

    References
    ----------
    Heinze G, Schemper M. Biometrics 2001;57:114-119. Fitted by ``firthmodels``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sarcfeat import make_y
    >>> X = pd.DataFrame({"positive_margin": [0.0, 0, 0, 0, 1, 1, 1, 1]})
    >>> y = make_y([0, 0, 0, 0, 1, 1, 1, 0], [9, 8, 7, 6, 2, 3, 4, 5])
    >>> ratio = FirthCox().fit(X, y).summary_.loc["positive_margin", "hazard_ratio"]
    >>> bool(1 < ratio < 1000)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "level": [Interval(Real, 0, 1, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }
    # What the shorter name settles.
    ties = "breslow"
    firth = True
    robust = False
    strata = entry = cluster = cause = None

    def __init__(self, *, level: float = 0.95, max_iter: int = 100) -> None:
        self.level = level
        self.max_iter = max_iter
