"""Michot 2025: attention over the tiles of tumour regions, and the paper's tables.

Slides → tiles of the regions C, P and R → features of a net → five attention models
(DL-C, DL-P, DL-R, DL-CP, DL-CPR) fitted on the training cohort → univariable and
multivariable survival in training and two validation cohorts.

Unlike the paper's, the scores of training patients are those of models that have not
seen them; ``--in-sample`` gives the paper's.

Of a cohort folder are used: the endpoints ``mfs``, ``lfs`` and ``os`` (the first that
is there trains); of ``patients.csv`` every column, and by their names ``cohort``
(``training`` and any validation cohorts; without it, 70 % of the largest hospital
train), ``grade`` (1–3), ``grade_second`` (another pathologist's: weighted kappa), and
``size_mm``, ``age``, ``histology``, ``chemotherapy``, ``radiotherapy`` beside each
score. The layers, rates and epochs of the paper are in a supplement that is not
public; ``--trials`` searches some.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.patients import TRAINING, annotated, endpoint_of, left_out, split
from pipelines.region_relations import agreement, one_sided, relations
from pipelines.region_tables import (
    Cases,
    cases,
    describe,
    grade_two,
    multivariable,
    univariable,
)
from pipelines.region_tiles import looked_at
from pipelines.study import Options, Study, choose_cohort, fill
from sarcfeat import FeatureStore
from sarcfeat._validation import listed
from sarcfeat.datasets import Cohort, make_slides
from sarcfeat.encoders import SlideTiles, StainNormaliser
from sarcfeat.estimators import AttentionMIL, RegionScores
from sarcfeat.evaluate import tune
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning

__all__ = ["run"]

SCORES = ("DL-C", "DL-P", "DL-R", "DL-CP", "DL-CPR")
REGIONS = ("C", "P", "R")
SPACE = {
    "width": [64, 128, 256],
    "lr": [3e-4, 1e-3, 3e-3],
    "dropout": [0.1, 0.25, 0.5],
}
STAINED = 20  # training slides that the stain is learned from
NAMED = 12  # patients named in a warning


def simulate(options: Options) -> Callable[[Path], Cohort]:
    """Return what draws the patients and slides of a simulated run."""
    n, size, slides = (120, 1024, 1) if options.quick else (308, 2048, 2)

    def draw(folder: Path) -> Cohort:
        root = folder / f"slides-n{n}-px{size}-seed{options.seed}"
        return make_slides(n, options.seed, root, slides=slides, size=size, n_jobs=2)

    return draw


def encoder(options: Options, stain: StainNormaliser | None = None) -> SlideTiles:
    """Return the paper's encoder; a small one for a quick run."""
    if not options.weights and (options.quick or options.cohort == "simulated"):
        small = {"net": "resnet18", "size": 112}
        return SlideTiles("random", stain=stain, name="tiles", **small)
    return SlideTiles(options.weights, net="resnet50", stain=stain, name="tiles")


def normaliser(
    study: Study, cohort: Cohort, where: pd.Series[Any]
) -> StainNormaliser | None:
    """Return the stain of training slides; the same slides for the same patients."""
    if study.options.stain is None:
        return None
    train = where.index[where == TRAINING]
    paths = cohort.slides.loc[cohort.slides["patient"].isin(train), "path"]
    order = sorted(map(str, paths))
    places = np.linspace(0, len(order) - 1, min(STAINED, len(order))).round()
    found = StainNormaliser(study.options.stain)
    usable = []
    for path in (order[int(place)] for place in places):
        try:
            StainNormaliser(study.options.stain).fit([path])
        except InvalidInput as error:
            study.warn(f"No stain is learned from a slide: {error}")
        else:
            usable.append(path)
    study.summary.append(
        f"Stain normalisation ({study.options.stain}) is fitted on {len(usable)} "
        "training slides (and knows no outcome)."
    )
    return found.fit(usable)


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
    for one in caught:
        study.warn(str(one.message))
    scores = pd.concat(parts).loc[X.index]
    high = model.high(scores)
    scores.columns = list(SCORES)
    groups = pd.DataFrame(index=X.index)
    for place, name in enumerate(SCORES):
        words = high.iloc[:, place].map({0.0: "low", 1.0: "high"})
        groups[name] = pd.Categorical(words, ["low", "high"])
    return scores, groups, model


def run(options: Options, say: Callable[[str], Any] = print) -> dict[str, Any]:
    """Run the whole system; return what ``results.json`` holds."""
    study = Study(options, say)
    options.out.mkdir(parents=True, exist_ok=True)
    cohort = choose_cohort(options, simulate(options))
    say(str(cohort))
    endpoint = endpoint_of(cohort, "mfs")
    where = _cohorts(cohort, endpoint, options.seed)
    name = (
        Path(options.cohort).resolve().name
        if options.cohort != "simulated"
        else f"slides-n{len(cohort.patients)}-seed{options.seed}"
    )
    with FeatureStore(options.store / f"region_mil-{name}", network=True) as store:
        fill(store, cohort, needs="slides")
        net = encoder(options, normaliser(study, cohort, where))
        report = store.encode(net, cohort=cohort.name)
        say(str(report).splitlines()[0])
        matrix = store.matrix(
            cohort.name, features=[net.name], extractor=report.extractors
        )
        mine = report.extractors[net.name]
        counts = store.tile_counts(cohort.name, extractor=mine)
    bag = next(name for name in matrix.X.columns if name.endswith(".bag"))
    bags, undrawn = annotated(matrix.X[bag], REGIONS)
    X = bags[bags.notna() & bags.index.isin(where.index[where.notna()])].to_frame()
    missing = pd.concat([matrix.missing[["patient", "reason"]], undrawn])
    gone = left_out(cohort, X.index, endpoint=endpoint, where=where, missing=missing)
    for note in net.notes:
        (study.warn if "learned nothing" in note else study.summary.append)(note)
    study.summary += matrix.provenance["notes"]
    slides = pd.concat([report.failures[["patient", "reason"]], undrawn])
    _missing(study, gone, slides[slides["patient"].isin(X.index)])
    if report.notes:
        noted = pd.DataFrame({"note": report.notes})
        study.table("Patients", "Slides that lack something", noted)
    these = cases(cohort, endpoint, where, X.index)
    scores, groups, model = region_scores(options, X, these.y, these.train, study)
    sites = cohort.patients.loc[X.index, "site"]
    for told in one_sided(groups, these.where, sites, options.stain):
        study.warn(told)
    held, found = _tables(study, scores, groups, these, counts, cohort)
    looked_at(study, model.models_["DL-CP"], X, scores["DL-CP"], these, cohort, net)
    scores.assign(cohort=these.where).join(groups.add_suffix(" group")).to_csv(
        options.out / "scores.csv"
    )
    return study.write(
        "Michot 2025: attention-MIL on slide regions",
        cohort={
            "name": cohort.name,
            "n": len(X),
            "events": int(these.y["event"].sum()),
            "sites": int(cohort.patients.loc[X.index, "site"].nunique()),
            "dropped": gone.to_dict("records"),
            "without_score": {n: list(scores.index[scores[n].isna()]) for n in scores},
        },
        endpoint=endpoint,
        models=held,
        differences=found.differences,
        units={
            "encoded": report.encoded,
            "skipped": report.skipped,
            "failed": report.failed,
        },
        matrix_id=matrix.matrix_id,
        cuts=model.cuts_.to_dict(),
        warnings=study.warnings,
    )


def _cohorts(cohort: Cohort, endpoint: str, seed: int) -> pd.Series[Any]:
    """Return the cohort of each patient with an outcome and a slide."""
    ids = cohort.patients.index
    outcome = cohort.outcomes[endpoint].dropna()
    usable = ids[ids.isin(outcome.index) & ids.isin(cohort.slides["patient"])]
    if usable.empty:
        raise InvalidInput(
            f"No patient of cohort {cohort.name!r} has both a slide and {endpoint} "
            "(time and event)."
        )
    return split(cohort.patients.loc[usable], outcome.loc[usable, "event"], seed)


def _missing(study: Study, gone: pd.DataFrame, slides: pd.DataFrame) -> None:
    """Name who is left out and why, and the slides of others that are."""
    for row in slides.itertuples():
        study.warn(f"{row.patient}, a slide is left out: {row.reason}")
    if len(gone):
        who = listed(gone["patient"], NAMED)
        study.warn(f"Left out, {len(gone)} patients: {who}; see 'Left out' for why.")
        study.table("Patients", "Left out", gone)


def _tables(
    study: Study,
    scores: pd.DataFrame,
    groups: pd.DataFrame,
    these: Cases,
    counts: pd.DataFrame,
    cohort: Cohort,
) -> tuple[pd.DataFrame, Any]:
    """Print the tables of the paper; return the models' rows of ``results.json``."""
    said, more = _how(study.options)
    study.summary += [*cohort.notes, f"{said} {more}"]
    describe(study, these, counts, cohort)
    agreement(study, cohort, these)
    univariable(study, scores, groups, these, said)
    found = multivariable(study, groups, these, said)
    relations(study, scores, groups, these, said)
    grade_two(study, groups, these, said)
    table = found.table.rename(
        columns={
            "slope_low": "calibration_slope_low",
            "slope_high": "calibration_slope_high",
        }
    )
    names = table["model"] + ", " + table["cohort"]
    return table.assign(name=names).drop(columns="model"), found


def _how(options: Options) -> tuple[str, str]:
    if options.in_sample:
        return (
            "Scores of training patients: by the models that have seen them, as "
            "published.",
            "Their figures are too good to be true.",
        )
    return (
        "Scores of training patients: out of fold, by models that have not seen them.",
        "The models of the validation cohorts were fitted on all training patients.",
    )
