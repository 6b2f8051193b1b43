from sarcfeat.transform import ZScore

ESTIMATORS = [(ZScore(), {})]
