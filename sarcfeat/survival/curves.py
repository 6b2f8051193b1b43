"""Survival curves of any fitted model, also of one at the end of a pipeline."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from sarcfeat.exceptions import InvalidInput

__all__ = ["gives_survival", "survival_curves"]

_METHOD = "predict_survival_function"


def gives_survival(model: Any) -> bool:
    """Return whether a model predicts survival at times that one chooses.

    A published nomogram that knows its own horizon only does not.

    Parameters
    ----------
    model : estimator or Pipeline

    Examples
    --------
    >>> gives_survival(object())
    False
    """
    last = _last(model)
    method = getattr(last, _METHOD, None)
    if method is None:
        return False
    known = inspect.signature(method).parameters
    return "times" in known or "return_array" in known


def survival_curves(
    model: Any, X: Any, times: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return each patient's predicted chance of being free of the event at some times.

    The steps of a pipeline are applied first, which scikit-learn's own ``Pipeline``
    does for ``predict`` only. Models of scikit-survival are read at the times too.

    Parameters
    ----------
    model : fitted estimator or Pipeline
    X : DataFrame or array of shape (n_patients, n_features)
    times : array-like of shape (n_times,)
        In the unit of the training times; flat after the last event.

    Returns
    -------
    ndarray of shape (n_patients, n_times)
        Between 0 and 1.

    Raises
    ------
    InvalidInput
        The model predicts a risk only, or survival at its own times only.

    Examples
    --------
    >>> class Half:
    ...     def predict_survival_function(self, X, times):
    ...         return np.full((len(X), len(times)), 0.5)
    >>> survival_curves(Half(), [[1.0], [2.0]], [365])
    array([[0.5],
           [0.5]])
    """
    if not gives_survival(model):
        raise InvalidInput(
            f"{type(_last(model)).__name__} predicts no survival at given times. Use "
            "a model with predict_survival_function(X, times), such as CoxPH, or a "
            "measure of the risk alone, such as the c-index."
        )
    wanted = np.atleast_1d(np.asarray(times, dtype=float))
    while isinstance(model, Pipeline):
        X, model = model[:-1].transform(X) if len(model) > 1 else X, model[-1]
    method = getattr(model, _METHOD)
    if "times" in inspect.signature(method).parameters:
        curves = np.asarray(method(X, wanted), dtype=float)
    else:
        known = np.asarray(model.unique_times_, dtype=float)
        found = np.asarray(method(X, return_array=True), dtype=float)
        position = np.searchsorted(known, wanted, side="right")
        curves = np.hstack([np.ones((len(found), 1)), found])[:, position]
    return np.clip(curves, 0.0, 1.0)


def _last(model: Any) -> Any:
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return model
