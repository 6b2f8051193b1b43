from sarcfeat.estimators.stepwise_cox import StepwiseCox
from tests.adapters import survival

ESTIMATORS = [(survival(StepwiseCox()), {})]
