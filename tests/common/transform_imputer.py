from sarcfeat.transform import Imputer

ESTIMATORS = [(Imputer(), {})]
