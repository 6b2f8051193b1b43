from sarcfeat.transform import MRMR

ESTIMATORS = [(MRMR(k=3), {})]
