from sarcfeat.estimators.lasso_cox import LassoCox
from sarcfeat.estimators.risk_score import RiskScore
from tests.adapters import survival

CROSS_FITTED = "fit_transform is cross-fitted: by design not fit().transform()"

ESTIMATORS = [
    (
        survival(
            RiskScore(LassoCox(cv=3, n_lambda=20, random_state=0), cv=3, random_state=0)
        ),
        {
            "check_transformer_data_not_an_array": CROSS_FITTED,
            "check_transformer_general": CROSS_FITTED,
        },
    )
]
