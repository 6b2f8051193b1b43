"""Decision curves against dcurves and against the textbook."""

import numpy as np

from sarcfeat.metrics import decision_curve, decision_curve_survival
from tests.golden.harness import several

RTOL, ATOL = 1e-9, 1e-12
UNREAD = {}


def compute(case):
    data, golden = case.frame(), case.results
    thresholds = several(golden["thresholds"])
    models = [c for c in data.columns if c not in ("y", "time", "event")]
    risks = {c: data[c].to_numpy(float) for c in models}
    results = {"thresholds": thresholds, "dcurves": {}}
    if "time" in data.columns:
        at = golden["time"]
        columns = data["event"].to_numpy(), data["time"].to_numpy(float)
        textbook = decision_curve_survival(*columns, risks, at, thresholds)
        strict = decision_curve_survival(*columns, risks, at, thresholds, extend=False)
        results["time"] = at
    else:
        textbook = strict = decision_curve(data["y"].to_numpy(), risks, thresholds)
    results["textbook"] = {
        name: part["net_benefit"].to_numpy()
        for name, part in textbook.groupby("model")
        if name != "none"
    }
    for name, part in strict.groupby("model"):
        found = {
            key: part[key].to_numpy() for key in ("tp_rate", "fp_rate", "net_benefit")
        }
        if "time" in data.columns and name in risks:
            unseen = _unseen(data["time"].to_numpy(), risks[name], at, thresholds)
            found = {key: np.where(unseen, np.nan, v) for key, v in found.items()}
        results["dcurves"][name] = {"threshold": thresholds, **found}
    return results


def _unseen(time, risk, at, thresholds):
    """Say above which thresholds all leave before the horizon, or all after it.

    There dcurves gives NA, even where the curve has reached 0; ours takes that as
    known, and that nobody has had the event while all are followed, too.
    """
    above = [time[risk >= t] for t in thresholds]
    return np.array([len(a) > 0 and (a.max() < at or a.min() > at) for a in above])
