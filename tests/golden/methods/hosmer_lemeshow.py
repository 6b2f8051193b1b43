"""Hosmer–Lemeshow and calibration of probabilities against R."""

from itertools import pairwise

import numpy as np

from sarcfeat.metrics import calibration, delong, hosmer_lemeshow

RTOL, ATOL = 1e-6, 1e-12
TOLERANCE = {
    # Regressions that start at their solution: 0 and 1 to the digits of the input.
    "calibration/intercept*": (1e-6, 1e-8),
    "calibration/val_prob/Intercept": (1e-6, 1e-8),
    "calibration/val_prob/U:Chi-sq": (1e-6, 1e-9),
    "calibration/val_prob/U": (1e-6, 1e-9),
}
UNREAD = {"*/D:p": "rms returns NA here"}


def compute(case):
    data = case.frame()
    y, p = data["y"].to_numpy(), data["p"].to_numpy(float)
    results = {}
    for key, value in case.results.items():
        if key.startswith("g") and "g" in value:
            test = hosmer_lemeshow(y, p, groups=value["g"])
            results[key] = {
                "g": value["g"],
                "chisq": test.statistic,
                "df": test.df,
                "p": test.p_value,
                "observed": test.observed,
                "expected": test.expected,
                "bins": _bins(test.cuts),
            }
    off = data["p_miscal"].to_numpy(float)
    test = hosmer_lemeshow(y, off, groups=10)
    results["p_miscal"] = {
        **_short(calibration(y, off)),
        "hl10_chisq": test.statistic,
        "hl10_p": test.p_value,
    }
    found = calibration(y, p)
    auc = delong(y, np.floor(5000 * p)).auc  # rms counts pairs in bins of 0.0002
    results["calibration"] = {
        **_short(found),
        "val_prob": {
            "Dxy": 2 * auc - 1,
            "C (ROC)": auc,
            "R2": found.r2,
            "D": found.discrimination,
            "D:Chi-sq": found.model_lr,
            "U": found.unreliability,
            "U:Chi-sq": found.u_statistic,
            "U:p": found.u_p,
            "Q": found.quality,
            "Brier": found.brier,
            "Intercept": found.intercept,
            "Slope": found.slope,
            "Emax": found.e_max,
            "E90": found.e90,
            "Eavg": found.ici,
            "S:z": found.spiegelhalter_z,
            "S:p": found.spiegelhalter_p,
        },
    }
    return results


def _short(found):
    return {
        "brier": found.brier,
        "slope": found.slope,
        "intercept": found.intercept,
        "intercept_in_the_large": found.in_the_large,
    }


def _bins(cuts):
    """Write the borders as R's cut does: as many digits as tell them apart."""
    for digits in range(3, 16):
        text = [f"{c:.{digits}g}" for c in cuts]
        if len(set(text)) == len(text):
            break
    return [
        f"{'[' if i == 0 else '('}{a},{b}]" for i, (a, b) in enumerate(pairwise(text))
    ]
