"""The tables of a cohort as the store takes them: patients, then outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sarcfeat.datasets import Cohort
    from sarcfeat.store.feature_store import FeatureStore

__all__ = ["add_tables"]


def add_tables(store: FeatureStore, cohort: Cohort) -> None:
    """Bring patients and outcomes of a cohort into its store; what is there is skipped.

    Parameters
    ----------
    store : FeatureStore
    cohort : Cohort

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from sarcfeat import FeatureStore
    >>> from sarcfeat.datasets import Cohort
    >>> patients = pd.DataFrame({"site": ["A", "B"], "age": [61, 48]}, ["P1", "P2"])
    >>> patients.index.name = "patient"
    >>> mfs = pd.DataFrame({"time": [365, 90], "event": [0, 1]}, patients.index)
    >>> cohort = Cohort("example", patients, outcomes={"mfs": mfs})
    >>> with TemporaryDirectory() as folder, FeatureStore(folder) as store:
    ...     add_tables(store, cohort)
    ...     _ = store.add_cohort("all")
    ...     matrix = store.matrix("all", features=["clinical.age"], outcome="mfs")
    >>> matrix.X["clinical.age"].tolist(), matrix.y["event"].tolist()
    ([61.0, 48.0], [False, True])
    """
    store.add_patients(
        cohort.patients,
        index_time=cohort.index_time,
        roles=cohort.roles,
        units=cohort.units,
    )
    for endpoint, table in cohort.outcomes.items():
        store.add_outcome(endpoint, time="time", event="event", data=table)
