"""Adapters that let scikit-learn's own checks run on survival estimators.

scikit-learn's checks feed numeric y. `survival` wraps a class so that its ``fit``
turns any 1-d y into ``(event, time)``; `with_readings` gives an ICC filter a second
reading of whatever X a check invents; `with_site` appends a two-level site column.
They are for tests only.
"""

import copy

import numpy as np
import pandas as pd
from sklearn.utils.validation import _num_samples, check_consistent_length, column_or_1d

from sarcfeat.survival import make_y


def numeric_to_survival(y):
    """Map any 1-d y to a survival target: every 5th patient is censored."""
    y = column_or_1d(y, warn=False)
    if y.dtype.kind not in "fiub":
        y = pd.factorize(y)[0].astype(float)
    y = y.astype(float)
    if not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity.")
    event = np.arange(len(y)) % 5 != 4
    ranks = pd.Series(y).rank(method="dense").to_numpy()
    return make_y(event, ranks)


def survival(estimator):
    """Return a copy of `estimator` whose fit takes numeric y."""
    base = type(estimator)

    def _y(X, y):
        if y is None:
            raise ValueError(
                f"{base.__name__} requires y to be passed, but the target y is None."
            )
        if getattr(getattr(y, "dtype", None), "names", None):
            return y
        y = numeric_to_survival(y)
        check_consistent_length(X, y)
        return y

    def fit(self, X, y=None):
        return base.fit(self, X, _y(X, y))

    members = {"fit": fit, "__doc__": base.__doc__, "__module__": __name__}
    if hasattr(base, "fit_transform"):

        def fit_transform(self, X, y=None):
            return base.fit_transform(self, X, _y(X, y))

        members["fit_transform"] = fit_transform
    if hasattr(base, "score"):

        def score(self, X, y, sample_weight=None):
            return base.score(self, X, _y(X, y), sample_weight)

        members["score"] = score
    return _adapted(base, estimator, members)


def with_readings(estimator, make_readings):
    """Return a copy of an ICC filter that is re-read on the X of each check.

    `make_readings(X)` builds the readings object from the array of the check.
    """
    base = type(estimator)

    def fit(self, X, y=None):
        if hasattr(X, "shape") and len(X.shape) == 2 and _num_samples(X) > 0:
            self.readings = make_readings(X)
        return base.fit(self, X, y)

    return _adapted(base, estimator, {"fit": fit})


def _adapted(base, estimator, members):
    name = base.__name__
    cls = type(name, (base,), {"__doc__": base.__doc__, **members})
    # get_params reads the signature of __init__, which the subclass inherits.
    return cls(**copy.deepcopy(estimator.get_params(deep=False)))
