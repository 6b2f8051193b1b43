"""Time-dependent AUC with competing risks against timeROC."""

import numpy as np

from sarcfeat.metrics import time_dependent_auc_competing

RTOL, ATOL = 1e-6, 1e-12
# timeROC gives percent, rounded to two decimals.
TOLERANCE = {"ci*_percent": (0, 0.00501)}
UNREAD = {}


def compute(case):
    data = case.frame()
    columns = [data[c].to_numpy() for c in ("status", "time", "marker")]
    times = case.params["times"]
    free = time_dependent_auc_competing(*columns, times)
    all_ = time_dependent_auc_competing(*columns, times, controls="all")
    return {
        "times": times,
        "auc1": free.auc,
        "auc2": all_.auc,
        "se1": free.se,
        "se2": all_.se,
        "ci1_percent": 100 * np.c_[free.ci_low, free.ci_high],
        "ci2_percent": 100 * np.c_[all_.ci_low, all_.ci_high],
        "cif": free.incidence,
    }
