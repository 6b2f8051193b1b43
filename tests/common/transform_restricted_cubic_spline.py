from sarcfeat.transform.restricted_cubic_spline import RestrictedCubicSpline

ESTIMATORS = [(RestrictedCubicSpline(), {})]
