from sarcfeat.estimators.firth_cox import FirthCox
from tests.adapters import survival

ESTIMATORS = [(survival(FirthCox()), {})]
