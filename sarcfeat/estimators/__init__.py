"""Survival models that follow scikit-learn: ``predict`` is risk, higher is worse."""
