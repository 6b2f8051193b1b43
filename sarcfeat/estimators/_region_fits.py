"""One fit and one prediction of a model on bags, the same in any worker."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sarcfeat.exceptions import NoEvents

__all__ = ["fit_held_out", "predict_alone"]

Floats = NDArray[np.float64]


def fit_held_out(
    model: Any,
    refs: list[Any],
    y: Any,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    what: str,
    column: str,
) -> tuple[Any, Floats, list[Warning]]:
    """Fit one model by one thread, and predict those held out.

    What is warned about comes back, too: a worker's own warnings would be printed by
    each of them, and caught by nobody.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with _one_thread(model):
                model.fit(_column([refs[i] for i in train], column), y[train])
        except NoEvents as error:
            error.add_note(f"In RegionScores, {what}.")
            raise
        risk = np.empty(0)
        if len(test):
            risk = predict_alone(model, [refs[i] for i in test], column)
    told = [type(w.message)(f"{what}: {w.message}") for w in caught]  # type: ignore[call-arg]
    return model, risk, told


def predict_alone(model: Any, refs: list[Any], column: str) -> Floats:
    """Predict by one thread."""
    with _one_thread(model):
        return np.asarray(model.predict(_column(refs, column)), dtype=float)


def _one_thread(model: Any) -> Any:
    if not hasattr(model, "device"):  # a model without torch
        return nullcontext()
    from sarcfeat.encoders.forward import one_thread

    return one_thread()


def _column(refs: list[Any], name: str) -> pd.DataFrame:
    # Labelled by patient, for messages.
    index = [str(ref.patient) for ref in refs]
    return pd.DataFrame({name: pd.Series(refs, index=index, dtype=object)})
