"""LassoLogistic against R's glmnet and cv.glmnet, family "binomial".

The same Fortran, at the threshold of the file. Compared with a criterion of its own:

- R's AUC breaks ties between patients at random, ours count one half: where patients of
  a fold are tied (all are, until it has a feature in its model), R's entry of the curve
  is between those of all ties broken badly and well, its standard error within 0.1.
- A chosen lambda is the same one, or one that the curve cannot tell from it.
"""

import warnings

import numpy as np

from sarcfeat.estimators import LassoLogistic
from sarcfeat.exceptions import FewEvents, NothingSelected
from tests.golden.harness import Verdict, several

RTOL, ATOL = 1e-5, 1e-7
UNREAD = {}
TOLERANCE = {
    "*/lambda": (1e-9, 0.0),
    "*/lambda_min": (1e-9, 0.0),
    "*/lambda_1se": (1e-9, 0.0),
    "*/nulldev": (1e-9, 0.0),
    "*/dev_ratio": (1e-6, 1e-9),
    "*/cv/deviance/cvm": (1e-6, 1e-9),
    "*/cv/deviance/cvsd": (1e-5, 1e-9),
    "default_thresh_1e7/*": (1e-3, 1e-3),
}
# With fewer than ten patients a fold R measures the deviance where AUC was asked for.
MEASURES = {
    "Binomial Deviance": "deviance",
    "AUC": "auc",
    "Misclassification Error": "class",
}
TIED = 0.1


class Problem:
    """The data of a case and the models on it."""

    def __init__(self, case):
        data, params = case.frame(), case.params
        self.names = several(params["features"])
        self.X, self.y = data[self.names], data["y"].to_numpy()
        self.fold = data["foldid"].to_numpy()
        self.alpha = params["alpha"]
        self.options = {
            "penalty_factor": several(params["penalty_factor"]),
            "standardize": params["standardize"],
        }

    def fit(self, rows=slice(None), **options):
        model = LassoLogistic(self.alpha, **self.options, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NothingSelected)
            warnings.simplefilter("ignore", FewEvents)
            return model.fit(self.X[rows], self.y[rows])

    def nonzero(self, coef, intercept):
        found = {"(Intercept)": float(intercept)}
        chosen = np.flatnonzero(coef)
        return found | {self.names[j]: float(coef[j]) for j in chosen}

    def tied_pairs(self, lambdas, **options):
        """Return, by lambda, half of how much ties leave open in the AUC curve."""
        half = np.zeros(len(lambdas))
        for k in np.unique(self.fold):
            test = self.fold == k
            part = self.fit(~test, **{**options, "cv": 2, "random_state": 0})
            path = part.coef_path_[:, ::-1]
            coef = [np.interp(lambdas, part.lambdas_[::-1], row) for row in path]
            eta = self.X[test].to_numpy() @ np.array(coef)
            case, control = eta[self.y[test] == 1], eta[self.y[test] == 0]
            ties = np.isclose(case[:, None], control[None], rtol=1e-9, atol=1e-9)
            half += test.mean() * ties.mean(axis=(0, 1)) / 2
        return half


def compute(case):
    problem = Problem(case)
    single = case.results["single_lambda_tight"]
    model = problem.fit(cv=None, lambdas=[single["lambda"]], tol=1e-13)
    found = {"single_lambda_tight": _point(problem, model, single, 0)}
    for key, golden in case.results.items():
        if key != "single_lambda_tight":
            found[key] = _block(problem, golden)
    return found


def _block(problem, golden):
    options = {
        "lambda_min_ratio": golden.get("lambda_min_ratio"),
        "tol": golden.get("thresh", 1e-7),
        "cv": problem.fold,
    }
    models = {
        name: problem.fit(measure=MEASURES[curve["measure"]], **options)
        for name, curve in golden["cv"].items()
    }
    model = next(iter(models.values()))
    return {
        **{key: golden[key] for key in ("thresh", "lambda_min_ratio") if key in golden},
        "lambda": model.lambdas_,
        "df": model.nonzero_,
        "dev_ratio": model.deviance_ratio_,
        "deviance_at_path": model.nulldev_ * (1 - model.deviance_ratio_),
        "nulldev": model.nulldev_,
        "nlambda": len(model.lambdas_),
        "a0": model.intercept_path_,
        "coef_at": [
            {"index0": at["index0"], **_point(problem, model, at, at["index0"])}
            for at in golden["coef_at"]
        ],
        "cv": {
            name: _curve(problem, models[name], curve, options)
            for name, curve in golden["cv"].items()
        },
    }


def _point(problem, model, at, index):
    """Return the coefficients there; one that glmnet has not is a key too many."""
    found = problem.nonzero(model.coef_path_[:, index], model.intercept_path_[index])
    more = set(found) - set(at["nonzero"])
    if more:
        found["(Intercept)"] = Verdict(False, f"selected besides: {sorted(more)}")
    return {"lambda": model.lambdas_[index], "nonzero": found}


def _curve(problem, model, golden, options):
    higher_is_better = golden["measure"] == "AUC"
    half = np.zeros(len(model.lambdas_))
    if higher_is_better:
        half = problem.tied_pairs(model.lambdas_, **options)
    found = {
        "measure": golden["measure"],
        "lambda": model.lambdas_,
        "nzero": model.nonzero_,
        "cvm": _but_for_ties(model.cvm_, golden["cvm"], half),
        "cvsd": _but_for_ties(model.cvsd_, golden["cvsd"], TIED * (half > 0)),
    }
    loss = -model.cvm_ if higher_is_better else model.cvm_
    for rule in ("min", "1se"):
        index = _index(model, rule)
        theirs = golden[f"index0_{rule}"]
        if index != theirs and _as_good(model, loss, half, index, theirs, rule):
            index = theirs
        coef, intercept = model.coef_path_[:, index], model.intercept_path_[index]
        found |= {
            f"index0_{rule}": index,
            f"lambda_{rule}": model.lambdas_[index],
            f"coef_{rule}": problem.nonzero(coef, intercept),
        }
        if rule == "min":
            first = problem.X.to_numpy()[:10] @ coef + intercept
            found["lp_min_first10"] = first
    return found


def _index(model, rule):
    lam = model.lambda_min_ if rule == "min" else model.lambda_1se_
    return int(np.flatnonzero(model.lambdas_ == lam)[0])


def _as_good(model, loss, half, ours, theirs, rule):
    best = _index(model, "min")
    slack = 1e-6 * np.abs(loss).max() + half[ours] + half[theirs]
    if rule == "min":
        return bool(loss[theirs] - loss[ours] <= slack)
    line = loss[best] + model.cvsd_[best]
    slack += half[best] + TIED * (half[best] > 0)
    return bool(abs(loss[min(ours, theirs)] - line) <= 2 * slack)


def _but_for_ties(ours, theirs, half):
    theirs = np.asarray(theirs, dtype=float)
    if len(ours) != len(theirs):
        return Verdict(False, f"ours {len(ours)} entries, golden {len(theirs)}")
    off = np.abs(ours - theirs)
    close = off <= half + 1e-5 * np.abs(theirs) + 1e-9
    worst = int(np.argmax(~close))
    return Verdict(
        bool(close.all()),
        f"{int((~close).sum())} of {len(ours)} differ, the first at {worst}: ours "
        f"{ours[worst]:.10g}, golden {theirs[worst]:.10g}",
    )
