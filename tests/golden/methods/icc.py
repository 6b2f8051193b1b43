"""R's irr::icc and psych::ICC: value, interval, F test of six coefficients.

irr departs from McGraw and Wong in two places, which `_as_irr` reproduces from our
mean squares, so that every number of both packages is compared: the F test of the
agreement forms takes the degrees of freedom of the interval, and those of ICC(A,k) put
ICC(A,k) where the formula asks for ICC(A,1).
"""

import numpy as np
from scipy.stats import f as f_distribution

from sarcfeat.metrics.icc import icc, mean_squares, satterthwaite

RTOL, ATOL = 1e-8, 1e-12
TOLERANCE = {
    # A p-value far in the tail carries the error of F many times over.
    "*/p": (1e-6, 1e-15),
}

PSYCH = {
    "ICC1_1": ("ICC(1,1)", "ICC1"),
    "ICC2_1": ("ICC(A,1)", "ICC2"),
    "ICC3_1": ("ICC(C,1)", "ICC3"),
    "ICC1_k": ("ICC(1,k)", "ICC1k"),
    "ICC2_k": ("ICC(A,k)", "ICC2k"),
    "ICC3_k": ("ICC(C,k)", "ICC3k"),
}
UNITS = {"single": "1", "average": "k"}


def compute(case):
    values = case.frame().to_numpy(float)
    ms = mean_squares(values[:, :, None])
    return {
        "ms": {
            "rows": float(ms.rows[0]),
            "cols": float(ms.columns[0]),
            "error": float(ms.error[0]),
        },
        "psych": {key: _as_psych(values, *PSYCH[key]) for key in case.results["psych"]},
        "irr": [_as_irr(values, ms, row) for row in case.results["irr"]],
    }


def _as_psych(values, form, name):
    ours = icc(values, form=form)
    return {
        "type": name,
        "icc": ours.value,
        "F": ours.f,
        "df1": ours.df1,
        "df2": ours.df2,
        "p": ours.p,
        "lower95": ours.lower,
        "upper95": ours.upper,
    }


def _as_irr(values, ms, row):
    kind = "1" if row["model"] == "oneway" else {"c": "C", "a": "A"}[row["type"][0]]
    ours = icc(values, form=f"ICC({kind},{UNITS[row['unit']]})")
    found = {
        "model": row["model"],
        "type": row["type"],
        "unit": row["unit"],
        "value": ours.value,
        "lower95": ours.lower,
        "upper95": ours.upper,
        "F": ours.f,
        "df1": ours.df1,
        "df2": ours.df2,
        "p": ours.p,
    }
    if kind == "A":
        found |= _irr_agreement(ms, ours, average=row["unit"] == "average")
    return found


def _irr_agreement(ms, ours, *, average):
    v = satterthwaite(ms, np.array([ours.value]))[0]
    found = {"df2": v, "p": f_distribution.sf(ours.f, ours.df1, v)}
    if average:
        rows, columns, error = ms.rows[0], ms.columns[0], ms.error[0]
        n = ours.n
        low = f_distribution.ppf(0.975, n - 1, v)
        high = f_distribution.ppf(0.975, v, n - 1)
        found["lower95"] = (
            n * (rows - low * error) / (low * (columns - error) + n * rows)
        )
        found["upper95"] = (
            n * (high * rows - error) / (columns - error + n * high * rows)
        )
    return found
