"""One Cox model a feature against R's survival."""

import numpy as np
from scipy.stats import norm

from sarcfeat.metrics import adjust_p
from sarcfeat.survival import RiskSets, count_pairs, fit_cox_each

RTOL, ATOL = 1e-6, 1e-9


def compute(case):
    data = case.frame()
    X = data.drop(columns=["time", "event"]).astype(float)
    event, time = data["event"].to_numpy(), data["time"].to_numpy(float)
    each = fit_cox_each(X, RiskSets(event, time), names=list(X))
    half = norm.ppf(0.975) * each.se
    risks = (X * each.coef).to_numpy()
    return {
        "feature": list(X),
        "coef": each.coef,
        "se": each.se,
        "p_wald": each.p_wald,
        "hr_lower95": np.exp(each.coef - half),
        "hr_upper95": np.exp(each.coef + half),
        "p_lr": each.p_lr,
        "p_score": each.p_score,
        "concordance": [count_pairs(event, time, risk).c_index for risk in risks.T],
        "p_bh": adjust_p(each.p_wald, "bh"),
    }
