"""The survival target and the estimators of curves and hazards under it."""

from sarcfeat.survival.pairs import Pairs, count_pairs, pairs_of_each
from sarcfeat.survival.target import SurvivalMixin, check_y, make_y

__all__ = [
    "Pairs",
    "SurvivalMixin",
    "check_y",
    "count_pairs",
    "make_y",
    "pairs_of_each",
]
