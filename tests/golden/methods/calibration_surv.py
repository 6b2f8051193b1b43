"""Calibration of survival at a time, and bootstrap validation, against rms."""

import numpy as np
import pandas as pd

from sarcfeat.metrics import bootstrap_optimism, calibration_groups, cox_indices
from sarcfeat.survival import RiskSets, baseline_hazard, fit_cox
from tests.golden.harness import Verdict, disagreement
from tests.golden.resampling import Recorded

RTOL, ATOL = 1e-6, 1e-12
UNREAD = {}
RESAMPLED = 0.03  # of means over 200 random resamples, or what their spread allows


def compute(case):
    data, golden = case.frame(), case.results
    u, g = case.params["u"], case.params["g"]
    event, time = data["event"].to_numpy(bool), data["time"].to_numpy(float)
    X = data.drop(columns=["time", "event", "lp", "pred"]).to_numpy(float)
    predicted = data["pred"].to_numpy(float)
    model = _Model(X, event, time, u)
    table = calibration_groups(event, time, predicted, u, groups=g)
    names = list(golden["validate_rows"])
    measure = Recorded(model.indices)
    validated = bootstrap_optimism(measure, len(time), random_state=0)
    room = measure.room(RESAMPLED)
    validated, room = (
        table.rename(index={"slope": "Slope"}).loc[names] for table in (validated, room)
    )
    m = golden["calibrate_KM"]["m"]
    return {
        "time": u,
        "groupkm": {
            "columns": ["x", "n", "events", "KM", "std.err"],
            "table": table[
                ["predicted", "n", "events", "observed", "std_err"]
            ].to_numpy(float),
        },
        "calibrate_KM": {
            "m": len(time) // g,
            "columns": golden["calibrate_KM"]["columns"],
            "table": _calibrated(model, predicted, m, golden["calibrate_KM"]),
        },
        "validate_columns": [
            "index.orig",
            "training",
            "test",
            "optimism",
            "index.corrected",
            "n",
        ],
        "validate_rows": names,
        "validate": _validated(validated.to_numpy(float), golden["validate"], room),
    }


class _Model:
    def __init__(self, X, event, time, at):
        self.X, self.event, self.time, self.at = X, event, time, at

    def fit(self, rows):
        sets = RiskSets(self.event[rows], self.time[rows])
        fit = fit_cox(self.X[rows], sets)
        survival = baseline_hazard(fit.state).survival([self.at], self.X @ fit.coef)
        return self.X @ fit.coef, survival[:, 0]

    def indices(self, rows):
        lp, _ = self.fit(rows)
        return (
            cox_indices(self.event[rows], self.time[rows], lp[rows], fitted=True),
            cox_indices(self.event, self.time, lp),
        )

    def gaps(self, cuts):
        def measure(rows):
            _, survival = self.fit(rows)
            everybody = np.arange(len(self.time))
            found = [self._gap(r, survival[r], cuts) for r in (rows, everybody)]
            return tuple(dict(enumerate(gap)) for gap in found)

        return measure

    def _gap(self, rows, survival, cuts):
        event, time = self.event[rows], self.time[rows]
        at = min(self.at, time.max())
        table = calibration_groups(event, time, survival, at, cuts=cuts)
        return (table["observed"] - table["predicted"]).to_numpy()


def _calibrated(model, predicted, m, golden):
    """Compare column by column: some are exact, some means over resamples."""
    count = max(1, len(predicted) // m)
    cuts = np.quantile(np.r_[0.0, 1.0, predicted], np.linspace(0, 1, count + 1))
    table = calibration_groups(model.event, model.time, predicted, model.at, cuts=cuts)
    measure = Recorded(model.gaps(cuts))
    optimism = bootstrap_optimism(measure, len(predicted), random_state=0)
    room = measure.room(RESAMPLED)["optimism"].to_numpy()
    theirs = pd.DataFrame(golden["table"], columns=golden["columns"], dtype=float)
    exact = {
        "index.orig": table["observed"] - table["predicted"],
        "mean.predicted": table["predicted"],
        "KM": table["observed"],
        "std.err": table["std_err"],
    }
    resampled = {
        "mean.optimism": optimism["optimism"],
        # Not optimism["corrected"]: risks that are tied may lie on either side of a cut
        # when they are computed anew.
        "mean.corrected": exact["index.orig"].to_numpy() - optimism["optimism"],
        "KM.corrected": table["observed"].to_numpy() - optimism["optimism"],
        # R's are of the last ten resamples only; n is how often a random group could
        # be judged.
        "training": optimism["training"],
        "test": optimism["test"],
    }
    problems = []
    for name, ours in exact.items():
        why = disagreement(list(ours), list(theirs[name]), RTOL, ATOL)
        problems += [f"{name}: {why}"] if why else []
    for name, ours in resampled.items():
        allowed = 0.2 if name in ("training", "test") else room
        why = disagreement(list(ours), list(theirs[name]), 0, allowed)
        problems += [f"{name}: {why}"] if why else []
    return Verdict(not problems, "; ".join(problems))


def _validated(ours, theirs, room):
    """Compare what is apparent exactly, and the means over random resamples."""
    theirs = np.asarray(theirs, dtype=float)
    problems = [
        disagreement(list(ours[:, 0]), list(theirs[:, 0]), RTOL, ATOL),
        disagreement(
            ours[:, 1:5].tolist(), theirs[:, 1:5].tolist(), 0, room.to_numpy()
        ),
        disagreement(list(ours[:, 5]), list(theirs[:, 5]), 0.05, 0),
    ]
    return Verdict(not any(problems), "; ".join(p for p in problems if p))
