from sarcfeat.transform import OptimalCut
from tests.adapters import survival

ESTIMATORS = [(survival(OptimalCut()), {})]
