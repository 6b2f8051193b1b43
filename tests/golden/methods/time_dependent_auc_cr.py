"""Time-dependent AUC with competing risks against timeROC."""

from dataclasses import replace

import numpy as np

from sarcfeat.metrics import time_dependent_auc_competing
from tests.golden.harness import several
from tests.golden.methods.time_dependent_auc import percent_interval

RTOL, ATOL = 1e-6, 1e-12
# timeROC gives percent, rounded to two decimals.
TOLERANCE = {"ci*_percent": (0, 0.00501)}
UNREAD = {}


def compute(case):
    data = case.frame()
    columns = [data[c].to_numpy() for c in ("status", "time", "marker")]
    times = several(case.params["times"])
    free = time_dependent_auc_competing(*columns, times)
    all_ = time_dependent_auc_competing(*columns, times, controls="all")
    # Before the first other event timeROC gives no error of the second kind.
    status, time = columns[:2]
    others = [((status > 1) & (time < t)).any() for t in times]
    all_ = replace(all_, se=np.where(others, all_.se, np.nan))
    return {
        "times": times,
        "auc1": free.auc,
        "auc2": all_.auc,
        "se1": free.se,
        "se2": all_.se,
        "ci1_percent": percent_interval(free),
        "ci2_percent": percent_interval(all_),
        "cif": free.incidence,
    }
