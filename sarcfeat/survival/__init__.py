"""The survival target and the estimators of curves and hazards under it."""

from sarcfeat.survival.breslow import BaselineHazard, baseline_hazard
from sarcfeat.survival.cox import CoxFit, CoxState, cox_state, fit_cox, wald_test
from sarcfeat.survival.cox_each import CoxEach, fit_cox_each
from sarcfeat.survival.kaplan_meier import (
    KaplanMeier,
    Quantile,
    kaplan_meier,
    nelson_aalen,
)
from sarcfeat.survival.logrank import LogRank, logrank
from sarcfeat.survival.pairs import Pairs, count_pairs, pairs_of_each
from sarcfeat.survival.proportional_hazards import cox_zph
from sarcfeat.survival.risk_sets import RiskSets
from sarcfeat.survival.target import SurvivalMixin, check_y, make_y

__all__ = [
    "BaselineHazard",
    "CoxEach",
    "CoxFit",
    "CoxState",
    "KaplanMeier",
    "LogRank",
    "Pairs",
    "Quantile",
    "RiskSets",
    "SurvivalMixin",
    "baseline_hazard",
    "check_y",
    "count_pairs",
    "cox_state",
    "cox_zph",
    "fit_cox",
    "fit_cox_each",
    "kaplan_meier",
    "logrank",
    "make_y",
    "nelson_aalen",
    "pairs_of_each",
    "wald_test",
]
