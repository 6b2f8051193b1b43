"""Pure functions of numbers: how good a risk, how repeatable a feature."""

from sarcfeat.metrics.concordance import Concordance, concordance
from sarcfeat.metrics.cross_validated import (
    CrossValidatedConcordance,
    PairedDifference,
    cross_validated_concordance,
    paired_difference,
)
from sarcfeat.metrics.icc import ICC, icc
from sarcfeat.metrics.multiple_testing import adjust_p

__all__ = [
    "ICC",
    "Concordance",
    "CrossValidatedConcordance",
    "PairedDifference",
    "adjust_p",
    "concordance",
    "cross_validated_concordance",
    "icc",
    "paired_difference",
]
