"""The comparison on TCGA-SARC: its mapping, and every number from what was kept."""

import json
import warnings
from argparse import Namespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import nomograms_tcga_sarc as benchmark
from benchmarks.tcga_sarc import COPY_NUMBER, IMMUNE, load_study, make_study
from benchmarks.tcga_sarc_mapping import (
    HISTOLOGIES,
    PLACES,
    PRECEDENCE,
    SITES,
    histology_level,
    outside_population,
    site_level,
)
from benchmarks.tcga_sarc_models import (
    PUBLISHED,
    RECALIBRATED,
    SARCULATOR,
    compared_pairs,
    tcga_models,
)
from sarcfeat.evaluate import null_test
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.metrics import concordance, resampled_slope
from sarcfeat.nomogram import MSKCC2002

pytestmark = pytest.mark.filterwarnings(
    "ignore::sarcfeat.exceptions.SarcfeatWarning",
)
LASSO = "LASSO-Cox: clinical"
CHOSEN = (PUBLISHED, RECALIBRATED, SARCULATOR)


def stand_in(n=90, seed=0, effect=1.0):
    """Return a study of simulated patients in the words of TCGA-SARC."""
    rng = np.random.default_rng(seed)
    index = pd.Index([f"TCGA-XX-{i:04}" for i in range(n)], name="patient")
    patients = pd.DataFrame(
        {
            "age": rng.integers(20, 90, n).astype(float),
            "female": rng.integers(0, 2, n),
            "size_cm": rng.gamma(3, 4, n),
            "deep": rng.choice([1.0, 1.0, 0.0, np.nan], n),
            "grade": rng.integers(1, 4, n),
            "multifocal": rng.choice([0.0, 0.0, 1.0, np.nan], n),
            "margin": rng.choice(["R0", "R0", "R1", "R2", None], n),
        },
        index=index,
    )
    patients.loc[index[:2], "size_cm"] = np.nan
    risk = effect * (patients["size_cm"].fillna(12) / 10 + patients["grade"])
    time = rng.exponential(30000 * np.exp(-risk)) + 1
    stop = rng.uniform(100, 3000, n)
    outcome = pd.DataFrame(
        {"time": np.minimum(time, stop), "event": (time <= stop).astype(int)},
        index=index,
    )
    sites = pd.Series(rng.choice(list(SITES), n), index, dtype=object)
    sites.iloc[0] = np.nan
    codes = pd.Series(rng.choice(["DDLPS", "UPS", "STLMS", "ULMS", "SS"], n), index)
    genes = [*COPY_NUMBER, *IMMUNE]
    molecular = pd.DataFrame(rng.normal(size=(n, len(genes))), index, genes)
    return make_study(
        patients,
        outcome,
        sites=sites,
        codes=codes,
        molecular=molecular,
        sarcoma=outcome["event"].where(outcome.index != index[3]),
    )


@pytest.fixture(scope="module")
def study():
    return stand_in()


def chosen(names=CHOSEN, **settings):
    """Return some of the models."""
    models = tcga_models(trees=10, **settings)
    return {name: models[name] for name in names}


def pairs(against):
    return [(SARCULATOR, against), (RECALIBRATED, PUBLISHED)]


@pytest.fixture(scope="module")
def compared(study):
    with warnings.catch_warnings():
        # A fixture is not under the filters of the tests.
        warnings.simplefilter("ignore", SarcfeatWarning)
        return benchmark.compare_nomograms(
            study,
            chosen(),
            pairs=pairs,
            at=900.0,
            n_splits=3,
            n_repeats=2,
            n_bootstrap=40,
            n_jobs=1,
            progress=False,
        )


def test_every_row_of_the_mapping_is_a_level_of_the_nomogram():
    levels = MSKCC2002.effects
    assert {row[0] for row in SITES.values()} <= set(levels["location"])
    assert {row[0] for row in HISTOLOGIES.values()} <= set(levels["histology"])
    assert set(PRECEDENCE) == set(PLACES) == set(levels["location"])


def test_several_parts_give_one_level_and_missing_stays_missing():
    sites = pd.Series(
        {
            "A": "Retroperitoneum/Upper abdominal - Kidney|"
            "Retroperitoneum/Upper abdominal - Retroperitoneum",
            "B": "Gynecological - Uterus|Gynecological - Cervix",
            "C": "Superficial Trunk - Buttock",
            "D": np.nan,
        }
    )
    found = site_level(sites)
    assert found.tolist()[:3] == [
        *("retro-intra-abdominal", "visceral", "lower extremity")
    ]
    assert pd.isna(found["D"])


def test_a_word_that_is_not_in_the_table_is_named():
    site = pd.Series({"TCGA-1": "Lower Extremity - Thigh/kne"})
    with pytest.raises(InvalidInput, match=r"TCGA-1.*kne'.*Thigh/knee"):
        site_level(site)
    with pytest.raises(InvalidInput, match=r"TCGA-2.*'ASPS' is not in the table"):
        histology_level(pd.Series({"TCGA-2": "ASPS"}))


def test_who_is_outside_the_population_is_marked_with_every_reason():
    index = ["uterus", "thigh", "left", "child"]
    found = outside_population(
        pd.Series(
            ["Gynecological - Uterus"] + ["Lower Extremity - Thigh/knee"] * 3, index
        ),
        pd.Series(["ULMS", "UPS", "UPS", "SS"], index),
        pd.Series(["R2", "R0", "R2", None], index),
        pd.Series([60, 60, 60, 15], index),
    )
    assert "gynaecological" in found["uterus"]
    assert "(R2)" in found["uterus"]
    assert found["thigh"] == ""
    assert found["left"] == "macroscopic tumour left behind (R2)"
    assert "younger than 16" in found["child"]


def test_the_mapping_holds_every_word_of_the_real_table(real_data):
    study = load_study(real_data)
    events = int(study.y["event"].sum())
    assert (len(study.X), events) == (137, 52)
    by_input = study.mapping.groupby("input")["patients"].sum()
    assert by_input["histology"] == 137
    assert by_input["site"] >= 136
    assert study.X["clinical.location"].isna().sum() == 1
    assert (~study.inside).sum() == 23
    uterine = study.X["clinical.histology"].eq("leiomyosarcoma")
    uterine &= study.X["clinical.group"].str.startswith("gynaecological")
    assert uterine.sum() == 19
    assert (study.outside[uterine] != "").all()
    missing = study.missing().set_index("input")["patients"].to_dict()
    assert missing == {
        "clinical.size": 4,
        "clinical.deep": 14,
        "clinical.multifocal": 11,
        "clinical.margin": 12,
        "clinical.location": 1,
    }
    # A column of the source whose meaning is not told is no predictor.
    assert not [name for name in study.X.columns if name.endswith(".Y")]


def test_the_published_formula_is_fitted_to_nobody(study, compared):
    """Patients without a missing input have the formula's risk in every repeat."""
    risk, _ = compared.result.arrays(PUBLISHED)
    needed = study.X[
        [f"clinical.{n}" for n in ("age", "size", "grade", "deep", "location")]
    ]
    complete = needed.notna().all(axis=1).to_numpy()
    assert 30 < complete.sum() < len(complete)
    direct = tcga_models()[PUBLISHED][-1].fit(study.X).predict(study.X[complete])
    for one in risk:
        assert np.allclose(one[complete], direct, rtol=1e-12)


def test_every_number_is_recomputed_from_the_kept_predictions(compared):
    kept, outcome = compared.result.predictions, compared.result.outcome
    measures = compared.measures.set_index(["model", "metric"])["value"]
    for model in CHOSEN:
        repeats = []
        for _, rows in kept[kept["model"] == model].groupby("repeat"):
            found = [
                concordance(
                    outcome.loc[fold["patient"], "event"],
                    outcome.loc[fold["patient"], "time"],
                    fold["risk"],
                )
                for _, fold in rows.groupby("fold")
            ]
            repeats.append(
                np.average(
                    [f.c_index for f in found], weights=[f.n_comparable for f in found]
                )
            )
        assert measures[(model, "harrell_c")] == pytest.approx(np.mean(repeats))
    boot = compared.differences.query("test == 'paired bootstrap'")
    for row in boot.dropna(subset=["delta"]).itertuples():
        gap = measures[(row.a, row.metric)] - measures[(row.b, row.metric)]
        assert row.delta == pytest.approx(gap)
    risk, _ = compared.result.arrays(PUBLISHED)
    ones = np.ones((1, len(outcome)))
    slopes = [
        resampled_slope(outcome["event"], outcome["time"], 1 - one, ones)
        for one in risk
    ]
    assert measures[(PUBLISHED, "calibration_slope")] == pytest.approx(np.mean(slopes))


def test_what_a_published_formula_cannot_give_is_said(compared):
    rows = compared.measures[compared.measures["model"] == PUBLISHED]
    empty = rows[rows["value"].isna()]
    assert set(empty["metric"]) == {"ibs", "net_benefit"}
    assert (empty["how"] == "the nomogram gives its probability at 12 years only").all()
    refit = compared.measures[compared.measures["model"] == RECALIBRATED]
    assert refit["value"].notna().all()


def test_few_events_per_variable_are_said_in_both_tables(study, compared):
    events = int(study.y["event"].sum())
    measures = compared.measures.drop_duplicates("model").set_index("model")
    assert measures.loc[RECALIBRATED, "events_per_variable"] == events
    assert measures.loc[RECALIBRATED, "caution"] == ""
    assert measures.loc[PUBLISHED, "caution"] == ""
    assert measures.loc[SARCULATOR, "events_per_variable"] < 10
    assert "fewer than 10" in measures.loc[SARCULATOR, "caution"]
    against = compared.differences.query("a == @SARCULATOR")
    assert against["caution"].str.contains("fewer than 10").all()


def test_recalibration_changes_no_order(compared):
    rows = compared.differences.query("a == @RECALIBRATED and metric == 'harrell_c'")
    assert (rows["delta"].abs() < 1e-12).all()


def test_a_permuted_outcome_is_predicted_by_nobody(study):
    found = null_test(
        chosen()[SARCULATOR],
        study.X,
        study.y,
        n_permutations=4,
        n_splits=3,
        random_state=1,
        progress=False,
    )
    assert abs(found.mean - 0.5) < 0.06
    assert found.passed


def test_the_comparisons_name_models_that_are_there():
    names = set(tcga_models())
    assert len(names) == 13
    for against in (PUBLISHED, RECALIBRATED):
        for a, b in compared_pairs(against):
            assert {a, b} <= names


@pytest.fixture
def few(monkeypatch, study):
    """Make a run short: three models, the simulated patients."""
    monkeypatch.setattr(benchmark, "load_study", lambda: study)
    monkeypatch.setattr(benchmark, "tcga_models", lambda **settings: chosen())
    monkeypatch.setattr(benchmark, "compared_pairs", pairs)
    monkeypatch.setattr(benchmark, "NULL_MODEL", SARCULATOR)
    monkeypatch.setattr(benchmark, "AT", 900.0)
    monkeypatch.setattr(benchmark, "N_JOBS", 1)
    size = {"trees": 10, "repeats": 1, "bootstrap": 30, "permutations": 2}
    monkeypatch.setattr(benchmark, "QUICK", size)


def test_a_run_prints_and_keeps_everything(few, study, tmp_path, capsys):
    out = tmp_path / "nomograms_tcga_sarc.json"
    benchmark.run(Namespace(quick=True, seed=0, json=out))
    printed = capsys.readouterr().out
    assert "Overall survival" in printed
    assert "12 years" in printed
    assert "Fewer than 10 events per variable: Sarculator" in printed
    assert "p_holm" in printed
    assert "null test" in printed
    held = json.loads(out.read_text())
    assert set(held["groups"]) == {"all patients", "MSKCC's population"}
    everybody = held["groups"]["all patients"]
    assert everybody["cohort"]["n"] == len(study.X)
    assert held["groups"]["MSKCC's population"]["cohort"]["n"] == study.inside.sum()
    models = {row["name"]: row for row in everybody["models"]}
    assert models[RECALIBRATED]["ibs_low"] < models[RECALIBRATED]["ibs"]
    assert models[PUBLISHED]["ibs"] is None
    assert "fewer than 10" in models[SARCULATOR]["caution"]
    tests = {row["test"] for row in everybody["differences"]}
    assert tests >= {"paired bootstrap", "analytic", "corrected resampled t", "DeLong"}
    assert everybody["sarcoma_death"]["n"] == len(study.X) - 1
    assert [row["df"] for row in held["added_value"]] == [23, 7]
    assert all("fewer than 10" in row["caution"] for row in held["added_value"][:1])
    assert sum(row["patients"] for row in held["missing"]) > 10
    assert (tmp_path / "nomograms_tcga_sarc.png").stat().st_size > 10_000
    assert (tmp_path / "nomograms_tcga_sarc_inside.png").exists()
    # No patient by name in what is kept.
    assert "TCGA-XX-" not in out.read_text()


@pytest.mark.slow
def test_real_patients_are_predicted_as_others_were(real_data):
    """About 0.65 from clinical variables; near 0.9 something would have leaked."""
    found = benchmark.compare_nomograms(
        load_study(real_data),
        chosen((*CHOSEN, LASSO)),
        pairs=pairs,
        at=benchmark.AT,
        n_repeats=2,
        n_bootstrap=50,
        n_jobs=1,
    )
    c = found.measures.query("metric == 'harrell_c'").set_index("model")["value"]
    assert c.between(0.55, 0.8).all()
    assert c[PUBLISHED] == pytest.approx(0.64, abs=0.03)
