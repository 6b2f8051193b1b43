"""Time-dependent AUC and Brier against timeROC, survAUC and riskRegression."""

from dataclasses import fields

import numpy as np
from scipy.stats import norm

from sarcfeat.metrics import (
    TimeDependentAUC,
    brier,
    brier_difference,
    brier_reference,
    heagerty_auc,
    time_dependent_auc,
    time_dependent_auc_difference,
    time_dependent_roc,
)
from sarcfeat.survival import CensoringCurve
from tests.golden.harness import several

RTOL, ATOL = 1e-6, 1e-12
TOLERANCE = {
    "*_marginal/se": (1e-4, 1e-12),
    "*_marginal/ci95_percent": (0, 0.00501),
    # A p-value carries the relative error of z some z^2-fold.
    "compare_m1_vs_m2/p": (1e-2, 1e-12),
    "riskRegression_Score/*/p": (1e-5, 1e-14),
}
UNREAD = {
    "survivalROC_NNE/*": "Heagerty's nearest-neighbour estimator is not offered: its "
    "value turns on how the package cuts its windows",
}


def compute(case):
    data, times = case.frame(), several(case.params["times"])
    event, time = data["event"].to_numpy(), data["time"].to_numpy(float)
    markers = {m: data[m].to_numpy(float) for m in ("m1", "m2")}
    own = {m: time_dependent_auc(event, time, v, times) for m, v in markers.items()}
    results = {
        f"{m}_marginal": _marginal(case, m, own[m], event, time, markers[m])
        for m in markers
    }
    gap = time_dependent_auc_difference(own["m1"], own["m2"])
    results["compare_m1_vs_m2"] = {"p": gap.p}
    uno = {"convention": "scikit-survival", "censoring": survauc_curve(event, time)}
    results["survAUC_AUC.uno"] = {
        m: time_dependent_auc(event, time, v, times, **uno).auc
        for m, v in markers.items()
    }
    results["survivalROC_KM"] = {
        "m1": [heagerty_auc(event, time, markers["m1"], t) for t in times]
    }
    results["riskRegression_Score"] = _score(data, event, time, times)
    return results


def percent_interval(found):
    """Return timeROC's interval, which it does not cut at 0 and 100 per cent."""
    half = norm.ppf(0.975) * found.se
    return 100 * np.c_[found.auc - half, found.auc + half]


def survauc_curve(event, time):
    """Kaplan–Meier of the censoring with survAUC's defect, to compare all the rest.

    It takes the factor of a time once for every censoring at it, and counts all who
    leave at that time as censored.
    """
    distinct, n_tied = np.unique(time, return_counts=True)
    lost = np.array([((time == t) & (event == 0)).sum() for t in distinct])
    at_risk = np.array([(time >= t).sum() for t in distinct])
    return CensoringCurve(distinct, np.cumprod((1 - n_tied / at_risk) ** lost))


def _marginal(case, name, found, event, time, marker):
    where = case.results[f"{name}_marginal"]["roc_at"]
    curve = time_dependent_roc(event, time, marker, where["time"])
    rows = where["index0"]
    return {
        "times": found.times,
        "auc": found.auc,
        "se": found.se,
        "ci95_percent": percent_interval(found),
        "n_cases": found.n_cases,
        "n_survivors": found.n_controls,
        "n_censored": found.n_censored,
        "cum_incidence": found.incidence,
        "surv": found.event_free,
        "roc_at": {
            "time": where["time"],
            "index0": rows,
            "fpr": curve.false_positive[rows],
            "tpr": curve.true_positive[rows],
        },
    }


def _score(data, event, time, times):
    survival = {"Null model": brier_reference(event, time, times)}
    areas = {}
    for m in ("1", "2"):
        columns = [c for c in data.columns if c.startswith(f"S{m}_t")]
        survival[f"M{m}"] = data[columns].to_numpy(float)
        areas[f"M{m}"] = _areas_of_risks(event, time, survival[f"M{m}"], times)
    scores = {name: brier(event, time, s, times) for name, s in survival.items()}
    gap = time_dependent_auc_difference(areas["M2"], areas["M1"])
    pairs = [("M1", "Null model"), ("M2", "Null model"), ("M2", "M1")]
    gaps = [brier_difference(scores[a], scores[b]) for a, b in pairs]
    return {
        "auc": _table("AUC", areas, times, "auc"),
        "auc_contrasts": {
            "times": times,
            "model": ["M2"] * len(times),
            "reference": ["M1"] * len(times),
            "delta.AUC": gap.delta,
            "se": gap.se,
            "lower": gap.ci_low,
            "upper": gap.ci_high,
            "p": gap.p,
        },
        "brier": _table("Brier", scores, times, "brier"),
        "brier_contrasts": {
            "times": np.repeat(times, len(pairs)),
            "model": [a for a, _ in pairs] * len(times),
            "reference": [b for _, b in pairs] * len(times),
            "delta.Brier": _by_time(gaps, "delta"),
            "se": _by_time(gaps, "se"),
            "lower": _by_time(gaps, "ci_low"),
            "upper": _by_time(gaps, "ci_high"),
            "p": _by_time(gaps, "p"),
        },
    }


def _areas_of_risks(event, time, survival, times):
    """Return the areas of the risk by each time, put together time by time."""
    each = [
        time_dependent_auc(event, time, 1 - s, [t], convention="riskRegression")
        for s, t in zip(survival.T, times, strict=True)
    ]
    names = [f.name for f in fields(TimeDependentAUC)]
    return TimeDependentAUC(
        *(np.concatenate([getattr(found, name) for found in each]) for name in names)
    )


def _table(label, models, times, value):
    found = list(models.values())
    return {
        "model": np.repeat(list(models), len(times)),
        "times": list(times) * len(models),
        label: np.concatenate([getattr(m, value) for m in found]),
        "se": np.concatenate([m.se for m in found]),
        "lower": np.concatenate([m.ci_low for m in found]),
        "upper": np.concatenate([m.ci_high for m in found]),
    }


def _by_time(gaps, name):
    return np.array([getattr(gap, name) for gap in gaps]).T.ravel()
