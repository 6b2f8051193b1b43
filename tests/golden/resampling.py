"""How far the means of two runs over random resamples may lie apart."""

import numpy as np
import pandas as pd

RESAMPLES = 200  # of ours, and of R's
ERRORS = 4  # standard errors of the gap between the two means


class Recorded:
    """A measure for ``bootstrap_optimism`` that keeps what each resample gave."""

    def __init__(self, measure):
        self.measure, self.training, self.test = measure, [], []

    def __call__(self, rows):
        training, test = self.measure(rows)
        self.training.append(training)
        self.test.append(test)
        return training, test

    def room(self, least):
        """Return the room of each measure and column, at least `least`."""
        training = pd.DataFrame(self.training[1:])  # the first is of the patients
        test = pd.DataFrame(self.test[1:])
        spread = pd.DataFrame(
            {
                "training": training.std(),
                "test": test.std(),
                "optimism": (training - test).std(),
                "corrected": (training - test).std(),
            }
        )
        errors = ERRORS * spread * np.sqrt(2 / RESAMPLES)
        return errors.fillna(0.0).clip(lower=least)
