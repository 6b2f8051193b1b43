from sarcfeat.estimators import ElasticNetCox, RidgeCox
from tests.adapters import survival

ESTIMATORS = [
    (survival(ElasticNetCox(cv=3, n_lambda=10, random_state=0)), {}),
    (survival(RidgeCox(cv=3, n_lambda=10, random_state=0)), {}),
]
