"""The models compared on TCGA-SARC: one published, one refit, and three learners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from benchmarks.tcga_sarc_mapping import DEPTHS, GRADES
from sarcfeat.estimators import (
    CoxPH,
    FirthCox,
    GradientBoostingCox,
    LassoCox,
    RandomSurvivalForest,
)
from sarcfeat.nomogram import MSKCC2002, RefitSarculator
from sarcfeat.transform import Categories, Imputer, columns

__all__ = [
    "PUBLISHED",
    "RECALIBRATED",
    "SARCULATOR",
    "PublishedScore",
    "compared_pairs",
    "tcga_models",
]

PUBLISHED = "MSKCC-2002 (published)"
RECALIBRATED = "MSKCC-2002 (baseline and slope refit)"
SARCULATOR = "Sarculator (refit)"
FIRTH = "Sarculator variables (refit, Firth)"
SETS = ("clinical", "clinical + copy number", "clinical + immune")
BLOCKS = {"clinical": (), SETS[1]: ("cn",), SETS[2]: ("immune",)}
LEARNERS = ("LASSO-Cox", "random forest", "gradient boosting")

MEASURED = ("age", "size", "grade", "female")
YES_NO = ("deep", "multifocal", "margin")
MSKCC = ("age", "size", "grade", "deep", "location", "histology")
# Of both Sarculators (extremity: the first four; retroperitoneal: all).
SARCULATOR_INPUTS = ("age", "size", "grade", "group", "multifocal", "margin")
CLINICAL = (*MEASURED, *YES_NO, "place", "group")
WORDS = ("location", "histology", "place", "group")
REFERENCE = {"clinical.group": "UPS or MFS", "clinical.place": "extremity"}


class PublishedScore(TransformerMixin, BaseEstimator):
    """Turn the inputs of MSKCC's nomogram into its one score, log(-log(S))."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> PublishedScore:
        """Find the columns; nothing is learned."""
        self.nomogram_ = mskcc().fit(X)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the score of each patient, higher is worse."""
        survival = 1 - self.nomogram_.predict(X)
        return pd.DataFrame({"mskcc_2002": np.log(-np.log(survival))}, index=X.index)


def mskcc() -> MSKCC2002:
    """Return the published nomogram, told this table's columns and words."""
    return MSKCC2002(
        columns={"depth": "clinical.deep"},
        levels={
            "depth": {float(k): v for k, v in DEPTHS.items()},
            "grade": {float(k): v for k, v in GRADES.items()},
        },
    )


def _filled(inputs: tuple[str, ...], blocks: tuple[str, ...] = ()) -> ColumnTransformer:
    """Fill in what is missing with what the training patients have, kind by kind."""

    def those(kind: tuple[str, ...]) -> list[str]:
        return [f"clinical.{name}" for name in inputs if name in kind]

    words = SimpleImputer(strategy="most_frequent").set_output(transform="pandas")
    parts: list[tuple[str, Any, Any]] = [
        ("measured", Imputer("median"), those(MEASURED)),
        ("yes_no", Imputer("most_frequent"), those(YES_NO)),
        ("words", words, those(WORDS)),
    ]
    parts += [(block, Imputer("median"), columns(block)) for block in blocks]
    filled = ColumnTransformer(
        [part for part in parts if len(part) < 3 or part[2] != []],
        verbose_feature_names_out=False,
    )
    return filled.set_output(transform="pandas")


def _refit(inputs: tuple[str, ...], blocks: tuple[str, ...], model: Any) -> Pipeline:
    reference = {
        name: level
        for name, level in REFERENCE.items()
        if name.removeprefix("clinical.") in inputs
    }
    return Pipeline(
        [
            ("fill", _filled(inputs, blocks)),
            ("levels", Categories(reference, unseen="reference")),
            ("model", model),
        ]
    )


def _sarculator() -> RefitSarculator:
    """Return the refit of both Sarculators' variables; straight lines, for few deaths.

    It is not Sarculator, whose coefficients are not public.
    """
    return RefitSarculator(
        columns={"histology": "clinical.group", "resection": "clinical.margin"},
        n_knots=None,
        tumour="retroperitoneal",
    )


def tcga_models(*, trees: int = 300, seed: int = 0) -> dict[str, Any]:
    """Return the models by name; settings are fixed beforehand, but the LASSO's.

    The LASSO chooses its penalty by cross-validation within each training fold.
    """
    models: dict[str, Any] = {
        PUBLISHED: Pipeline([("fill", _filled(MSKCC)), ("nomogram", mskcc())]),
        RECALIBRATED: Pipeline(
            [("fill", _filled(MSKCC)), ("score", PublishedScore()), ("cox", CoxPH())]
        ),
        SARCULATOR: Pipeline(
            [("fill", _filled(SARCULATOR_INPUTS)), ("model", _sarculator())]
        ),
        # In some folds a rare histology is without any death: finite all the same.
        FIRTH: _refit(SARCULATOR_INPUTS, (), FirthCox()),
    }
    for name in SETS:
        learners = (
            LassoCox(cv=5, n_lambda=40, lambda_min_ratio=0.02, random_state=seed),
            RandomSurvivalForest(trees, min_samples_leaf=8, random_state=seed),
            GradientBoostingCox(
                100,
                learning_rate=0.05,
                max_depth=2,
                subsample=0.5,
                min_samples_leaf=8,
                random_state=seed,
            ),
        )
        for learner, model in zip(LEARNERS, learners, strict=True):
            models[f"{learner}: {name}"] = _refit(CLINICAL, BLOCKS[name], model)
    return models


def compared_pairs(against: str = PUBLISHED) -> list[tuple[str, str]]:
    """Return the comparisons fixed beforehand.

    Every model with MSKCC's nomogram (as published, or with its baseline refit where a
    probability at the horizon is needed), each learner with itself on clinical
    variables alone, and each on those with the refit Sarculator.
    """
    names = [name for name in tcga_models() if name not in (PUBLISHED, RECALIBRATED)]
    pairs = [(name, against) for name in names]
    for learner in LEARNERS:
        pairs += [(f"{learner}: {more}", f"{learner}: clinical") for more in SETS[1:]]
        pairs.append((f"{learner}: clinical", SARCULATOR))
    return pairs
