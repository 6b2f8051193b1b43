"""Cox models with strata, case weights and left truncation against R's survival."""

import numpy as np

from sarcfeat import CoxPH, make_y
from sarcfeat.metrics import concordance
from sarcfeat.survival import RiskSets, fit_cox
from tests.golden.methods.cox import fit_results

RTOL, ATOL = 1e-6, 1e-12
TOLERANCE = {"*/p/*": (1e-5, 0), "*_test": (1e-5, 0)}
UNREAD = {
    "left_trunc/concordance*": "pairs are not limited by entry times here; the c-index "
    "of left-truncated data arrives with the survival-models issue",
}


def compute(case):
    data = case.frame()
    X = data[case.params["covariates"]].astype(float)
    y = make_y(data["event"], data["time"])
    stratum = data[case.params["strata"]].to_numpy()
    weight, entry = data["w"].to_numpy(float), data["entry"].to_numpy(float)
    weighted = CoxPH(robust=True).fit(X, y, sample_weight=weight)
    naive = CoxPH().fit(X, y, sample_weight=weight)
    return {
        "strata": _kernel(X, y, strata=stratum),
        "weights": {**fit_results(weighted, len(X)), "naive_se": naive.se_},
        "left_trunc": _kernel(X, y, entry=entry),
    }


def _kernel(X, y, *, strata=None, entry=None):
    """The numbers of a fit by the kernel, where the estimator has no such option."""
    sets = RiskSets(y["event"], y["time"], strata=strata, entry=entry)
    means = CoxPH().fit(X, y).means_
    fit = fit_cox(X - means, sets, names=list(X))
    # The estimator turns a fit into tables; strata change nothing in that.
    model = CoxPH()
    model.means_ = means
    model._store(fit, list(X))
    risk = (X - means) @ fit.coef
    model.concordance_ = concordance(y["event"], y["time"], risk, strata=strata)
    results = fit_results(model, len(X))
    if entry is not None:
        del results["concordance"], results["concordance_se"]
    assert np.isfinite(fit.coef).all()
    return results
