from sarcfeat.estimators import LandmarkCox
from tests.adapters import survival

# The checks' numeric y becomes ranks from 1: everybody is at risk at 0.
ESTIMATORS = [(survival(LandmarkCox()), {})]
