from sarcfeat.estimators.fine_gray import FineGray
from tests.adapters import survival

ESTIMATORS = [(survival(FineGray()), {})]
