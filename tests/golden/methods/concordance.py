"""Harrell's and Uno's c with their errors against R's survival::concordance."""

import numpy as np
from scipy.stats import norm

from sarcfeat.metrics import concordance, concordance_difference, uno_concordance
from sarcfeat.metrics.concordance import event_factor
from sarcfeat.survival import count_pairs
from tests.golden.methods.time_dependent_auc import survauc_curve

RTOL, ATOL = 1e-8, 1e-12
TOLERANCE = {
    "*/se": (1e-5, 0),
    "*/z": (1e-5, 0),
    # p of a z near 10 carries the relative error of z about a hundredfold.
    "*/p": (1e-4, 0),
    "*/vcov": (1e-5, 1e-12),
}
UNREAD = {}
TIME_WEIGHTS = {"n": "n", "S": "S", "S_G": "S/G", "n_G2": "n/G2"}


def compute(case):
    data = case.frame()
    event, time = data["event"].to_numpy(), data["time"].to_numpy(float)
    tau = case.params["tau"]
    results = {}
    for marker in data.columns.drop(["time", "event"]):
        risk = data[marker].to_numpy(float)
        results[marker] = _marker(event, time, risk, tau)
    m1, m2 = data["m1"].to_numpy(float), data["m2"].to_numpy(float)
    for name, weight in (("harrell", "n"), ("uno", "n/G2")):
        a, b = (concordance(event, time, m, time_weight=weight) for m in (m1, m2))
        results[f"compare_m1_m2_{name}"] = _difference(a, b)
    c1, c2 = (concordance(event, time, m).c_index for m in (m1, m2))
    kang = concordance_difference(event, time, m1, m2, method="kang")
    results["compareC_kang"] = {
        "c1": c1,
        "c2": c2,
        "diff": kang.delta,
        "var_diff": kang.se**2,
        "cov": kang.vcov[0, 1],
        "var1": kang.vcov[0, 0],
        "var2": kang.vcov[1, 1],
        "z": kang.z,
        "p": kang.p,
    }
    return results


def _marker(event, time, risk, tau):
    found = {}
    for name, weight in TIME_WEIGHTS.items():
        result = concordance(event, time, risk, time_weight=weight)
        factor = event_factor(event == 1, time, np.ones(len(time)), weight)
        pairs = count_pairs(event, time, risk, event_weight=factor)
        found[name] = {
            "c": result.c_index,
            "se": result.se,
            "count": {
                "concordant": pairs.concordant,
                "discordant": pairs.discordant,
                "tied.x": pairs.tied_risk,
                "tied.y": pairs.tied_time,
                "tied.xy": pairs.tied_both,
            },
        }
    for name, weight in (("n_tau", "n"), ("n_G2_tau", "n/G2")):
        result = concordance(event, time, risk, time_weight=weight, until=tau)
        found[name] = {"tau": tau, "c": result.c_index, "se": result.se}
    uno = {"convention": "survAUC", "censoring": survauc_curve(event, time)}
    found["survAUC_UnoC"] = {
        "full": uno_concordance(event, time, risk, **uno).c_index,
        "tau": tau,
        "at_tau": uno_concordance(event, time, risk, until=tau, **uno).c_index,
    }
    return found


def _difference(a, b):
    influence = np.array([a.influence, b.influence])
    vcov = influence @ influence.T
    difference = a.c_index - b.c_index
    se = np.sqrt(vcov[0, 0] + vcov[1, 1] - 2 * vcov[0, 1])
    z = difference / se
    return {
        "c": [a.c_index, b.c_index],
        "vcov": vcov,
        "diff": difference,
        "se": se,
        "z": z,
        "p": 2 * norm.sf(abs(z)),
    }
