"""R's irr::icc(twoway, agreement, single), feature by feature, and which are kept."""

import re

import numpy as np

from sarcfeat.metrics.icc import icc

RTOL, ATOL = 1e-6, 1e-10


def compute(case):
    frame = case.frame()
    features = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in frame.columns))
    readers = list(dict.fromkeys(name.rsplit("_", 1)[1] for name in frame.columns))
    values = np.stack(
        [frame[[f"{f}_{r}" for f in features]].to_numpy(float) for r in readers], axis=1
    )
    ours = icc(values, form="ICC(A,1)")
    kept = {"icc": ours.value, "lower": ours.lower}
    found = {"icc_a1": ours.value, "lower95": ours.lower, "upper95": ours.upper}
    for key in case.results:
        match = re.fullmatch(r"keep_(icc|lower)_ge_([0-9.]+)", key)
        if match:
            name, threshold = match.groups()
            found[key] = np.flatnonzero(kept[name] >= float(threshold))
    return found
