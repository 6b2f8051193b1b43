"""Steps between features and a model; each learns on the training patients only."""

from sarcfeat.transform.columns import columns
from sarcfeat.transform.median_imputer import MedianImputer
from sarcfeat.transform.z_score import ZScore

__all__ = ["MedianImputer", "ZScore", "columns"]
