"""Cumulative incidence, Gray's test and Fine–Gray against cmprsk and survival."""

import numpy as np
from scipy.stats import norm

from sarcfeat.survival import (
    RiskSets,
    cumulative_incidence,
    fit_cox,
    fit_fine_gray,
    gray_test,
)
from tests.golden.harness import Verdict, several

RTOL, ATOL = 1e-8, 1e-12
TOLERANCE = {
    "gray_test*": (1e-6, 1e-10),
    "fine_gray_cause*/coef": (1e-5, 1e-9),
    "fine_gray_cause*/shr": (1e-5, 1e-9),
    "fine_gray_cause*/loglik": (1e-8, 0),
    "fine_gray_cause*/se": (1e-4, 0),
    "fine_gray_cause*/shr_ci": (1e-4, 0),
    "fine_gray_cause*/var": (2e-4, 1e-9),
    # p of a z near 10 carries the relative error of z about a hundredfold.
    "fine_gray_cause*/p": (1e-3, 1e-12),
    "fine_gray_cause*/cif*": (1e-5, 1e-9),
    "cause_specific_cox*": (1e-6, 1e-9),
    "survival_finegray*": (1e-5, 1e-9),
}
UNREAD = {}


def compute(case):
    data = case.frame()
    status, time = data["status"].to_numpy(), data["time"].to_numpy(float)
    group, strata = data["group"].to_numpy(), data["stratum"].to_numpy()
    times = several(case.params["times"])
    by_group = several(case.results["cuminc_by_group"]["curve"])
    results = {
        "cuminc_by_group": _curves(status, time, group, times, by_group),
        "cuminc_overall": _curves(status, time, np.ones(len(time), int), times),
        "gray_test": _tests(status, time, group, with_cause=True),
        "gray_test_stratified": _tests(status, time, group, strata=strata),
        "gray_test_rho1": _tests(status, time, group, rho=1),
        "aalen_johansen": _states(status, time, times),
    }
    for cause in sorted(set(status) - {0}):
        key = f"fine_gray_cause{cause}"
        if key in case.results:
            names = several(case.results[key]["covariates"])
            X = data[names].to_numpy(float)
            results[key] = _fine_gray(X, status, time, cause, names, times)
            cox = fit_cox(X, RiskSets(status == cause, time))
            results[f"cause_specific_cox{cause}"] = {
                "coef": cox.coef,
                "se": cox.se,
                "loglik": cox.loglik,
            }
            fit = fit_fine_gray(X, status, time, cause=cause, ties="event_first")
            results[f"survival_finegray_cause{cause}_breslow"] = {"coef": fit.coef}
    return results


def _curves(status, time, group, times, order=()):
    names, estimates, variances = [], [], []
    # R sorts texts by the rules of a language: take its order of the groups.
    order = [str(name).rsplit(" ", 1)[0] for name in order]
    levels = sorted(np.unique(group), key=lambda g: order and order.index(str(g)))
    for cause in sorted(set(status) - {0}):
        for level in levels:
            rows = group == level
            curve = cumulative_incidence(status[rows], time[rows])
            column = curve.causes.index(cause) if cause in curve.causes else None
            names.append(f"{level} {cause}")
            # cmprsk reads no curve past its last patient.
            nothing = np.where(np.array(times) > time[rows].max(), np.nan, 0.0)
            found = (curve.at(times), curve.std_err_at(times) ** 2)
            for table, values in zip((estimates, variances), found, strict=True):
                table.append(nothing + (0 if column is None else values[:, column]))
    return {"curve": names, "times": times, "est": estimates, "var": variances}


def _tests(status, time, group, with_cause=False, **kwargs):
    causes = sorted(set(status) - {0})
    tests = [gray_test(status, time, group, cause=c, **kwargs) for c in causes]
    found = {"stat": [t.statistic for t in tests], "p": [t.p_value for t in tests]}
    if with_cause:
        found["cause"] = [str(c) for c in causes]
        found["df"] = [t.df for t in tests]
    return found


def _states(status, time, times):
    curve = cumulative_incidence(status, time, variance="jackknife")
    until = np.minimum(times, curve.time[-1])  # R was asked to extend the curves
    where = np.searchsorted(curve.time, until, side="right")
    free_error = np.r_[0.0, curve.event_free_std_err][where]
    return {
        "times": times,
        "pstate": np.c_[curve.event_free_at(until), curve.at(until)],
        "se": np.c_[free_error, curve.std_err_at(until)],
    }


def _fine_gray(X, status, time, cause, names, times):
    fit = fit_fine_gray(X, status, time, cause=cause)
    half = norm.ppf(0.975) * fit.se
    return {
        "covariates": names,
        "coef": fit.coef,
        "se": fit.se,
        "var": fit.vcov,
        "p": 2 * norm.sf(np.abs(fit.coef / fit.se)),
        "shr": np.exp(fit.coef),
        "shr_ci": np.c_[np.exp(fit.coef - half), np.exp(fit.coef + half)],
        "loglik": fit.loglik,
        "loglik_null": fit.loglik_null,
        # R's flag is of its own stopping rule (gtol 1e-10), which it may miss by the
        # last digit; ours must have ended in its own.
        "converged": Verdict(fit.converged, "the fit did not converge"),
        "cif_first3rows_by_time": fit.incidence(X[:3], times),
    }
