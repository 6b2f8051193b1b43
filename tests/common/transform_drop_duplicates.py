from sarcfeat.transform import DropDuplicates

ESTIMATORS = [(DropDuplicates(), {})]
