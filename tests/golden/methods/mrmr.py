"""R's mRMRe: mutual information with the target, order of selection, scores."""

import re

import numpy as np

from sarcfeat.survival import make_y
from sarcfeat.transform import MRMR
from sarcfeat.transform._association import mutual_information, standardised
from tests.golden.harness import several

RTOL, ATOL = 1e-6, 1e-12
RELEVANCE = {"cont": "correlation", "factor": "concordance", "surv": "concordance"}


def compute(case):
    frame = case.frame()
    targets = ["time", "event"] if "time" in frame else [frame.columns[0]]
    X = frame.drop(columns=targets)
    if len(targets) == 2:
        y = make_y(frame["event"], frame["time"], zero="keep")
    else:
        y = frame[targets[0]].to_numpy()
    kind = re.search(r"target kind=(\w+)", case.expected["call"]).group(1)
    k = len(several(case.results["selected"]))
    mrmr = MRMR(k=k, relevance=RELEVANCE[kind], ties="mRMRe").fit(X, y)
    with_target = dict(zip(X.columns, mrmr.relevance_, strict=True))
    scores = mrmr.scores_.copy()
    if kind == "factor":
        scores[0] = np.nan  # mRMRe gives NA for the first score of a factor target
    return {
        "selected": mrmr.selected_,
        "scores": scores,
        "mi_target": with_target,
        "mi_target_col": with_target,
        "cor_first5": _between_features(X.to_numpy()[:, :5]),
    }


def _between_features(X):
    Z = standardised(X)
    found = mutual_information(Z.T @ Z)
    np.fill_diagonal(found, np.nan)  # infinite; R's Inf is null in the file
    return found
