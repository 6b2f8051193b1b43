from sarcfeat.transform import MedianCut

ESTIMATORS = [(MedianCut(), {})]
