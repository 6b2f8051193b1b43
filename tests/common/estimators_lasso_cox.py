from sarcfeat.estimators.lasso_cox import LassoCox
from tests.adapters import survival

ESTIMATORS = [(survival(LassoCox(cv=3, n_lambda=20, random_state=0)), {})]
