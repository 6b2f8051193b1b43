import numpy as np
import pandas as pd
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.nonparametric import kaplan_meier_estimator

from sarcfeat.datasets.population import simulate_population
from sarcfeat.survival import make_y


@pytest.fixture(scope="module")
def large():
    return simulate_population(4000, sites=3, seed=5)


def c_index(population, risk):
    mfs = population.outcomes["mfs"]
    event = (mfs["event"] == 1).to_numpy()
    return concordance_index_censored(event, mfs["time"], np.asarray(risk))[0]


def clinical_c(population):
    """The best linear clinical risk: a Cox model on age, size and grade."""
    mfs = population.outcomes["mfs"]
    X = population.patients[["age", "size_mm", "grade"]].astype(float)
    X = (X - X.mean()) / X.std()
    model = CoxPHSurvivalAnalysis().fit(X, make_y(mfs["event"] == 1, mfs["time"]))
    return c_index(population, model.predict(X))


def test_margins_follow_table_1(large):
    """Crombé 2024, Table 1, all 225 patients."""
    patients = large.patients
    assert patients["age"].mean() == pytest.approx(59.5, abs=0.7)
    assert patients["age"].std() == pytest.approx(16.4, abs=0.5)
    assert patients["age"].between(18, 95).all()
    assert patients["male"].mean() == pytest.approx(0.533, abs=0.01)
    assert patients["size_mm"].mean() == pytest.approx(98.4, abs=2)
    assert patients["size_mm"].std() == pytest.approx(52.3, abs=2)
    assert patients["size_mm"].median() == pytest.approx(87, abs=2)
    assert patients["size_mm"].between(19, 289).all()
    grades = patients["grade"].value_counts(normalize=True).sort_index()
    assert grades.tolist() == pytest.approx([0.135, 0.342, 0.523], abs=0.02)
    assert (patients["histology"] == "UPS").mean() == pytest.approx(0.316, abs=0.01)
    assert (patients["depth"] == "deep").mean() == pytest.approx(0.604, abs=0.01)
    assert (patients["location"] == "lower limb").mean() == pytest.approx(
        0.56, abs=0.01
    )


def test_follow_up_is_that_of_the_papers(large):
    """MFS 78.9 % at 2 and 66.4 % at 5 years; 31 % metastases; some competing deaths."""
    mfs = large.outcomes["mfs"]
    time, survival = kaplan_meier_estimator((mfs["event"] == 1).to_numpy(), mfs["time"])
    at = {years: survival[time <= years * 365.25][-1] for years in (2, 5)}
    assert at[2] == pytest.approx(0.789, abs=0.02)
    assert at[5] == pytest.approx(0.664, abs=0.025)
    assert (mfs["event"] == 1).mean() == pytest.approx(0.311, abs=0.025)
    assert 0.03 < (mfs["event"] == 2).mean() < 0.10
    assert mfs["time"].min() >= 1


@pytest.mark.parametrize("seed", [5, 6])
def test_true_and_clinical_c_index_are_in_their_bands(seed):
    population = simulate_population(4000, sites=3, seed=seed)
    assert 0.75 <= c_index(population, population.truth["true_risk"]) <= 0.80
    assert 0.60 <= c_index(population, population.truth["clinical_risk"]) <= 0.66
    assert 0.60 <= clinical_c(population) <= 0.66


def test_bands_hold_on_average_for_300_patients():
    found = [simulate_population(300, sites=3, seed=seed) for seed in range(12)]
    true = np.mean([c_index(p, p.truth["true_risk"]) for p in found])
    assert 0.75 <= true <= 0.80
    assert 0.60 <= np.mean([clinical_c(p) for p in found]) <= 0.66


def test_imaging_risk_is_a_function_of_the_tissue_alone(large):
    tissue = large.truth[["heterogeneity", "necrosis", "rim"]]
    design = np.column_stack([np.ones(len(tissue)), tissue])
    imaging = large.truth["imaging_risk"].to_numpy()
    fitted = design @ np.linalg.lstsq(design, imaging, rcond=None)[0]
    np.testing.assert_allclose(fitted, imaging, atol=1e-10)
    whole = large.truth["clinical_risk"] + large.truth["imaging_risk"]
    np.testing.assert_allclose(large.truth["true_risk"], whole)


def test_site_does_not_tell_the_risk(large):
    means = large.truth["true_risk"].groupby(large.patients["site"]).mean()
    assert means.max() - means.min() < 0.15 * large.truth["true_risk"].std()
    assert large.patients["site"].value_counts().index[0] == "H1"


def test_death_ends_metastasis_free_survival_only_when_it_comes_first(large):
    mfs, os = large.outcomes["mfs"], large.outcomes["os"]
    died_first = mfs["event"] == 2
    assert (os.loc[died_first, "event"] == 1).all()
    assert (os.loc[died_first, "time"] == mfs.loc[died_first, "time"]).all()
    assert (mfs["time"] <= os["time"]).all()


def test_same_seed_same_patients():
    first, again = (simulate_population(50, sites=2, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.patients, again.patients)
    pd.testing.assert_frame_equal(first.truth, again.truth)
    other = simulate_population(50, sites=2, seed=4)
    assert not first.truth.equals(other.truth)


def test_the_global_random_state_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    simulate_population(20, sites=2, seed=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
