from sarcfeat.estimators.extra_survival_trees import ExtraSurvivalTrees
from sarcfeat.estimators.gradient_boosting import GradientBoostingCox
from sarcfeat.estimators.random_survival_forest import RandomSurvivalForest
from sarcfeat.estimators.survival_svm import SurvivalSVM
from tests.adapters import survival

ESTIMATORS = [
    (survival(RandomSurvivalForest(8, random_state=0)), {}),
    (survival(ExtraSurvivalTrees(8, random_state=0)), {}),
    (survival(GradientBoostingCox(8, random_state=0)), {}),
    (survival(SurvivalSVM(random_state=0)), {}),
]
