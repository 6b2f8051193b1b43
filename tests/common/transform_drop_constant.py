from sarcfeat.transform import DropConstant

ESTIMATORS = [(DropConstant(), {})]
