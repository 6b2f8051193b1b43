"""Cox models with strata, case weights and left truncation against R's survival."""

from sarcfeat import CoxPH, make_y
from tests.golden.harness import several
from tests.golden.methods.cox import fit_results

RTOL, ATOL = 1e-6, 1e-12
TOLERANCE = {"*/p/*": (1e-5, 0), "*_test": (1e-5, 0)}


def compute(case):
    data = case.frame()
    X = data[several(case.params["covariates"])].astype(float)
    y = make_y(data["event"], data["time"], zero="keep")
    weight, stratum = data["w"].to_numpy(float), case.params["strata"]
    weighted = CoxPH(robust=True).fit(X, y, sample_weight=weight)
    naive = CoxPH().fit(X, y, sample_weight=weight)
    stratified = CoxPH(strata=stratum).fit(X.join(data[stratum].rename(stratum)), y)
    late = CoxPH(entry="entry").fit(X.join(data["entry"]), y)
    return {
        "strata": fit_results(stratified, len(X)),
        "weights": {**fit_results(weighted, len(X)), "naive_se": naive.se_},
        "left_trunc": fit_results(late, len(X)),
    }
