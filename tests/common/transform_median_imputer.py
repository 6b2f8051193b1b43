from sarcfeat.transform.median_imputer import MedianImputer

ESTIMATORS = [(MedianImputer(), {})]
