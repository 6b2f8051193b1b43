"""The feature store: the engine over DuckDB that keeps what was computed, and why."""

from sarcfeat.store.cohort_tables import add_tables
from sarcfeat.store.encoding import EncodeReport
from sarcfeat.store.explain import Explanation
from sarcfeat.store.feature_store import FeatureStore
from sarcfeat.store.files import Report
from sarcfeat.store.matrix import Matrix
from sarcfeat.store.readings import Readings
from sarcfeat.store.tiles import Tiles
from sarcfeat.store.units import Encoder

__all__ = [
    "EncodeReport",
    "Encoder",
    "Explanation",
    "FeatureStore",
    "Matrix",
    "Readings",
    "Report",
    "Tiles",
    "add_tables",
]
