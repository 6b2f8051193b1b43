"""Michot 2025: attention over the tiles of tumour regions, and the paper's tables.

Slides → tiles of the regions C, P and R → features of a net → five attention models
(DL-C, DL-P, DL-R, DL-CP, DL-CPR) fitted on the training cohort → univariable and
multivariable survival in training and two validation cohorts.

Unlike the paper's, the scores of training patients are those of models that have not
seen them; ``--in-sample`` gives the paper's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from pipelines.study import COHORTS, Options, Study, choose_cohort, fill, split
from sarcfeat import CoxPH, FeatureStore, make_y, plots
from sarcfeat.datasets import Cohort, make_slides
from sarcfeat.encoders import SlideTiles
from sarcfeat.estimators import AttentionMIL, RegionScores
from sarcfeat.evaluate import (
    associations,
    attention_table,
    cox_table,
    external_validation,
    extreme_tiles,
    prognostic_table,
    review_form,
    table_one,
    tune,
)
from sarcfeat.exceptions import SarcfeatWarning
from sarcfeat.io import open_slide
from sarcfeat.transform import Categories

__all__ = ["run"]

SCORES = ("DL-C", "DL-P", "DL-R", "DL-CP", "DL-CPR")
ENDPOINTS = ("mfs", "lfs", "os")
FIVE_YEARS = 1826.0
# Table 3: what stands in every multivariable model beside the score.
ADJUSTED = ("size_mm", "age", "histology", "chemotherapy", "radiotherapy")
REFERENCE = {"histology": "myxoid/round cell liposarcoma", "depth": "superficial"}
SPACE = {
    "width": [64, 128, 256],
    "lr": [3e-4, 1e-3, 3e-3],
    "dropout": [0.1, 0.25, 0.5],
}


def simulate(options: Options) -> Callable[[Path], Cohort]:
    """Return what draws the patients and slides of a simulated run."""
    n, size, slides = (120, 1024, 1) if options.quick else (308, 2048, 2)

    def draw(folder: Path) -> Cohort:
        root = folder / f"slides-n{n}-px{size}-seed{options.seed}"
        return make_slides(n, options.seed, root, slides=slides, size=size, n_jobs=2)

    return draw


def encoder(options: Options) -> SlideTiles:
    """Return the paper's encoder; a small one for a quick run."""
    if not options.weights and (options.quick or options.cohort == "simulated"):
        return SlideTiles("random", net="resnet18", size=112, name="tiles")
    return SlideTiles(options.weights, net="resnet50", name="tiles")


def region_scores(
    options: Options, X: pd.DataFrame, y: Any, train: Any, study: Study
) -> tuple[pd.DataFrame, pd.DataFrame, RegionScores]:
    """Fit the five models on the training cohort; return scores and groups of all."""
    net = AttentionMIL(
        width=64 if options.quick else 128,
        epochs=30 if options.quick else 100,
        n_tiles=500 if options.quick else 10_000,
        random_state=options.seed,
    )
    if options.trials:
        found = tune(
            net.set_params(regions=("C", "P")),
            SPACE,
            X[train],
            y[train],
            n_trials=options.trials,
            random_state=options.seed,
        )
        study.summary.append(
            f"Hyper-parameters by {options.trials} trials among the "
            f"training patients: {found.best_params}."
        )
        net = net.set_params(**found.best_params)
    model = RegionScores(
        estimator=net,
        cv=None if options.in_sample else 5,
        n_jobs=2,
        random_state=options.seed,
    )
    parts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SarcfeatWarning)
        parts.append(model.fit_transform(X[train], y[train]))
        if (~train).any():
            parts.append(model.transform(X[~train]))
    study.warnings += list(dict.fromkeys(str(one.message) for one in caught))
    scores = pd.concat(parts).loc[X.index]
    scores.columns = list(SCORES)
    groups = pd.DataFrame(index=X.index)
    high = model.high(pd.concat(parts).loc[X.index])
    for place, name in enumerate(SCORES):
        words = high.iloc[:, place].map({0.0: "low", 1.0: "high"})
        groups[name] = pd.Categorical(words, ["low", "high"])
    return scores, groups, model


def multivariable(
    groups: pd.DataFrame, data: pd.DataFrame, reference: dict[str, str]
) -> dict[str, tuple[Any, list[str]]]:
    """Return a Cox model for each score, and one for the grade (I against II, III)."""
    beside = [name for name in ADJUSTED if name in data]
    models: dict[str, tuple[Any, list[str]]] = {}
    for name in [*groups.columns, *(["grade II-III"] if "grade" in data else [])]:
        used = [*beside, name]
        chosen = ColumnTransformer(
            [("kept", "passthrough", used)], verbose_feature_names_out=False
        ).set_output(transform="pandas")
        # A histotype that no training patient had counts to the reference.
        coder = Categories(_of(reference, used), unseen="reference")
        models[name] = (make_pipeline(chosen, coder, CoxPH()), used)
    return models


def _of(reference: dict[str, str], names: list[str]) -> dict[str, str]:
    return {name: word for name, word in reference.items() if name in names}


def run(options: Options, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Run the whole system; return what ``results.json`` holds."""
    study = Study(options, say)
    options.out.mkdir(parents=True, exist_ok=True)
    cohort = choose_cohort(options, simulate(options))
    say(str(cohort))
    net = encoder(options)
    name = (
        Path(options.cohort).name
        if options.cohort != "simulated"
        else (f"slides-n{len(cohort.patients)}-seed{options.seed}")
    )
    with FeatureStore(options.store / f"region_mil-{name}", network=True) as store:
        fill(store, cohort, needs="slides")
        report = store.encode(net, cohort=cohort.name)
        say(str(report).splitlines()[0])
        counts = store.tile_counts(cohort.name)
        matrix = store.matrix(cohort.name, features=[net.name])
    endpoint = "mfs" if "mfs" in cohort.outcomes else next(iter(cohort.outcomes))
    X, data, outcomes = _aligned(cohort, matrix.X, endpoint)
    where = split(
        cohort.patients.loc[X.index], outcomes[endpoint]["event"], options.seed
    )
    y = _target(outcomes[endpoint])
    train = (where == COHORTS[0]).to_numpy()
    study.warnings += [str(note) for note in net.notes]
    study.warnings += [str(row.reason) for row in report.failures.itertuples()]
    study.summary += [*cohort.notes, _how(options)]

    scores, groups, model = region_scores(options, X, y, train, study)
    _describe(study, data, where, counts)
    _univariable(study, groups, data, outcomes, where)
    found = _multivariable(study, groups, data, y, where)
    _relations(study, scores, data)
    _grade_two(study, groups, data, outcomes, where)
    _looked_at(study, model.models_["DL-CP"], X, scores["DL-CP"], where, cohort, net)
    scores.assign(cohort=where).join(groups.add_suffix(" group")).to_csv(
        options.out / "scores.csv"
    )
    held = found.table[found.table["how"] == "external"]
    return study.write(
        "Michot 2025: attention-MIL on slide regions",
        cohort={
            "name": cohort.name,
            "n": len(X),
            "events": int(y["event"].sum()),
            "sites": int(cohort.patients.loc[X.index, "site"].nunique()),
            "dropped": cohort.dropped.to_dict("records"),
        },
        endpoint=endpoint,
        models=held.assign(name=held["model"] + ", " + held["cohort"], how="external")[
            ["name", "c_index", "ci_low", "ci_high", "how", "calibration_slope"]
        ],
        differences=found.differences,
        units={
            "encoded": report.encoded,
            "skipped": report.skipped,
            "failed": report.failed,
        },
        matrix_id=matrix.matrix_id,
        cuts=model.cuts_.to_dict(),
    )


def _how(options: Options) -> str:
    if options.in_sample:
        return (
            "Training patients are scored by the models that have seen them, as "
            "published: their figures are too good to be true."
        )
    return (
        "Scores of training patients are out of fold; the models of the validation "
        "cohorts were fitted on all training patients."
    )


def _target(outcome: pd.DataFrame) -> Any:
    """Return the target with competing events censored, as in the paper."""
    return make_y(outcome["event"] == 1, outcome["time"], zero="keep")


def _aligned(
    cohort: Cohort, X: pd.DataFrame, endpoint: str
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return bags, covariates and outcomes of the patients who have both ends."""
    bag = next(name for name in X.columns if name.endswith(".bag"))
    known = cohort.outcomes[endpoint].dropna().index
    X = X.loc[X[bag].notna() & X.index.isin(known), [bag]]
    described = ("description", "date")
    kept = [
        name
        for name in cohort.patients.columns
        if name != "site" and cohort.roles.get(name) not in described
    ]
    data = cohort.patients.loc[X.index, kept].copy()
    for column in data.select_dtypes("number"):
        if set(data[column].dropna()) <= {0, 1}:
            words = data[column].map({0: "no", 1: "yes"})
            data[column] = pd.Categorical(words, ["no", "yes"])
    if "grade" in data:
        data["grade"] = data["grade"].map({1: "I", 2: "II", 3: "III"})
        beyond = data["grade"].map({"I": "no", "II": "yes", "III": "yes"})
        data["grade II-III"] = pd.Categorical(beyond, ["no", "yes"])
    outcomes = {
        e: cohort.outcomes[e].reindex(X.index)
        for e in ENDPOINTS
        if e in cohort.outcomes
    }
    return X, data, outcomes


def _describe(
    study: Study, data: pd.DataFrame, where: pd.Series[Any], counts: pd.DataFrame
) -> None:
    shown = data.drop(columns="grade II-III", errors="ignore")
    study.table(
        "Patients", "Table 1", table_one(shown.assign(cohort=where), by="cohort")
    )
    tiles = counts[counts["group"].isin(["A", "B"])]
    per = tiles.groupby(["patient", "region"])["tiles"].sum().unstack(fill_value=0)
    mean = per.agg(["mean", "min", "max"]).T.rename_axis("region").reset_index()
    study.table("Patients", "Tiles a patient (tissue above 10 %)", mean)


def _univariable(
    study: Study,
    groups: pd.DataFrame,
    data: pd.DataFrame,
    outcomes: dict[str, pd.DataFrame],
    where: pd.Series[Any],
) -> None:
    variables = groups.join(data.drop(columns="grade II-III", errors="ignore"))
    found = prognostic_table(
        variables, outcomes, time=FIVE_YEARS, cohort=where, reference=REFERENCE
    )
    study.table("Univariable", "Table 2: MFS, LFS and OS", found)
    main = next(iter(outcomes))
    for name in groups:
        axes = plots.cohort_curves(outcomes[main], groups[name], where)
        caption = f"{name}: incidence of {main} above, survival below"
        study.figure("Univariable", f"curves_{name}", axes[0, 0], caption)


def _multivariable(
    study: Study,
    groups: pd.DataFrame,
    data: pd.DataFrame,
    y: Any,
    where: pd.Series[Any],
) -> Any:
    joined = groups.join(data)
    used = [name for name in [*ADJUSTED, *groups, "grade II-III"] if name in joined]
    known = joined[used].notna().all(axis=1).to_numpy()
    train = known & (where == COHORTS[0]).to_numpy()
    there = joined.loc[train].astype(str)
    reference = {
        name: word
        for name, word in REFERENCE.items()
        if name in there and word in set(there[name])
    }
    models = multivariable(groups, data, reference)
    for name, (_, names) in models.items():
        one = cox_table(
            joined.loc[train, names],
            y[train],
            reference=_of(reference, names),
            multivariable=names,
        )
        study.table("Multivariable", f"Table 3: with {name}, training", one)
    lost = int((~known).sum())
    found = external_validation(
        {name: model for name, (model, _) in models.items()},
        joined[known],
        y[known],
        where[known],
        train=COHORTS[0],
        at=FIVE_YEARS,
    )
    notes = [f"{lost} patients lack a covariate or score."] if lost else []
    study.table("Multivariable", "c-index (95 % CI)", found, notes=notes)
    study.table(
        "Multivariable",
        "Differences, 1,000 paired bootstrap resamples",
        found.formatted_differences(),
    )
    study.calibrations("Calibration", found, y[known], where[known], FIVE_YEARS)
    return found


def _relations(study: Study, scores: pd.DataFrame, data: pd.DataFrame) -> None:
    asked = data.columns.intersection(["size_mm", "grade", "histology"], sort=False)
    found = associations(scores, data[asked])
    study.table("Scores", "Scores with size, grade, histotype and one another", found)
    for name in ("grade", "histology"):
        if name in data:
            ax = plots.score_by_group(scores["DL-CP"], data[name], ylabel="DL-CP")
            study.figure("Scores", f"score_by_{name}", ax, f"DL-CP by {name}")


def _grade_two(
    study: Study,
    groups: pd.DataFrame,
    data: pd.DataFrame,
    outcomes: dict[str, pd.DataFrame],
    where: pd.Series[Any],
) -> None:
    """Look at the scores where the grade says least."""
    if "grade" not in data:
        return
    mine = (data["grade"] == "II").to_numpy()
    main = next(iter(outcomes))
    found = prognostic_table(
        groups[mine], {main: outcomes[main]}, time=FIVE_YEARS, cohort=where[mine]
    )
    study.table("Grade II", "Scores within grade II", found)


def _looked_at(
    study: Study,
    model: Any,
    X: pd.DataFrame,
    score: pd.Series[Any],
    where: pd.Series[Any],
    cohort: Cohort,
    net: SlideTiles,
) -> None:
    """Show what DL-CP weighs: maps, sheets, and the pathologist's blinded form."""
    ranked = score.dropna().sort_values()
    paths = cohort.slides.astype({"path": str})
    tiles = attention_table(model, X.loc[ranked.index])
    for word, patient in (("lowest", ranked.index[0]), ("highest", ranked.index[-1])):
        mine = tiles[tiles["patient"] == patient]
        name = mine["slide"].iloc[0]
        row = paths[(paths["patient"] == patient) & (paths["slide"] == name)].iloc[0]
        with open_slide(row["path"]) as slide:
            side = net.size * (net.mpp or slide.mpp) / slide.mpp
            mine = mine[mine["slide"] == name]
            ax = plots.attention_map(slide, mine, tile_px=side)
        study.figure("Tiles", f"attention_{word}", ax, f"DL-CP {word}: attention")
    ends = extreme_tiles(tiles, 10, over="cohort")
    side_um = net.size * (net.mpp or 0.25)
    ax = plots.contact_sheet(ends, paths, tile_um=side_um, over="cohort")
    study.figure("Tiles", "top_and_bottom_tiles", ax, "Most and least weighed tiles")
    least = where[ranked.index].eq(COHORTS[0]).value_counts().min()
    form = review_form(
        tiles,
        ranked,
        where[ranked.index].eq(COHORTS[0]).map({True: "training", False: "validation"}),
        patients=min(5, int(least) // 2),
        tiles=min(50, int(tiles.groupby("patient").size().min())),
        random_state=study.options.seed,
    )
    if not (study.options.out / "review").exists():  # it may be filled in
        form.to_csv(study.options.out / "review", study.options.out / "review_key.csv")
    study.summary.append(
        f"review/ is the form of {form} for a pathologist who does not see scores; "
        "evaluate.review_table reads it back with review_key.csv."
    )
