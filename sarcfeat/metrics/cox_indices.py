"""Harrell's indices of a linear predictor: what ``rms::validate`` reports."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat.metrics.concordance import concordance
from sarcfeat.survival import RiskSets, cox_state, fit_cox, make_y

__all__ = ["cox_indices"]


def cox_indices(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    lp: npt.ArrayLike,
    *,
    fitted: bool = False,
) -> dict[str, float]:
    """Compute the indices by which a Cox model is validated.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    lp : array-like of float, shape (n_patients,)
        Linear predictor (log hazard ratio).
    fitted : bool
        Whether `lp` was fitted by partial likelihood on these very patients; its slope
        is then 1.

    Returns
    -------
    dict
        ``Dxy`` (2 c - 1), ``R2`` (Nagelkerke), ``slope`` (of a Cox model on `lp`),
        ``D``, ``U`` and ``Q`` (discrimination, unreliability, quality, as shares of
        the null deviance) and ``g`` (Gini's mean difference of the recalibrated `lp`).

    References
    ----------
    Harrell, Regression Modeling Strategies; as R's ``rms::validate.cph``.

    Examples
    --------
    >>> event, time = [1, 1, 1, 1, 0], [1, 2, 3, 4, 5]
    >>> found = cox_indices(event, time, [1.0, 0.2, 0.5, -0.3, -1.0])
    >>> round(found["Dxy"], 2), round(found["g"], 2)
    (0.8, 3.59)
    """
    y = make_y(event, time, zero="keep")
    values = np.asarray(lp, dtype=float)
    c = concordance(y["event"], y["time"], values).c_index
    sets = RiskSets(y["event"], y["time"])
    if np.ptp(values) == 0:
        return {
            "Dxy": 0.0,
            "R2": 0.0,
            "slope": 1.0,
            "D": 0.0,
            "U": 0.0,
            "Q": 0.0,
            "g": 0.0,
        }
    column = values[:, None] - values.mean()
    fit = fit_cox(column, sets, names=["lp"])
    null = -2 * fit.loglik_null
    frozen = fit.loglik if fitted else cox_state([1.0], column, sets).loglik
    slope = 1.0 if fitted else float(fit.coef[0])
    lr = 2 * (fit.loglik - fit.loglik_null)
    n = len(values)
    d = (lr - 1) / null
    u = -2 / null if fitted else -2 * (frozen - fit.loglik) / null
    return {
        "Dxy": 2 * c - 1,
        "R2": float(np.expm1(-lr / n) / np.expm1(-null / n)),
        "slope": slope,
        "D": d,
        "U": u,
        "Q": d - u,
        "g": _gini(slope * values),
    }


def _gini(values: npt.NDArray[np.float64]) -> float:
    """Return the mean absolute difference of two patients."""
    n = len(values)
    if n < 2:
        return 0.0
    rank = 2 * np.arange(1, n + 1) - n - 1
    return float(2 * (rank @ np.sort(values)) / (n * (n - 1)))
