"""Decision curves against dcurves and against the textbook."""

from sarcfeat.metrics import decision_curve, decision_curve_survival

RTOL, ATOL = 1e-9, 1e-12
UNREAD = {}


def compute(case):
    data, golden = case.frame(), case.results
    thresholds = golden["thresholds"]
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
        results["dcurves"][name] = {
            key: part[key].to_numpy()
            for key in ("threshold", "tp_rate", "fp_rate", "net_benefit")
        }
    return results
