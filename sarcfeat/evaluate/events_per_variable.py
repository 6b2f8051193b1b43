"""How many events a model had for each variable that it could use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import Pipeline

from sarcfeat.evaluate.printed import few_events_note
from sarcfeat.nomogram import ProbabilityColumn
from sarcfeat.nomogram.published import PublishedNomogram

__all__ = ["events_per_variable", "few_events_notes"]


def events_per_variable(model: Any, n_events: int) -> float:
    """Return the events of training by the columns offered to a model's last step.

    Parameters
    ----------
    model : fitted estimator or Pipeline
    n_events : int

    Returns
    -------
    float
        NaN of a model of which nothing is fitted (a published nomogram), or without
        any column.

    Examples
    --------
    >>> from sarcfeat import CoxPH, make_y
    >>> X = [[1.0], [3.0], [2.0], [4.0]]
    >>> model = CoxPH().fit(X, make_y([1, 1, 1, 0], [3, 1, 2, 4]))
    >>> events_per_variable(model, 3)
    3.0
    """
    last = _last(model)
    offered = getattr(last, "n_features_in_", 0)
    given = isinstance(last, (ProbabilityColumn, PublishedNomogram))
    return n_events / offered if offered and not given else float("nan")


def _last(model: Any) -> Any:
    if isinstance(model, Pipeline):
        return _last(model.steps[-1][1])
    # A tuned model's best one; a refitted nomogram codes its words itself.
    for name in ("best_estimator_", "estimator_", "pipeline_"):
        inner = getattr(model, name, None)
        if isinstance(inner, Pipeline) or hasattr(inner, "n_features_in_"):
            return _last(inner)
    return model


def few_events_notes(per_variable: Mapping[str, float]) -> list[str]:
    """Return a note for each model with fewer than ten events per variable.

    Examples
    --------
    >>> few_events_notes({"rad": 4.0, "age": 30.0})
    ["4.0 events per variable of 'rad', fewer than 10: its estimates are unstable."]
    """
    notes = [few_events_note(per, f"{name!r}") for name, per in per_variable.items()]
    return [note for some in notes for note in some]
