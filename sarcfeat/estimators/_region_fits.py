"""One fit and one prediction of a model on bags, the same in any worker."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sarcfeat.exceptions import NoEvents, SarcfeatWarning

__all__ = ["Told", "fit_held_out", "predict_alone", "tell"]

Floats = NDArray[np.float64]
NUMBER = re.compile(r"\d[\d.,]*")
# Which model, the kind of the warning, and its words: plain, to come from a worker.
Told = tuple[str, type[Warning], str]


def fit_held_out(
    model: Any,
    refs: list[Any],
    y: Any,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    what: str,
    column: str,
) -> tuple[Any, Floats, list[Told]]:
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
    return model, risk, [(what, w.category, str(w.message)) for w in caught]


def tell(told: Iterable[Told], who: str) -> None:
    """Warn once of what differs in its numbers alone, and of how many models."""
    alike: dict[tuple[type[Warning], str], list[Told]] = {}
    for one in told:
        alike.setdefault((one[1], NUMBER.sub("0", one[2])), []).append(one)
    for (what, kind, words), *others in alike.values():
        more = f" (and {len(others)} more of its kind)" if others else ""
        warnings.warn(_warning(kind, f"{who}, {what}: {words}{more}"), stacklevel=4)


def _warning(kind: type[Warning], words: str) -> Warning:
    try:
        return kind(words)
    except TypeError:  # another package's, made of more than words
        return SarcfeatWarning(f"{words} [{kind.__name__}]")


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
