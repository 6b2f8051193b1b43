"""The survival target and the estimators of curves and hazards under it."""

from sarcfeat.survival.accelerated import (
    AFTFit,
    aft_quantile,
    aft_survival,
    fit_aft,
)
from sarcfeat.survival.breslow import BaselineHazard, baseline_hazard
from sarcfeat.survival.causes import check_causes, make_causes, split_causes
from sarcfeat.survival.censoring import CensoringCurve, censoring_curve
from sarcfeat.survival.cox import CoxFit, CoxState, cox_state, fit_cox, wald_test
from sarcfeat.survival.cox_each import CoxEach, fit_cox_each
from sarcfeat.survival.cumulative_incidence import (
    CumulativeIncidence,
    cumulative_incidence,
)
from sarcfeat.survival.curves import gives_survival, survival_curves
from sarcfeat.survival.fine_gray import FineGrayFit, fit_fine_gray
from sarcfeat.survival.gray import GrayTest, gray_test
from sarcfeat.survival.kaplan_meier import (
    KaplanMeier,
    Quantile,
    kaplan_meier,
    nelson_aalen,
)
from sarcfeat.survival.logrank import LogRank, logrank
from sarcfeat.survival.logrank_pairwise import pairwise_logrank
from sarcfeat.survival.logrank_trend import TrendTest, logrank_trend
from sarcfeat.survival.maximally_selected import (
    MaximallySelected,
    maximally_selected_logrank,
)
from sarcfeat.survival.pairs import Pairs, count_pairs, pairs_of_each
from sarcfeat.survival.pairs_at_risk import pairs_at_risk
from sarcfeat.survival.proportional_hazards import cox_zph
from sarcfeat.survival.risk_sets import RiskSets
from sarcfeat.survival.target import SurvivalMixin, check_y, make_y

__all__ = [
    "AFTFit",
    "BaselineHazard",
    "CensoringCurve",
    "CoxEach",
    "CoxFit",
    "CoxState",
    "CumulativeIncidence",
    "FineGrayFit",
    "GrayTest",
    "KaplanMeier",
    "LogRank",
    "MaximallySelected",
    "Pairs",
    "Quantile",
    "RiskSets",
    "SurvivalMixin",
    "TrendTest",
    "aft_quantile",
    "aft_survival",
    "baseline_hazard",
    "censoring_curve",
    "check_causes",
    "check_y",
    "count_pairs",
    "cox_state",
    "cox_zph",
    "cumulative_incidence",
    "fit_aft",
    "fit_cox",
    "fit_cox_each",
    "fit_fine_gray",
    "gives_survival",
    "gray_test",
    "kaplan_meier",
    "logrank",
    "logrank_trend",
    "make_causes",
    "make_y",
    "maximally_selected_logrank",
    "nelson_aalen",
    "pairs_at_risk",
    "pairs_of_each",
    "pairwise_logrank",
    "split_causes",
    "survival_curves",
    "wald_test",
]
