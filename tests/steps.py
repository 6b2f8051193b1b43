"""Every transformer and estimator of the package, ready to be fitted on one cohort.

A class that is not listed here fails the tests that go over all of them: whoever adds
one adds a line.
"""

from types import FunctionType

import numpy as np
import pandas as pd

import sarcfeat.estimators
import sarcfeat.transform
from sarcfeat.estimators import *  # noqa: F403
from sarcfeat.io import BagArray
from sarcfeat.store import Readings
from sarcfeat.survival import make_y
from sarcfeat.transform import *  # noqa: F403

N, TRAIN = 60, np.arange(0, 60, 3)[:, None] + [0, 1]
TRAIN = np.sort(TRAIN.ravel())
TEST = np.setdiff1d(np.arange(N), TRAIN)
PATIENTS = [f"SECRETID{i:03}" for i in range(N)]
COMMON = {"random_state": 0}
NET = {"epochs": 2, "width": 8, "device": "cpu", **COMMON}

# Name: (parameters, target, whether the site stands in X).
SETTINGS = {
    "AttentionMIL": (NET, "survival", False),
    "Categories": ({}, None, True),
    "CauseSpecificCox": ({}, "survival", False),
    "ComBat": ({}, None, True),
    "ConsensusClustering": ({"n_resamples": 20, **COMMON}, None, True),
    "CorrelationFilter": ({"threshold": 0.3}, None, True),
    "CoxPH": ({}, "survival", False),
    "DropConstant": ({}, None, True),
    "DropDuplicates": ({}, None, True),
    "ElasticNetCox": ({"cv": 3, "n_lambda": 20, **COMMON}, "survival", False),
    "ExtraSurvivalTrees": ({"n_estimators": 3, **COMMON}, "survival", False),
    "FineGray": ({}, "survival", False),
    "FirthCox": ({}, "survival", False),
    "GradientBoostingCox": ({"n_estimators": 3, **COMMON}, "survival", False),
    "ICCFilter": ({"threshold": 0.5}, None, True),
    "Imputer": ({"strategy": "knn"}, None, True),
    "KappaFilter": ({"threshold": 0.1}, None, True),
    "LandmarkCox": ({"landmarks": (0.0, 100.0)}, "survival", False),
    "LassoCox": ({"cv": 3, "n_lambda": 20, **COMMON}, "survival", False),
    "LassoCoxSelector": ({}, "survival", False),
    "LassoLogistic": ({"cv": 3, "n_lambda": 20, **COMMON}, "binary", False),
    "Logistic": ({}, "binary", False),
    "MRMR": ({"k": 3}, "survival", True),
    "MeanPoolCox": ({"cv": 3, **COMMON}, "survival", False),
    "MedianCut": ({}, None, True),
    "MedianImputer": ({}, None, False),
    "OptimalCut": ({}, "survival", True),
    "ParametricAFT": ({}, "survival", False),
    "RandomSurvivalForest": ({"n_estimators": 3, **COMMON}, "survival", False),
    "RegionScores": ({"cv": 3, **COMMON}, "survival", False),
    "RestrictedCubicSpline": ({}, None, True),
    "RidgeCox": ({"cv": 3, "n_lambda": 20, **COMMON}, "survival", False),
    "RiskScore": ({"cv": 3, **COMMON}, "survival", False),
    "RobustClip": ({}, None, True),
    "StepwiseCox": ({}, "survival", False),
    "SurvivalSVM": (COMMON, "survival", False),
    "TransformerPool": ({**NET, "heads": 2}, "survival", False),
    "UnivariateCoxFilter": ({"alpha": 0.5}, "survival", True),
    "UnivariateLogisticFilter": ({"alpha": 0.5}, "binary", True),
    "ZScore": ({}, None, True),
}
BAGS = ("AttentionMIL", "MeanPoolCox", "RegionScores", "TransformerPool")
NAMES = sorted(
    {*sarcfeat.transform.__all__, *sarcfeat.estimators.__all__} - {"columns"}
)


def cohort():
    """Return features with a site, and a survival target."""
    rng = np.random.default_rng(5)
    X = pd.DataFrame(rng.normal(size=(N, 8)), index=PATIENTS).add_prefix("r.t1.f")
    X["r.t1.copy"] = X["r.t1.f2"]
    X["site"] = np.where(np.arange(N) % 2, "Lyon", "Bordeaux")
    X.loc[X["site"] == "Lyon", "r.t1.f1"] += 2
    time = rng.exponential(500 * np.exp(-X["r.t1.f0"]))
    return X, make_y(rng.random(N) < 0.7, time)


def readings(X, *, poison=()):
    """Return two readings of each patient; those of `poison` are nonsense."""
    values = X.drop(columns="site")
    rng = np.random.default_rng(6)
    second = values + rng.normal(size=values.shape) * np.linspace(0.1, 2, 9)
    second.loc[list(poison)] = -1e6
    frames = {("A", 1): values, ("B", 1): second}
    stacked = pd.concat(frames, names=["reader", "session", "patient"])
    order = ["patient", "reader", "session"]
    return Readings.from_frame(stacked.reorder_levels(order))


def semantic(frame):
    """Return categories (low, high) in place of numbers, for KappaFilter."""
    features = [name for name in frame.columns if name != "site"]
    return frame.assign(**{n: np.where(frame[n] > 0, "high", "low") for n in features})


def bagged(frame):
    """Return references to bags in place of numbers: three tiles about each patient."""
    values = frame.drop(columns=["site", "r.t1.copy"], errors="ignore")
    around = np.random.default_rng(7).normal(size=(3, values.shape[1])) / 10
    codes = np.array([1, 2, 3], np.uint8)
    bags = [
        BagArray(patient, (row + around).astype(np.float32), None, codes, tuple("CPR"))
        for patient, row in zip(values.index, values.to_numpy(), strict=True)
    ]
    return pd.DataFrame({"cnn.bag": pd.Series(bags, values.index, dtype=object)})


def as_taken(name, frame):
    """Return what a class takes in place of numbers, where it takes no numbers."""
    if name == "KappaFilter":
        return semantic(frame)
    return bagged(frame) if name in BAGS else frame


def make(name, X, *, poison=()):
    """Return an unfitted instance, and the columns of X that it takes."""
    params, _, with_site = SETTINGS[name]
    cls = globals()[name]
    extra = {}
    if name in ("ICCFilter", "KappaFilter"):
        found = readings(X, poison=poison)
        if name == "KappaFilter":
            found = Readings.from_frame(
                (found.load() > 0).replace({True: "h", False: "l"})
            )
        extra = {"readings": found}
    if name == "RiskScore":
        extra = {"estimator": CoxPH()}  # noqa: F405
    if name == "RegionScores":
        extra = {"estimator": MeanPoolCox(cv=2, n_lambda=5)}  # noqa: F405
    if name == "LassoCoxSelector":
        lasso = LassoCox(cv=3, n_lambda=20, random_state=0)  # noqa: F405
        extra = {"estimator": lasso}
    columns = list(X.columns) if with_site else [c for c in X.columns if c != "site"]
    if SETTINGS[name][1]:
        columns.remove("r.t1.copy")
    return cls(**params, **extra), columns


def target(name, y):
    """Return the y that a class is fitted on."""
    kind = SETTINGS[name][1]
    return y["event"].astype(int) if kind == "binary" else y if kind else None


def apply(fitted, X):
    """Return what a fitted step makes of X: predictions, or transformed columns."""
    if hasattr(fitted, "transform"):
        return fitted.transform(X)
    return fitted.predict(X)


def state(item):
    """Return the fitted attributes of an estimator."""
    params = item.get_params(deep=False)
    return {name: value for name, value in vars(item).items() if name not in params}


def differences(a, b, where=""):
    """Yield the paths at which two fitted states are not the same to the last bit."""
    if type(a) is not type(b):
        yield f"{where}: {type(a).__name__} and {type(b).__name__}"
        return
    for kinds, compare in COMPARISONS:
        if isinstance(a, kinds):
            yield from compare(a, b, where)
            return
    if type(a).__name__ == "Tree":
        yield from differences(a.__getstate__(), b.__getstate__(), where)
    elif hasattr(a, "__dict__") and not isinstance(a, FunctionType):
        yield from differences(vars(a), vars(b), where)
    elif a != b and not (a != a and b != b):
        yield f"{where}: {a!r} and {b!r}"


def _nothing(a, b, where):
    return ()


def _tables(a, b, where):
    if not a.equals(b):
        yield where


def _dicts(a, b, where):
    if list(a) != list(b):
        yield f"{where}: other keys"
    for key in a.keys() & b.keys():
        yield from differences(a[key], b[key], f"{where}/{key}")


def _rows(a, b, where):
    if len(a) != len(b):
        yield f"{where}: other length"
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        yield from differences(x, y, f"{where}/{i}")


def _arrays(a, b, where):
    if a.dtype != b.dtype or a.shape != b.shape:
        yield f"{where}: {a.dtype}{a.shape} and {b.dtype}{b.shape}"
    elif a.dtype == object:
        yield from _rows(list(a.ravel()), list(b.ravel()), where)
    elif a.dtype.names:
        # Bytes between the fields are nobody's.
        for name in a.dtype.names:
            yield from _arrays(a[name], b[name], f"{where}/{name}")
    elif a.tobytes() != b.tobytes():
        yield where


COMPARISONS = [
    ((type, np.random.RandomState), _nothing),
    ((pd.DataFrame, pd.Series, pd.Index), _tables),
    (np.ndarray, _arrays),
    (dict, _dicts),
    ((list, tuple), _rows),
]
