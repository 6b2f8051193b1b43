"""Models that follow scikit-learn; of a survival model ``predict`` is risk."""

from sarcfeat.estimators.attention_mil import AttentionMIL
from sarcfeat.estimators.cause_specific_cox import CauseSpecificCox
from sarcfeat.estimators.coxph import CoxPH
from sarcfeat.estimators.elastic_net_cox import ElasticNetCox
from sarcfeat.estimators.extra_survival_trees import ExtraSurvivalTrees
from sarcfeat.estimators.fine_gray import FineGray
from sarcfeat.estimators.firth_cox import FirthCox
from sarcfeat.estimators.gradient_boosting import GradientBoostingCox
from sarcfeat.estimators.landmark_cox import LandmarkCox
from sarcfeat.estimators.lasso_cox import LassoCox
from sarcfeat.estimators.lasso_cox_selector import LassoCoxSelector
from sarcfeat.estimators.lasso_logistic import LassoLogistic
from sarcfeat.estimators.logistic import Logistic
from sarcfeat.estimators.mean_pool_cox import MeanPoolCox
from sarcfeat.estimators.parametric_aft import ParametricAFT
from sarcfeat.estimators.random_survival_forest import RandomSurvivalForest
from sarcfeat.estimators.region_scores import RegionScores
from sarcfeat.estimators.ridge_cox import RidgeCox
from sarcfeat.estimators.risk_score import RiskScore
from sarcfeat.estimators.stepwise_cox import StepwiseCox
from sarcfeat.estimators.survival_svm import SurvivalSVM
from sarcfeat.estimators.transformer_pool import TransformerPool

__all__ = [
    "AttentionMIL",
    "CauseSpecificCox",
    "CoxPH",
    "ElasticNetCox",
    "ExtraSurvivalTrees",
    "FineGray",
    "FirthCox",
    "GradientBoostingCox",
    "LandmarkCox",
    "LassoCox",
    "LassoCoxSelector",
    "LassoLogistic",
    "Logistic",
    "MeanPoolCox",
    "ParametricAFT",
    "RandomSurvivalForest",
    "RegionScores",
    "RidgeCox",
    "RiskScore",
    "StepwiseCox",
    "SurvivalSVM",
    "TransformerPool",
]
