"""Survival models that follow scikit-learn: ``predict`` is risk, higher is worse."""

from sarcfeat.estimators.coxph import CoxPH
from sarcfeat.estimators.lasso_cox import LassoCox
from sarcfeat.estimators.risk_score import RiskScore

__all__ = ["CoxPH", "LassoCox", "RiskScore"]
