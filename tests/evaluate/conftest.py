import numpy as np
import pandas as pd
import pytest

from sarcfeat import make_y


@pytest.fixture
def cohort():
    """Return 80 patients with one telling and three idle columns."""
    rng = np.random.default_rng(7)
    X = pd.DataFrame(
        rng.normal(size=(80, 4)),
        columns=["clinical.age", "clinical.size", "clinical.sex", "clinical.grade"],
        index=pd.Index([f"P{i:03}" for i in range(80)], name="patient"),
    )
    time = rng.exponential(np.exp(-1.2 * X["clinical.size"].to_numpy())) * 365
    stop = rng.uniform(100, 1500, size=80)
    return X, make_y(time <= stop, np.minimum(time, stop))
