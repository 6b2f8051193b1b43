"""Optimism and .632+: against hand loops and the published rule."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone

from sarcfeat import CoxPH, make_y
from sarcfeat.evaluate import bootstrap_632plus, optimism_corrected, plus_632
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import bootstrap_optimism, concordance
from sarcfeat.survival import SurvivalMixin

BOOT = {"n_bootstrap": 25, "random_state": 4, "progress": False}


class Nearest(SurvivalMixin, BaseEstimator):
    """Remember every patient: perfect on those it saw, noise on the others."""

    def fit(self, X, y):
        self.known_ = {tuple(row): -t for row, t in zip(X, y["time"], strict=True)}
        self.mean_ = -float(y["time"].mean())
        return self

    def predict(self, X):
        noise = np.sin(1e4 * X[:, 0])
        return np.array(
            [
                self.known_.get(tuple(x), self.mean_ + e)
                for x, e in zip(X, noise, strict=True)
            ]
        )


@pytest.fixture
def small(cohort):
    X, y = cohort
    return X.to_numpy()[:, :3], y


def test_optimism_is_that_of_a_hand_loop(small):
    X, y = small

    def measure(rows):
        model = CoxPH().fit(X[rows], y[rows])
        return tuple(
            {
                "harrell_c": concordance(
                    part["event"], part["time"], model.predict(Z)
                ).c_index
            }
            for Z, part in ((X[rows], y[rows]), (X, y))
        )

    known = bootstrap_optimism(measure, len(y), n_bootstrap=25, random_state=4)
    found = optimism_corrected(CoxPH(), X, y, **BOOT)
    for column in ("apparent", "training", "test", "optimism", "corrected", "n"):
        assert found.loc["harrell_c", column] == pytest.approx(
            known.loc["harrell_c", column], rel=1e-12
        )
    row = found.loc["harrell_c"]
    assert row["ci_low"] < row["corrected"] < row["ci_high"]


def test_out_of_bag_is_that_of_a_hand_loop(small):
    X, y = small
    rng = np.random.default_rng(4)
    outside = []
    for _ in range(25):
        rows = rng.integers(0, len(y), len(y))
        left = np.setdiff1d(np.arange(len(y)), rows)
        risk = clone(CoxPH()).fit(X[rows], y[rows]).predict(X[left])
        outside.append(concordance(y["event"][left], y["time"][left], risk).c_index)
    found = bootstrap_632plus(CoxPH(), X, y, **BOOT)
    assert found.out_of_bag == pytest.approx(np.mean(outside), rel=1e-12)
    assert (
        found.apparent
        == concordance(y["event"], y["time"], CoxPH().fit(X, y).predict(X)).c_index
    )
    assert found.n == 25
    assert found.c_index == plus_632(found.apparent, found.out_of_bag)[0]
    assert found.ci_low < found.c_index < found.ci_high


@pytest.mark.parametrize(
    ("apparent", "outside", "expected"),
    [
        # Efron & Tibshirani 1997, section 1: a nearest neighbour of pure noise.
        ((1.0), 0.5, (0.5, 1.0, 1.0)),
        # No overfitting: the plain .632.
        (0.7, 0.7, (0.7, 0.0, 0.632)),
        # Halfway, R = 0.25 / 0.5: weight .632 / (1 - .184) = .7745.
        (1.0, 0.75, (1 - 0.632 / 0.816 * 0.25, 0.5, 0.632 / 0.816)),
        # Worse than chance outside counts as chance.
        (0.9, 0.4, (0.5, 1.0, 1.0)),
        # Better outside than inside is no overfitting.
        (0.6, 0.65, (0.368 * 0.6 + 0.632 * 0.65, 0.0, 0.632)),
    ],
)
def test_the_rule_of_efron_and_tibshirani(apparent, outside, expected):
    assert plus_632(apparent, outside) == pytest.approx(expected, rel=1e-12)


def test_the_two_forms_of_the_published_rule_agree():
    """Their equation 32: .632 error plus (Err1' - err) .368 .632 R / (1 - .368 R)."""
    for apparent, outside in [(0.95, 0.6), (0.8, 0.7), (0.7, 0.55)]:
        value, rate, _ = plus_632(apparent, outside)
        error, other = 1 - apparent, 1 - outside
        plain = 0.368 * error + 0.632 * other
        more = (other - error) * 0.368 * 0.632 * rate / (1 - 0.368 * rate)
        assert 1 - value == pytest.approx(plain + more, rel=1e-12)


def test_a_model_that_remembers_is_seen_through():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(100, 1))
    y = make_y(rng.random(100) < 0.7, rng.exponential(size=100))
    found = bootstrap_632plus(Nearest(), X, y, n_bootstrap=40, random_state=0)
    assert found.apparent == 1.0
    assert found.plain_632 > 0.65
    assert abs(found.c_index - 0.5) < 0.05
    assert found.relative_overfitting > 0.9


def test_nothing_to_learn_is_corrected_to_chance():
    rows = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(80, 6))
        y = make_y(rng.random(80) < 0.6, rng.exponential(size=80))
        table = optimism_corrected(
            CoxPH(), X, y, n_bootstrap=12, random_state=seed, progress=False
        )
        rows.append(table.loc["harrell_c"])
    mean = pd.DataFrame(rows).mean()
    assert mean["apparent"] > 0.57
    assert abs(mean["corrected"] - 0.5) < 0.04


def test_measures_by_a_horizon_are_corrected_too(small):
    X, y = small
    table = optimism_corrected(CoxPH(), X, y, at=365, **BOOT)
    assert table.index.tolist() == [
        *("harrell_c", "uno_c", "tdauc", "ibs", "calibration_slope")
    ]
    assert table.loc["calibration_slope", "apparent"] == pytest.approx(1, abs=1e-3)
    slope = table.loc["calibration_slope"]
    assert slope["corrected"] < 1
    assert slope["ci_low"] < slope["corrected"] - 0.05
    assert slope["ci_high"] > slope["corrected"] + 0.05
    assert table.loc["ibs", "optimism"] < 0
    assert (table["n"] == 25).all()
    ranks = optimism_corrected(Nearest(), X, y, at=365, **BOOT)
    assert ranks.loc[["ibs", "calibration_slope"], "corrected"].isna().all()
    assert (ranks.loc[["ibs", "calibration_slope"], "n"] == 0).all()


def test_same_bits_for_any_n_jobs(small):
    X, y = small
    few = {**BOOT, "n_bootstrap": 6}
    one, two = (
        optimism_corrected(CoxPH(), X, y, n_jobs=jobs, **few) for jobs in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    one, two = (bootstrap_632plus(CoxPH(), X, y, n_jobs=jobs, **few) for jobs in (1, 2))
    assert one == two


def test_what_cannot_be_done_is_refused(small):
    X, y = small
    with pytest.raises(InvalidInput, match="n_bootstrap must be 1 or more; got 0"):
        bootstrap_632plus(CoxPH(), X, y, n_bootstrap=0)
    with pytest.raises(InvalidInput, match="horizon 99999 must lie within"):
        optimism_corrected(CoxPH(), X, y, at=99999)


@pytest.mark.slow
def test_optimism_is_that_of_rms_on_the_veterans():
    """R: rms::validate(cph(...), B=300), seed 1; both are random beyond 0.01."""
    from sksurv.datasets import load_veterans_lung_cancer

    table, y = load_veterans_lung_cancer()
    cell = table["Celltype"].astype(str)
    X = pd.DataFrame(
        {
            "age": table["Age_in_years"],
            "karno": table["Karnofsky_score"],
            "trt": (table["Treatment"].astype(str) == "test").astype(float),
            **{level: (cell == level).astype(float) for level in sorted(set(cell))[:3]},
        }
    )
    y = make_y(y["Status"], y["Survival_in_days"])
    found = optimism_corrected(
        CoxPH(), X, y, at=180, n_bootstrap=300, random_state=0, progress=False
    )
    dxy = 2 * found.loc["harrell_c"] - 1
    assert dxy["apparent"] == pytest.approx(0.47682871, abs=1e-8)
    assert dxy["training"] == pytest.approx(0.48438553, abs=0.01)
    assert dxy["test"] == pytest.approx(0.45678177, abs=0.01)
    assert dxy["corrected"] == pytest.approx(0.44922495, abs=0.01)
    slope = found.loc["calibration_slope"]
    assert slope["apparent"] == pytest.approx(1.0, abs=1e-6)
    assert slope["corrected"] == pytest.approx(0.8775742, abs=0.02)
