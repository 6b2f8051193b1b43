"""Steps between features and a model; each learns on the training patients only."""

from sarcfeat.transform.categories import Categories
from sarcfeat.transform.columns import columns
from sarcfeat.transform.combat import ComBat
from sarcfeat.transform.consensus_clustering import ConsensusClustering
from sarcfeat.transform.correlation_filter import CorrelationFilter
from sarcfeat.transform.drop_constant import DropConstant
from sarcfeat.transform.drop_duplicates import DropDuplicates
from sarcfeat.transform.icc_filter import ICCFilter
from sarcfeat.transform.imputer import Imputer
from sarcfeat.transform.kappa_filter import KappaFilter
from sarcfeat.transform.median_cut import MedianCut
from sarcfeat.transform.median_imputer import MedianImputer
from sarcfeat.transform.mrmr import MRMR
from sarcfeat.transform.optimal_cut import OptimalCut
from sarcfeat.transform.restricted_cubic_spline import RestrictedCubicSpline
from sarcfeat.transform.robust_clip import RobustClip
from sarcfeat.transform.univariate_cox_filter import UnivariateCoxFilter
from sarcfeat.transform.univariate_logistic_filter import UnivariateLogisticFilter
from sarcfeat.transform.z_score import ZScore

__all__ = [
    "MRMR",
    "Categories",
    "ComBat",
    "ConsensusClustering",
    "CorrelationFilter",
    "DropConstant",
    "DropDuplicates",
    "ICCFilter",
    "Imputer",
    "KappaFilter",
    "MedianCut",
    "MedianImputer",
    "OptimalCut",
    "RestrictedCubicSpline",
    "RobustClip",
    "UnivariateCoxFilter",
    "UnivariateLogisticFilter",
    "ZScore",
    "columns",
]
