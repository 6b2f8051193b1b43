"""The survival target and the estimators of curves and hazards under it."""
