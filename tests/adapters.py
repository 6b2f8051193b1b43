"""Adapters that let scikit-learn's own checks run on survival estimators.

scikit-learn's checks feed numeric y. `survival` wraps a class so that its ``fit``
turns any 1-d y into ``(event, time)``; `with_readings` gives an ICC filter a second
reading of whatever X a check invents; `with_site` gives every row one of two sites;
`with_inputs` reads the named inputs of a published nomogram from any X; to
`with_bags` any row is a bag of tiles. They are for
tests only.
"""

import copy
import itertools

import numpy as np
import pandas as pd
import scipy.sparse
from scipy.special import expit
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from sarcfeat.io import BagArray
from sarcfeat.survival import make_y

_NUMBERS = itertools.count()


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


def binary(estimator):
    """Return a copy of `estimator` whose fit takes any y: above the median or not."""
    base = type(estimator)

    def fit(self, X, y=None):
        if y is None:
            return base.fit(self, X, y)
        y = column_or_1d(y, warn=True)
        ranks = pd.Series(y).rank(method="first") if y.dtype.kind in "fiub" else None
        if ranks is None:
            ranks = pd.Series(pd.factorize(y)[0]).rank(method="first")
        if ranks.isna().any() or not np.isfinite(ranks).all():
            raise ValueError("Input y contains NaN or infinity.")
        return base.fit(self, X, (ranks > len(y) / 2).to_numpy().astype(int))

    return _adapted(base, estimator, {"fit": fit})


def with_readings(estimator):
    """Return a copy of an ICC filter that finds a second reading of any X.

    The second reader sees every value one part in a hundred higher.
    """
    base = type(estimator)

    def fit(self, X, y=None):
        self._seen = X
        return base.fit(self, X, y)

    def _load(self, patients):
        first = pd.DataFrame(np.asarray(self._seen)).astype(float).set_axis(patients)
        return pd.concat(
            {("A", 1): first, ("B", 1): first * 1.01},
            names=["reader", "session", "patient"],
        ).reorder_levels(["patient", "reader", "session"])

    return _adapted(base, estimator, {"fit": fit, "_load": _load})


def with_site(estimator):
    """Return a copy of a harmoniser that gives each row of any X one of two sites.

    The site depends on the row alone, as a column of X would.
    """
    base = type(estimator)

    def _site(self, X, *, learn):
        values = np.asarray(X, dtype=object)
        if scipy.sparse.issparse(X) or values.ndim != 2 or not values.size:
            return None
        try:
            first = values[:, 0].astype(float)
        except (TypeError, ValueError):
            return None
        if learn:
            self._cut = float(np.median(first[np.isfinite(first)] if first.size else 0))
        return np.where(first > self._cut, "high", "low")

    def fit(self, X, y=None, site=None):
        return base.fit(self, X, y, site=_site(self, X, learn=True))

    def transform(self, X, site=None):
        check_is_fitted(self)
        return base.transform(self, X, site=_site(self, X, learn=False))

    def fit_transform(self, X, y=None, site=None):
        return self.fit(X, y).transform(X)

    members = {"fit": fit, "transform": transform, "fit_transform": fit_transform}
    return _adapted(base, estimator, members)


def with_inputs(estimator):
    """Return a copy of a published nomogram that reads its inputs from any X.

    The first column becomes its age and, halved, its size, and the sign of it each of
    its levels; scikit-learn's own `validate_data` stands where X is a frame of inputs.
    """
    base = type(estimator)

    def _inputs(self, X, *, reset):
        values = validate_data(self, X, reset=reset, dtype=float)
        first = np.minimum(20 + np.abs(values[:, 0]), 100)
        within = {"age": first, "size": first / 2}
        named = {name: within[name] for name in self.numbers}
        # A refitted nomogram takes whatever words its patients have.
        free = dict.fromkeys(getattr(self, "words", ()), ("a", "b"))
        for name, known in getattr(self, "effects", free).items():
            words = np.array(list(known), dtype=object)
            named[name] = words[(values[:, 0] > 0).astype(int)]
        return pd.DataFrame(named)

    def fit(self, X, y=None):
        X = _inputs(self, X, reset=True)
        names = getattr(self, "feature_names_in_", None)
        n = self.n_features_in_
        base.fit(self, X, y)
        self.n_features_in_ = n
        if names is None:
            del self.feature_names_in_
        else:
            self.feature_names_in_ = names
        return self

    def predict(self, X):
        check_is_fitted(self)
        return base.predict(self, _inputs(self, X, reset=False))

    return _adapted(base, estimator, {"fit": fit, "predict": predict})


def with_probability(estimator):
    """Return a copy of a probability column that reads one from any X."""
    base = type(estimator)

    def _event(self, X):
        check_is_fitted(self)
        values = validate_data(self, X, reset=False, dtype=float)
        return expit(values[:, 0] / 30)

    def fit(self, X, y=None):
        base.fit(self, np.zeros((2, 1)))
        validate_data(self, X, dtype=float)
        return self

    return _adapted(base, estimator, {"fit": fit, "_event": _event})


def with_bags(estimator):
    """Return a copy of a model of bags to which any row of X is a bag.

    Of three tiles that are alike, one in each region.
    """
    base = type(estimator)

    def _references(self, X, *, reset):
        if not reset:
            check_is_fitted(self)
        told = {"ensure_min_samples": 2} if reset else {}
        values = validate_data(self, X, reset=reset, dtype=float, **told)
        codes = np.array([1, 2, 3], np.uint8)
        bags = [
            BagArray(str(i), np.tile(row, (3, 1)), None, codes, ("C", "P", "R"))
            for i, row in enumerate(values)
        ]
        return bags, [bag.patient for bag in bags]

    return _adapted(base, estimator, {"_references": _references})


def _adapted(base, estimator, members):
    name = base.__name__
    cls = type(name, (base,), {"__doc__": base.__doc__, **members})
    # Pickle finds a class by module and qualified name.
    cls.__module__, cls.__qualname__ = __name__, f"{name}_{next(_NUMBERS)}"
    globals()[cls.__qualname__] = cls
    # get_params reads the signature of __init__, which the subclass inherits.
    return cls(**copy.deepcopy(estimator.get_params(deep=False)))
