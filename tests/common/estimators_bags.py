from sarcfeat.estimators import (
    AttentionMIL,
    MeanPoolCox,
    RegionScores,
    TransformerPool,
)
from tests.adapters import survival, with_bags

CROSS_FITTED = "fit_transform is cross-fitted: by design not fit().transform()"
NET = {"epochs": 4, "width": 8, "lr": 0.05, "validation": None, "batch_size": 128}
SMALL = {"DL-C": ("C",), "DL-CP": ("C", "P")}

ESTIMATORS = [
    (survival(with_bags(AttentionMIL(**NET))), {}),
    (survival(with_bags(MeanPoolCox(cv=3, n_lambda=6))), {}),
    (survival(with_bags(TransformerPool(**NET, heads=2, queries=2))), {}),
    (
        survival(
            with_bags(
                RegionScores(SMALL, estimator=MeanPoolCox(cv=2, n_lambda=3), cv=2)
            )
        ),
        {
            "check_transformer_data_not_an_array": CROSS_FITTED,
            "check_transformer_general": CROSS_FITTED,
        },
    ),
]
