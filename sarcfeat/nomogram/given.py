"""A nomogram of coefficients that somebody knows, without a fitted model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.variable import Variable

__all__ = ["parts_given"]


def _variable(
    name: str, given: Any, ranges: Mapping[str, tuple[float, float]]
) -> Variable:
    if isinstance(given, Variable):
        return given
    if isinstance(given, Mapping):
        return Variable.categories(name, given)
    if name not in ranges:
        raise InvalidInput(
            f"Variable {name!r} has one coefficient and no range. Give the smallest "
            f"and largest value of its axis, ranges={{{name!r}: (low, high)}}, or the "
            "effect of each level as a mapping."
        )
    low, high = (float(end) for end in ranges[name])
    if (low, high) == (0.0, 1.0):
        return Variable.coded(name, float(given), levels=(0, 1))
    return Variable.numeric(name, float(given), low=low, high=high)


def parts_given(
    coefficients: Mapping[str, Any],
    ranges: Mapping[str, tuple[float, float]] | None,
    center: float,
    baseline_survival: Mapping[float, float] | None,
    intercept: float | None,
) -> dict[str, Any]:
    """Return the arguments of a Nomogram that given coefficients determine.

    Raises
    ------
    InvalidInput
        A coefficient without a range, a range of no variable, or not one of baseline
        and intercept.
    """
    if (baseline_survival is None) == (intercept is None):
        raise InvalidInput(
            "Give baseline_survival={horizon: probability} for a hazard, or intercept="
            "... for log odds; exactly one of the two."
        )
    unknown = [name for name in ranges or {} if name not in coefficients]
    if unknown:
        raise InvalidInput(
            f"A range is given for {listed(unknown)}, which has no coefficient."
            f"{did_you_mean(unknown[0], coefficients)}"
        )
    variables = [
        _variable(name, given, ranges or {}) for name, given in coefficients.items()
    ]
    if intercept is not None:
        return {"variables": variables, "center": -intercept, "kind": "logistic"}
    baseline = dict(baseline_survival or {})
    return {
        "variables": variables,
        "center": center,
        "times": tuple(baseline),
        "baseline_survival": tuple(baseline.values()),
    }
