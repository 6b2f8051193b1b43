"""Kaplan–Meier, log-rank and Nelson–Aalen against R's survival."""

from itertools import combinations

import numpy as np

from sarcfeat.metrics import adjust_p
from sarcfeat.survival import kaplan_meier, logrank, nelson_aalen
from tests.golden.harness import several

RTOL, ATOL = 1e-8, 1e-12

CONF_TYPES = {
    "km_log": "log",
    "km_loglog": "log-log",
    "km_plain": "plain",
    "km_logit": "logit",
    "km_arcsin": "arcsin",
}


def compute(case):
    data = case.frame()
    event, time = data["event"].to_numpy(), data["time"].to_numpy(float)
    times = several(case.params["times"])
    results = {
        name: _curve(kaplan_meier(event, time, conf_type), times)
        for name, conf_type in CONF_TYPES.items()
    }
    curve = kaplan_meier(event, time)
    results["curve"] = {
        "time": curve.time,
        "surv": curve.survival,
        "n_risk": curve.n_risk,
        "n_event": curve.n_event,
    }
    tau = case.results["rmst"]["tau"]
    value, se = curve.restricted_mean(tau)
    results["rmst"] = {"tau": tau, "value": value, "se": se}
    at, hazard, _ = nelson_aalen(event, time)
    where = np.searchsorted(at, times, side="right")
    results["nelson_aalen"] = {"times": times, "cumhaz": np.r_[0, hazard][where]}
    for column in data.columns:
        if column.startswith("grp"):
            strata = data["stratum"].to_numpy()
            group = data[column].to_numpy()
            order = list(case.results[column]["by_level_loglog"])
            results[column] = _groups(event, time, group, strata, times, order)
    return results


def _curve(curve, times):
    # R was asked to extend a curve flat after the last follow-up.
    lower, upper = curve.interval_at(times, extend=True)
    probabilities = [0.25, 0.5, 0.75]
    quantiles = [curve.quantile(p) for p in probabilities]
    return {
        "table": {
            "times": times,
            "n_risk": curve.n_risk_at(times),
            "surv": curve.at(times, extend=True),
            "std_err": curve.std_err_at(times, extend=True),
            "lower": lower,
            "upper": upper,
        },
        "quantiles": {
            "prob": probabilities,
            "time": [q.time for q in quantiles],
            "lower": [q.lower for q in quantiles],
            "upper": [q.upper for q in quantiles],
        },
    }


def _groups(event, time, group, strata, times, order):
    # R sorts texts by the rules of a language: take its order of the groups.
    levels = sorted(np.unique(group), key=lambda g: order.index(f"level_{g}"))
    places = np.argsort(np.argsort(levels))

    def test(**kwargs):
        found = logrank(event, time, group, **kwargs)
        return _test(found, places)

    results = {
        "by_level_loglog": {},
        "logrank": test(),
        "peto_rho1": test(rho=1),
        "stratified_logrank": test(strata=strata),
    }
    for level in levels:
        rows = group == level
        curve = _curve(kaplan_meier(event[rows], time[rows]), times)
        counts = {"n": int(rows.sum()), "events": int(event[rows].sum())}
        results["by_level_loglog"][f"level_{level}"] = {**counts, **curve}
    pairs = list(combinations(levels, 2))
    p = []
    for a, b in pairs:
        rows = np.isin(group, [a, b])
        p.append(logrank(event[rows], time[rows], group[rows]).p_value)
    if len(levels) > 2:
        results["pairwise"] = {
            "a": [a for a, _ in pairs],
            "b": [b for _, b in pairs],
            "p": p,
            "p_bh": adjust_p(p, "bh"),
            "p_holm": adjust_p(p, "holm"),
        }
    return results


def _test(test, places):
    return {
        "chisq": test.statistic,
        "df": test.df,
        "p": test.p_value,
        "observed": test.observed[places],
        "expected": test.expected[places],
    }
