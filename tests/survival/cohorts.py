"""Small simulated cohorts for the tests of survival methods."""

import numpy as np
import pandas as pd


def cohort(n=60, p=3, seed=0, *, tied=False):
    """Return X, event, time; times are whole months when `tied`."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        rng.normal(size=(n, p)), columns=[f"clinical.x{j}" for j in range(p)]
    )
    rate = np.exp(X.to_numpy() @ np.linspace(0.8, -0.4, p) if p else np.zeros(n))
    failure = rng.exponential(24 / rate)
    ending = rng.exponential(40, size=n)
    time = np.minimum(failure, ending)
    return X, failure <= ending, np.ceil(time / 3) if tied else time + 1e-3
