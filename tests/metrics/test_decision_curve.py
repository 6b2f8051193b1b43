import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import (
    decision_curve,
    decision_curve_competing,
    decision_curve_survival,
)
from tests.metrics.test_binary_metrics import scored
from tests.survival.test_competing import competing

CUTS = [0.1, 0.25, 0.4, 0.7]


def theirs(frame, outcome, **kwargs):
    dcurves = pytest.importorskip("dcurves")
    table = dcurves.dca(
        data=frame, outcome=outcome, modelnames=["m"], thresholds=CUTS, **kwargs
    )
    table = table[table["model"] == "m"]
    kept = table["threshold"].round(4).isin(CUTS)
    return table.loc[kept, "net_benefit"].to_numpy(float)


def test_binary_curves_are_those_of_dcurves():
    y, p, _ = scored()
    found = decision_curve(y, {"m": p}, CUTS)
    expected = theirs(pd.DataFrame({"y": y.astype(int), "m": p}), "y")
    ours = found.loc[found["model"] == "m", "net_benefit"]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_survival_curves_are_those_of_dcurves():
    y, p, noisy = scored(200)
    rng = np.random.default_rng(0)
    time = np.ceil(rng.exponential(10 / (0.2 + noisy)) * 4) / 4
    frame = pd.DataFrame({"event": y.astype(int), "time": time, "m": p})
    found = decision_curve_survival(y, time, {"m": p}, 8.0, CUTS)
    expected = theirs(frame, "event", time=8.0, time_to_outcome_col="time")
    ours = found.loc[found["model"] == "m", "net_benefit"]
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_without_censoring_survival_is_binary():
    y, p, _ = scored()
    time = np.where(y, 1.0, 5.0)
    event = np.ones(len(y), bool)
    a = decision_curve(y, {"m": p}, CUTS, n_bootstrap=50, random_state=1)
    b = decision_curve_survival(
        event, time, {"m": p}, 2.0, CUTS, n_bootstrap=50, random_state=1
    )
    pd.testing.assert_frame_equal(a, b)
    model = a[a["model"] == "m"]
    assert (model["ci_low"] <= model["net_benefit"]).all()
    assert (model["ci_high"] >= model["net_benefit"]).all()


def test_one_cause_is_the_survival_curve_and_another_takes_from_it():
    X, status, time = competing(150, seed=3, tied=True)
    risk = 1 / (1 + np.exp(-X[:, 0]))
    one = decision_curve_competing((status > 0).astype(int), time, {"m": risk}, 8, CUTS)
    plain = decision_curve_survival(status > 0, time, {"m": risk}, 8, CUTS)
    pd.testing.assert_frame_equal(one, plain)
    two = decision_curve_competing(status, time, {"m": risk}, 8, CUTS)
    as_censored = decision_curve_survival(status == 1, time, {"m": risk}, 8, CUTS)
    treat_all = two["model"] == "all"
    assert (two.loc[treat_all, "tp_rate"] < as_censored.loc[treat_all, "tp_rate"]).all()


def test_above_every_risk_is_treating_none_and_below_is_treating_all():
    y, p, _ = scored()
    found = decision_curve(y, {"m": p / 2}, [0.001, 0.6]).set_index("model")
    assert found.loc["m", "net_benefit"].iloc[1] == 0
    assert (
        found.loc["m", "net_benefit"].iloc[0] == found.loc["all", "net_benefit"].iloc[0]
    )
    assert found.loc["m", "avoided"].iloc[0] == 0


def test_where_nobody_is_followed_long_enough_it_is_nan_when_strict():
    event, time = [1, 0, 0, 1], [1.0, 2.0, 9.0, 8.0]
    risk = {"m": [0.9, 0.9, 0.1, 0.1]}
    held = decision_curve_survival(event, time, risk, 5.0, [0.5])
    strict = decision_curve_survival(event, time, risk, 5.0, [0.5], extend=False)
    assert np.isfinite(held["net_benefit"]).all()
    assert np.isnan(strict.set_index("model").loc["m", "net_benefit"])


def test_bad_inputs_are_named():
    y, p, _ = scored()
    with pytest.raises(InvalidInput, match="cannot be called 'all'"):
        decision_curve(y, {"all": p})
    with pytest.raises(InvalidInput, match="The risk of 'm' must be a probability"):
        decision_curve(y, {"m": p * 3})
    with pytest.raises(InvalidInput, match=r"both excluded; got 0 to 0\.5"):
        decision_curve(y, {"m": p}, [0, 0.5])
    with pytest.raises(InvalidInput, match="within the follow-up; the last one is 1"):
        decision_curve_survival(y, np.ones(len(y)), {"m": p}, 2)
