"""ROC curves and DeLong's variance and tests against pROC."""

from itertools import combinations

import numpy as np

from sarcfeat.metrics import (
    delong,
    delong_test,
    delong_unpaired,
    diagnostic_accuracy,
    roc,
)

RTOL, ATOL = 1e-9, 1e-12
UNREAD = {}
SHARES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


def compute(case):
    data = case.frame()
    y = data["y"].to_numpy()
    names = list(data.columns.drop("y"))
    results = {name: _marker(y, data[name].to_numpy(float)) for name in names}
    pairs = []
    for a, b in combinations(names, 2):
        first, second = data[a].to_numpy(float), data[b].to_numpy(float)
        test = delong_test(y, first, second)
        pairs.append(
            {
                "a": a,
                "b": b,
                "z": test.statistic,
                "p": test.p,
                "diff": test.delta,
                "diff_ci95": [test.ci_low, test.ci_high],
                "cov": delong(y, first).influence @ delong(y, second).influence,
            }
        )
    results["paired"] = pairs
    first = data[names[0]].to_numpy(float)
    even, odd = delong(y[1::2], first[1::2]), delong(y[::2], first[::2])
    test = delong_unpaired(even, odd)
    results["unpaired_even_vs_odd_rows"] = {
        "D": test.statistic,
        "df": test.df,
        "p": test.p,
        "auc_even": even.auc,
        "auc_odd": odd.auc,
    }
    return results


def _marker(y, score):
    area, curve = delong(y, score), roc(y, score)
    cuts = np.asarray(curve.best_thresholds())
    # The best cut of a marker without use lies beyond all values.
    within = np.clip(cuts, score.min() - 1, score.max() + 1)
    tables = [diagnostic_accuracy(y, score, cut)["value"] for cut in within]
    count = len(curve.threshold)
    # At most fifteen rows of the curve were kept, evenly spaced; R counts from 1.
    kept = min(count, 15)
    rows = np.round(np.linspace(1, count, kept)).astype(int) - 1
    finite = np.where(np.isfinite(curve.threshold), curve.threshold, np.nan)
    return {
        "auc": area.auc,
        "ci95_lower": area.ci_low,
        "ci95_upper": area.ci_high,
        "var_delong": area.se**2,
        "youden": {
            "threshold": _one(np.where(np.isfinite(cuts), cuts, np.nan)),
            **{k: _one([table[k] for table in tables]) for k in SHARES},
        },
        "roc_at": {
            "threshold": finite[rows],
            "sensitivity": curve.sensitivity[rows],
            "specificity": curve.specificity[rows],
        },
        "pauc_spec_90_100": curve.partial_area(0.9, 1.0),
    }


def _one(values):
    """Write a single best threshold as a number, several as a list."""
    return values[0] if len(values) == 1 else list(values)
