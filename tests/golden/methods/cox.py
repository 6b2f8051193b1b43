"""The Cox model, its tests, curves and residuals against R's survival."""

import numpy as np

from sarcfeat import CoxPH, make_y
from sarcfeat.survival import count_pairs
from tests.golden.harness import several

RTOL, ATOL = 1e-6, 1e-12
TOLERANCE = {
    # A z near 0 carries R's own stopping error in the coefficient (veterans:
    # diagtime, z = 0.009, is off by 5e-8 of itself).
    "*/p/*": (1e-5, 0),
    "*_test": (1e-5, 0),
    "*/cox_zph/*/p": (1e-5, 1e-12),
    "*/cox_zph/*/chisq": (1e-5, 1e-9),
}


def compute(case):
    data = case.frame()
    X = data.drop(columns=["time", "event"]).astype(float)
    y = make_y(data["event"], data["time"], zero="keep")
    times = several(case.params["times"])
    return {
        ties: model_results(CoxPH(ties).fit(X, y), X, y, times, golden["cox_zph"])
        for ties, golden in case.results.items()
    }


def model_results(model, X, y, times, transforms):
    lp = model.predict(X)
    pairs = count_pairs(y["event"], y["time"], lp)
    hazard = model.baseline_.at(times) * np.exp(-model.linear_center_)
    return {
        **fit_results(model, len(X)),
        "concordance_counts": {
            "concordant": pairs.concordant,
            "discordant": pairs.discordant,
            "tied.x": pairs.tied_risk,
            "tied.y": pairs.tied_time,
            "tied.xy": pairs.tied_both,
            "concordance": model.concordance_.c_index,
            "std": model.concordance_.se,
        },
        "lp_centered_first10": lp[:10],
        "lp_zero_first10": lp[:10] + model.linear_center_,
        "martingale_first10": model.martingale_residuals(X, y)[:10],
        "cumhaz_at_x0": {"times": times, "value": hazard},
        "surv_first3rows": {
            "times": times,
            "surv_time_by_row": model.predict_survival_function(X[:3], times).T,
            "se_time_by_row": model.predict_survival_se(X[:3], times).T,
        },
        "cox_zph": {name: _zph(model, X, y, name) for name in transforms},
    }


def fit_results(model, n):
    """What R's summary of a fit prints."""
    table = model.summary_
    return {
        "coef": table["coef"].to_dict(),
        "se": table["se"].to_dict(),
        "z": table["z"].to_dict(),
        "p": table["p"].to_dict(),
        "hr": table["hazard_ratio"].to_dict(),
        "hr_lower95": table["ci_low"].to_dict(),
        "hr_upper95": table["ci_high"].to_dict(),
        "vcov": model.vcov_,
        "loglik_null": model.loglik_null_,
        "loglik": model.loglik_,
        "aic": model.aic_,
        "bic": model.bic_,
        "n": n,
        "nevent": model.n_events_,
        "lr_test": list(model.lr_test_),
        "wald_test": list(model.wald_test_),
        "score_test": list(model.score_test_),
        "concordance": model.concordance_.c_index,
        "concordance_se": model.concordance_.se,
        "means": dict(zip(table.index, model.means_, strict=True)),
    }


def _zph(model, X, y, transform):
    table = model.proportional_hazards_test(X, y, transform=transform)
    return {
        "term": list(table.index),
        "chisq": table["chisq"],
        "df": table["df"],
        "p": table["p"],
    }
