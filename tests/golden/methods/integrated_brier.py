"""Brier's score on a grid and its integral against pec."""

import numpy as np

from sarcfeat.metrics import brier, brier_reference, integrated_brier

RTOL, ATOL = 1e-6, 1e-12
UNREAD = {}


def compute(case):
    data, grid = case.frame(), case.params["grid"]
    event, time = data["event"].to_numpy(), data["time"].to_numpy(float)
    models = {"Reference": brier_reference(event, time, grid)}
    names = {c.split("_t")[0] for c in data.columns if "_t" in c}
    for name in sorted(names):
        columns = [c for c in data.columns if c.startswith(f"{name}_t")]
        models[name] = data[columns].to_numpy(float)
    tau = case.results["tau"]
    scores = {name: brier(event, time, s, grid) for name, s in models.items()}
    return {
        "times": [0, *grid],
        "brier": {name: np.r_[0.0, s.brier] for name, s in scores.items()},
        "ibs_0_tau": {
            name: integrated_brier(s, until=tau).ibs for name, s in scores.items()
        },
        "tau": tau,
    }
