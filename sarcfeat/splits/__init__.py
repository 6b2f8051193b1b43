"""Ways to split patients for cross-validation, balanced by the event."""

from sarcfeat.splits.event_stratified import (
    EventStratifiedKFold,
    RepeatedEventStratifiedKFold,
)
from sarcfeat.splits.nested import NestedSplit, nested

__all__ = [
    "EventStratifiedKFold",
    "NestedSplit",
    "RepeatedEventStratifiedKFold",
    "nested",
]
