from sarcfeat.estimators import ParametricAFT
from tests.adapters import survival

ESTIMATORS = [
    (survival(ParametricAFT()), {}),
    (survival(ParametricAFT("lognormal")), {}),
]
