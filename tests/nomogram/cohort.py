"""A small simulated cohort and the Cox models that the nomogram tests share."""

import numpy as np
import pandas as pd

from sarcfeat import make_y


def simulated(n=160, seed=0):
    """Return X (age, size, grade3) and y with censoring, in days."""
    rng = np.random.default_rng(seed)
    index = pd.Index([f"p{i:03d}" for i in range(n)], name="patient")
    X = pd.DataFrame(
        {
            "clinical.age": rng.integers(18, 90, n).astype(float),
            "clinical.size": rng.gamma(4.0, 2.2, n).round(1),
            "clinical.grade3": rng.integers(0, 2, n).astype(float),
        },
        index=index,
    )
    lp = X.to_numpy() @ [0.02, 0.08, 0.7]
    time = rng.exponential(4000 / np.exp(lp)).round() + 1
    follow_up = rng.uniform(400, 2400, n).round()
    return X, make_y(time <= follow_up, np.minimum(time, follow_up))
