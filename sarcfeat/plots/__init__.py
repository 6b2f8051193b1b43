"""One function a figure: fitted objects or tables in, matplotlib axes out."""

from sarcfeat.plots.attention_map import attention_map
from sarcfeat.plots.batch_effect import batch_effect
from sarcfeat.plots.c_index_forest import c_index_forest
from sarcfeat.plots.calibration import calibration
from sarcfeat.plots.canvas import close
from sarcfeat.plots.cohort_curves import cohort_curves
from sarcfeat.plots.consensus import consensus
from sarcfeat.plots.contact_sheet import contact_sheet
from sarcfeat.plots.cumulative_incidence import cumulative_incidence
from sarcfeat.plots.cut_search import cut_search
from sarcfeat.plots.decision_curve import decision_curve
from sarcfeat.plots.forest import forest
from sarcfeat.plots.hazard_ratios import hazard_ratios
from sarcfeat.plots.kaplan_meier import kaplan_meier
from sarcfeat.plots.lasso_path import lasso_path
from sarcfeat.plots.leakage import leakage
from sarcfeat.plots.lesion_outlines import lesion_outlines
from sarcfeat.plots.nomogram import nomogram
from sarcfeat.plots.over_time import brier_curve, time_dependent_auc
from sarcfeat.plots.preprocessing import preprocessing
from sarcfeat.plots.roc import roc
from sarcfeat.plots.score_by_group import score_by_group
from sarcfeat.plots.slide_regions import slide_regions

__all__ = [
    "attention_map",
    "batch_effect",
    "brier_curve",
    "c_index_forest",
    "calibration",
    "close",
    "cohort_curves",
    "consensus",
    "contact_sheet",
    "cumulative_incidence",
    "cut_search",
    "decision_curve",
    "forest",
    "hazard_ratios",
    "kaplan_meier",
    "lasso_path",
    "leakage",
    "lesion_outlines",
    "nomogram",
    "preprocessing",
    "roc",
    "score_by_group",
    "slide_regions",
    "time_dependent_auc",
]
