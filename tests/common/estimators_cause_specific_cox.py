from sarcfeat.estimators import CauseSpecificCox
from tests.adapters import survival

ESTIMATORS = [(survival(CauseSpecificCox()), {})]
