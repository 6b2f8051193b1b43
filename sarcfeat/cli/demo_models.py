"""The models of the main job: clinical, radiomics and combined, as one reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import Pipeline

from sarcfeat.estimators import CoxPH, LassoCox, RiskScore
from sarcfeat.evaluate import Tuned
from sarcfeat.transform import (
    MRMR,
    ComBat,
    ICCFilter,
    MedianImputer,
    ZScore,
    columns,
)

__all__ = [
    "SPACE",
    "clinical_model",
    "combined_model",
    "demo_models",
    "leaky_twin",
    "radiomics_chain",
    "radiomics_model",
]

# What the study inside each training fold chooses from. The first of each is the
# chain's own default and the study's first trial.
SPACE = {
    "icc__threshold": [0.75, 0.85, 0.9],
    "mrmr__k": [10, 5, 20],
    "lasso__l1_ratio": [1.0, 0.5],
}


def radiomics_chain(readings: Any, *, sites: int, random_state: int = 0) -> Pipeline:
    """Build ICC → ComBat → median → z-score → mRMR → LASSO-Cox.

    ComBat is the identity where there is one site; the median fills in the modality
    that a patient lacks. Every step learns in ``fit``, on the training fold.
    """
    return Pipeline(
        [
            ("icc", ICCFilter(readings, threshold=0.75)),
            ("combat", _harmonise(sites)),
            ("impute", MedianImputer()),
            ("zscore", ZScore()),
            ("mrmr", MRMR(k=10)),
            ("lasso", _lasso(random_state)),
        ]
    )


def leaky_twin(chain: Pipeline) -> tuple[Pipeline, CoxPH]:
    """Split a chain as a leaky study does: selection on everybody, Cox in the folds.

    Harmonisation, ICC filter, mRMR and LASSO see the whole cohort with its outcomes;
    only the weights of the features so chosen are cross-validated. For
    ``evaluate.null_test(inside, X, y, outside=outside)``, which it must fail.

    Returns
    -------
    outside : Pipeline
        What is fitted before the folds are drawn.
    inside : CoxPH
        What is left for the folds.
    """
    lasso = SelectFromModel(chain.steps[-1][1], threshold=1e-12)
    chosen = ("chosen", lasso.set_output(transform="pandas"))
    return Pipeline([*chain.steps[:-1], chosen]), CoxPH()


def _lasso(random_state: int) -> LassoCox:
    # A path that ends at a fiftieth of its start: with this many events anything
    # weaker is overfit, and its folds separate the patients perfectly.
    return LassoCox(cv=5, n_lambda=40, lambda_min_ratio=0.02, random_state=random_state)


def _harmonise(sites: int) -> ComBat:
    if sites < 2:
        return ComBat(batch=None)
    # A small site may be alone, or absent, in a training fold: then only its mean is
    # moved, or its patients are left as they are, with a warning.
    return ComBat(batch="site", single="mean_only", unseen="skip")


def _pick(parts: list[tuple[str, Any, Any]]) -> ColumnTransformer:
    picked = ColumnTransformer(parts, verbose_feature_names_out=False)
    return picked.set_output(transform="pandas")


def clinical_model(clinical: Sequence[str]) -> Pipeline:
    """Build the clinical comparator: Cox on the clinical variables."""
    return Pipeline(
        [
            ("columns", _pick([("clin", MedianImputer(), columns(*clinical))])),
            ("cox", CoxPH()),
        ]
    )


def radiomics_model(
    chain: Pipeline, feature_sets: Sequence[str], *, trials: int, random_state: int
) -> Tuned:
    """Build the radiomics model: the chain, tuned inside each training fold."""
    picked = _pick([("rad", "passthrough", columns(*feature_sets, "site"))])
    whole = Pipeline([("columns", picked), *chain.steps])
    return Tuned(whole, SPACE, n_trials=trials, cv=3, random_state=random_state)


def combined_model(
    chain: Pipeline,
    feature_sets: Sequence[str],
    clinical: Sequence[str],
    *,
    trials: int,
    random_state: int,
) -> Tuned:
    """Build the nomogram's model: cross-fitted rad-score and clinical variables in Cox.

    The study runs on the radiomics chain alone (as for the radiomics model) and its
    choice is set on the chain inside: a seventh of the price of tuning the whole.
    """
    picked = _pick(
        [
            (
                "rad",
                RiskScore(chain, cv=5, random_state=random_state, name="rad_score"),
                columns(*feature_sets, "site"),
            ),
            ("clin", MedianImputer(), columns(*clinical)),
        ]
    )
    whole = Pipeline([("columns", picked), ("cox", CoxPH())])
    alone = radiomics_model(chain, feature_sets, trials=trials, random_state=0)
    return Tuned(
        whole,
        SPACE,
        proxy=alone.estimator,
        prefix="columns__rad__estimator__",
        n_trials=trials,
        cv=3,
        random_state=random_state,
    )


def demo_models(
    readings: Any,
    feature_sets: Sequence[str],
    clinical: Sequence[str],
    *,
    sites: int,
    trials: int = 8,
    random_state: int = 0,
) -> dict[str, Any]:
    """Return the three models that the main job compares."""
    chain = radiomics_chain(readings, sites=sites, random_state=random_state)
    return {
        "clinical": clinical_model(clinical),
        "radiomics": radiomics_model(
            chain, feature_sets, trials=trials, random_state=random_state
        ),
        "combined": combined_model(
            chain, feature_sets, clinical, trials=trials, random_state=random_state
        ),
    }
