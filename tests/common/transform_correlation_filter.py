from sarcfeat.transform import CorrelationFilter

ESTIMATORS = [(CorrelationFilter(), {})]
