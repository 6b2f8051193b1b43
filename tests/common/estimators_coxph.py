from sarcfeat import CoxPH
from tests.adapters import survival

ESTIMATORS = [(survival(CoxPH()), {})]
