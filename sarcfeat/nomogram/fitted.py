"""Read the plain numbers of a nomogram from a fitted Cox model or pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.variable import Variable

__all__ = ["parts_of_model", "parts_of_pipeline"]

_NEEDED = ("coef_", "linear_center_", "ranges_", "predict_survival_function")


def _short(name: str) -> str:
    """Return a column's name without where it came from: ``clin__clinical.age``.

    Examples
    --------
    >>> _short("clin__clinical.age"), _short("rad__rad_score")
    ('age', 'rad_score')
    """
    return name.rpartition("__")[2].removeprefix("clinical.")


def _lookup(given: Mapping[str, str] | None, names: Sequence[str]) -> dict[str, str]:
    """Return the given text of each column; refuse a key that is no column."""
    found: dict[str, str] = {}
    for key, text in (given or {}).items():
        spelled = [n for n in names if key in {n, n.rpartition("__")[2], _short(n)}]
        if not spelled:
            raise InvalidInput(
                f"A label or unit is given for {key!r}, which is no column of the "
                f"model's design: {listed(names, 12)}.{did_you_mean(key, names)}"
            )
        found.update(dict.fromkeys(spelled, text))
    return found


def _levels(row: pd.Series) -> tuple[float, ...]:
    """Return the values of a column that has few of them, else nothing."""
    levels = row["levels"]
    if levels is None or np.isscalar(levels):
        return ()
    return tuple(float(level) for level in levels)


def _variable(
    name: str, coefficient: float, row: pd.Series, label: str, unit: str
) -> Variable:
    common: dict[str, Any] = {
        "label": label,
        "unit": unit,
        "start": float(row["median"]),
    }
    levels = _levels(row)
    if levels:
        return Variable.coded(name, coefficient, levels=levels, **common)
    # The whole range of the training patients, where the model kept it.
    low = float(row.get("minimum", row["low"]))
    high = float(row.get("maximum", row["high"]))
    return Variable.numeric(name, coefficient, low=low, high=high, **common)


def _baseline(
    model: Any, coef: np.ndarray, center: float, times: Sequence[float]
) -> list[float]:
    """Return survival at each horizon where the centred linear predictor is 0.

    A Cox curve of any patient gives it: S0 = S ** exp(-linear predictor). The median
    patient is asked, because extreme ones come too near to 0 or 1.
    """
    medians = model.ranges_["median"].to_numpy(dtype=float)
    row: Any = medians[None, :]
    if hasattr(model, "feature_names_in_"):
        row = pd.DataFrame(row, columns=list(model.feature_names_in_))
    survival = np.asarray(model.predict_survival_function(row, times), dtype=float)
    return list(survival[0] ** np.exp(-(medians @ coef - center)))


def parts_of_model(
    model: Any,
    *,
    times: Sequence[float],
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a Nomogram that a fitted Cox model determines.

    Parameters
    ----------
    model : CoxPH
        Fitted.
    times : sequence of float
        Horizons.
    labels, units : mapping, optional
        Column → text for the reader.
    names : sequence of str, optional
        The columns of the design, where the model itself was fitted on an array.

    Returns
    -------
    dict

    Raises
    ------
    InvalidInput
        The model is not fitted, is no Cox model, or its columns have no names.
    """
    missing = [part for part in _NEEDED if not hasattr(model, part)]
    if missing:
        raise InvalidInput(
            f"A nomogram is made of a fitted Cox model such as CoxPH; "
            f"{type(model).__name__} lacks {listed(missing)}. Fit it first, or end the "
            "pipeline with CoxPH()."
        )
    coef = np.asarray(model.coef_, dtype=float)
    columns = [str(n) for n in (model.ranges_.index if names is None else names)]
    label_of, unit_of = _lookup(labels, columns), _lookup(units, columns)
    variables = [
        _variable(
            name,
            float(coef[i]),
            model.ranges_.iloc[i],
            label_of.get(name, _short(name)),
            unit_of.get(name, ""),
        )
        for i, name in enumerate(columns)
    ]
    center = float(model.linear_center_)
    return {
        "variables": variables,
        "center": center,
        "times": times,
        "baseline_survival": _baseline(model, coef, center, times),
        "max_time": getattr(model, "max_time_", None),
        "lp_range": getattr(model, "lp_range_", None),
    }


def parts_of_pipeline(
    pipeline: Any,
    *,
    times: Sequence[float],
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a Nomogram from the Cox model that ends a pipeline.

    Raises
    ------
    InvalidInput
        Not a fitted pipeline, or the columns of its design have no names.
    """
    if not hasattr(pipeline, "steps"):
        raise InvalidInput(
            f"from_pipeline takes a fitted scikit-learn Pipeline; got "
            f"{type(pipeline).__name__}. For a model alone use Nomogram.from_model."
        )
    model = pipeline.steps[-1][1]
    names = getattr(model, "feature_names_in_", None)
    if names is None and len(pipeline.steps) > 1:
        names = _names_before(pipeline)
    return parts_of_model(model, times=times, labels=labels, units=units, names=names)


def _names_before(pipeline: Any) -> Sequence[str]:
    try:
        return [str(name) for name in pipeline[:-1].get_feature_names_out()]
    except (AttributeError, ValueError) as error:
        raise InvalidInput(
            "The columns of the model's design have no names: "
            f"{type(error).__name__}: {error} Call set_output(transform='pandas') on "
            "the pipeline before fitting it."
        ) from error
