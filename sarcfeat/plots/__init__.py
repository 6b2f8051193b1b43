"""One function a figure: fitted objects or tables in, matplotlib axes out."""

from sarcfeat.plots.batch_effect import batch_effect
from sarcfeat.plots.c_index_forest import c_index_forest
from sarcfeat.plots.canvas import close
from sarcfeat.plots.consensus import consensus
from sarcfeat.plots.kaplan_meier import kaplan_meier
from sarcfeat.plots.lasso_path import lasso_path
from sarcfeat.plots.leakage import leakage
from sarcfeat.plots.lesion_outlines import lesion_outlines
from sarcfeat.plots.nomogram import nomogram
from sarcfeat.plots.preprocessing import preprocessing

__all__ = [
    "batch_effect",
    "c_index_forest",
    "close",
    "consensus",
    "kaplan_meier",
    "lasso_path",
    "leakage",
    "lesion_outlines",
    "nomogram",
    "preprocessing",
]
