from sarcfeat.transform import RobustClip

ESTIMATORS = [(RobustClip(), {})]
