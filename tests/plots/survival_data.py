"""One simulated cohort with two models' predictions, for the figures of metrics."""

import numpy as np

from sarcfeat.survival import kaplan_meier


def simulated(n=150, seed=2):
    """Return event, time, two risks and their survival at times."""
    rng = np.random.default_rng(seed)
    good, poor = rng.normal(size=n), rng.normal(size=n)
    time = rng.exponential(1500 * np.exp(-good)) + 1
    end = rng.uniform(400, 2600, n)
    event, time = time <= end, np.minimum(time, end)
    times = np.array([200.0, 600.0, 1000.0, 1800.0])
    base = kaplan_meier(event, time).at(times, extend=True)
    survival = {
        "good": base ** np.exp(good)[:, None],
        "poor": base ** np.exp(0.1 * poor)[:, None],
    }
    return event, time, {"good": good, "poor": poor}, times, survival
