from sarcfeat.estimators import LassoLogistic

DRAWN = "the folds are drawn over rows: a row twice is not a row of weight 2"

ESTIMATORS = [
    (
        LassoLogistic(cv=3, n_lambda=20, random_state=0),
        {
            "check_sample_weight_equivalence_on_dense_data": DRAWN,
            "check_sample_weight_equivalence_on_sparse_data": DRAWN,
        },
    )
]
