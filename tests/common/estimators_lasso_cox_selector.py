from sarcfeat.estimators import LassoCox, LassoCoxSelector
from tests.adapters import survival

ESTIMATORS = [
    (
        survival(LassoCoxSelector(LassoCox(cv=3, n_lambda=20, random_state=0))),
        {},
    )
]
