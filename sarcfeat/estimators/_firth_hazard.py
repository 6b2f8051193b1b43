"""Cox's model with Firth's penalty: finite where a column separates the events."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.stats import chi2

from sarcfeat.exceptions import InvalidInput, NotConverged
from sarcfeat.survival import RiskSets, cox_state, make_y

__all__ = ["FirthHazard", "fit_firth"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FirthHazard:
    """A penalised fit: intervals and p-values are of the penalised profile.

    The likelihoods are penalised ones; ``low`` and ``high`` are log hazard ratios.
    """

    coef: Floats
    vcov: Floats
    low: Floats
    high: Floats
    p: Floats
    loglik: float
    loglik_null: float
    lr_test: tuple[float, int, float]
    converged: bool
    n_iter: int


def fit_firth(
    X: Floats,
    event: npt.NDArray[np.bool_],
    time: Floats,
    *,
    level: float,
    max_iter: int,
) -> FirthHazard:
    """Fit with the ``firthmodels`` package; ties after Breslow.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features)
        Columns that vary, none given by the others; at least one.
    event, time : ndarray of shape (n_patients,)
    level : float
        Coverage of the intervals.
    max_iter : int
        Newton steps.

    References
    ----------
    Heinze G, Schemper M. Biometrics 2001;57:114-119.
    """
    from firthmodels import FirthCoxPH

    centre, scale = X.mean(axis=0), X.std(axis=0)
    Z = (X - centre) / scale
    engine = FirthCoxPH(backend="numpy", max_iter=max_iter, gtol=1e-5, xtol=1e-7)
    try:
        engine.fit(Z, make_y(event, time, zero="keep"))
    except linalg.LinAlgError as error:
        raise InvalidInput(
            f"Firth's model of {Z.shape[1]} columns cannot be fitted on {len(Z)} "
            f"patients with {int(event.sum())} events ({error}). Leave columns out or "
            "merge rare categories."
        ) from error
    bounds, tested = _profiles(engine, Z.shape[1], level)
    bounds /= scale[:, None]
    sets = RiskSets(event, time, None, ties="breslow")
    coef, p = np.asarray(engine.coef_) / scale, Z.shape[1]
    vcov = linalg.pinvh(cox_state(engine.coef_, Z, sets).information())
    null = cox_state(np.zeros(p), Z, sets)
    none = null.loglik + np.linalg.slogdet(null.information())[1] / 2
    gain = 2 * (float(engine.loglik_) - none)
    return FirthHazard(
        coef=coef,
        vcov=vcov / np.outer(scale, scale),
        low=bounds[:, 0],
        high=bounds[:, 1],
        p=tested,
        loglik=float(engine.loglik_),
        loglik_null=float(none),
        lr_test=(gain, p, float(chi2.sf(max(gain, 0.0), p))),
        converged=bool(engine.converged_),
        n_iter=int(engine.n_iter_),
    )


def _profiles(engine: Any, p: int, level: float) -> tuple[Floats, Floats]:
    """Return intervals and p-values of the profile; NaN where it cannot be followed.

    With few events the search for an end may leave the region in which the information
    can be inverted; the estimate stands all the same.
    """
    bounds, tested = np.full((p, 2), np.nan), np.full(p, np.nan)
    lost = []
    for j in range(p):
        try:
            with warnings.catch_warnings():
                # The package's own words on what is told below.
                warnings.simplefilter("ignore")
                engine.lrt(features=j)
                tested[j] = engine.lrt_pvalues_[j]
                bounds[j] = engine.conf_int(alpha=1 - level, method="pl", features=j)[j]
        except linalg.LinAlgError:
            bounds[j] = np.nan
        if np.isnan(bounds[j]).any():
            lost.append(j)
    if lost:
        warnings.warn(
            f"The profile likelihood of {len(lost)} of {p} columns cannot be followed "
            "to the ends of its interval; they are NaN. There are few events.",
            NotConverged,
            stacklevel=5,
        )
    return bounds, tested
