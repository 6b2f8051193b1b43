"""One variable of a nomogram: what it adds to the linear predictor at each value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.pretty import pretty

__all__ = ["Variable"]


@dataclass(frozen=True)
class Variable:
    """One axis of a nomogram: its values and what each adds to the linear predictor.

    Build it with :meth:`numeric` (a measured quantity), :meth:`coded` (a quantity
    with a few values, such as 0/1) or :meth:`categories` (named levels).

    Parameters
    ----------
    name : str
        The column of the model's design that holds the variable.
    label : str
        What a reader of the nomogram sees.
    unit : str
        The unit of the values, empty where there is none.
    coefficient : float or None
        Log hazard ratio per unit; None for named levels.
    values : tuple
        The values at the ticks of the axis, ascending for numbers.
    effects : tuple of float
        What each of `values` adds to the linear predictor.
    discrete : bool
        Whether only the listed values occur.
    start : float or str
        The value that a calculator shows first (the median).

    Raises
    ------
    InvalidInput
        No value, numbers that are not finite, or as many effects as values lacking.

    Examples
    --------
    >>> age = Variable.numeric("age", 0.02, low=34, high=81, unit="years")
    >>> age.values[0], age.values[-1]
    (30.0, 85.0)
    >>> Variable.coded("grade3", 0.7, levels=(0, 1)).effects
    (0.0, 0.7)
    """

    name: str
    label: str
    unit: str
    coefficient: float | None
    values: tuple[Any, ...]
    effects: tuple[float, ...]
    discrete: bool
    start: Any

    def __post_init__(self) -> None:
        """Refuse what no axis can be drawn from."""
        if not self.values or len(self.values) != len(self.effects):
            raise InvalidInput(
                f"Variable {self.name!r} has {len(self.values)} values and "
                f"{len(self.effects)} effects; give one effect for each of the "
                "values, and at least one."
            )
        numbers = [*self.effects, *([] if self.coefficient is None else self.values)]
        if not all(math.isfinite(number) for number in numbers):
            raise InvalidInput(
                f"Variable {self.name!r} has a value or an effect that is not finite:"
                f" values {listed(self.values)}, effects {listed(self.effects)}."
            )

    @classmethod
    def numeric(
        cls,
        name: str,
        coefficient: float,
        *,
        low: float,
        high: float,
        label: str | None = None,
        unit: str = "",
        start: float | None = None,
        n_intervals: int = 10,
    ) -> Variable:
        """Make the axis of a measured quantity, with R's round ticks over its range.

        Parameters
        ----------
        name : str
            Column of the design.
        coefficient : float
            Log hazard ratio per unit.
        low, high : float
            Smallest and largest value among the patients of the model.
        label, unit : str, optional
            For the reader.
        start : float, optional
            First value of a calculator; the middle of the axis where not given.
        n_intervals : int
            About how many intervals the axis has.
        """
        ticks = tuple(pretty(low, high, n_intervals))
        middle = ticks[len(ticks) // 2]
        return cls(
            name=name,
            label=name if label is None else label,
            unit=unit,
            coefficient=float(coefficient),
            values=ticks,
            effects=tuple(float(coefficient) * tick for tick in ticks),
            discrete=False,
            start=middle if start is None else float(start),
        )

    @classmethod
    def coded(
        cls,
        name: str,
        coefficient: float,
        *,
        levels: Sequence[float],
        label: str | None = None,
        unit: str = "",
        start: float | None = None,
    ) -> Variable:
        """Make the axis of a number with a few values (0/1, a grade of 1, 2 or 3)."""
        values = tuple(sorted(float(level) for level in levels))
        first = (
            values[0] if start is None else min(values, key=lambda v: abs(v - start))
        )
        return cls(
            name=name,
            label=name if label is None else label,
            unit=unit,
            coefficient=float(coefficient),
            values=values,
            effects=tuple(float(coefficient) * value for value in values),
            discrete=True,
            start=first,
        )

    @classmethod
    def categories(
        cls,
        name: str,
        effects: Mapping[str, float],
        *,
        label: str | None = None,
        start: str | None = None,
    ) -> Variable:
        """Make the axis of named levels, each with its effect (0 for the reference)."""
        values = tuple(str(value) for value in effects)
        return cls(
            name=name,
            label=name if label is None else label,
            unit="",
            coefficient=None,
            values=values,
            effects=tuple(float(effect) for effect in effects.values()),
            discrete=True,
            start=values[0] if start is None and values else start,
        )

    @property
    def lowest(self) -> float:
        """Return the smallest effect on the axis: where the variable has 0 points."""
        return min(self.effects)

    @property
    def width(self) -> float:
        """Return the largest difference in linear predictor along the axis."""
        return max(self.effects) - self.lowest

    @property
    def title(self) -> str:
        """Return the label with its unit: ``Age (years)``."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def effect_of(
        self, column: Any, patients: Sequence[Any]
    ) -> npt.NDArray[np.float64]:
        """Return what each patient's value adds to the linear predictor.

        Parameters
        ----------
        column : array-like
            The patients' values.
        patients : sequence
            Their names, for the messages.

        Returns
        -------
        ndarray of float

        Raises
        ------
        InvalidInput
            A missing value, or a level that the nomogram does not have.
        """
        if self.coefficient is None:
            return self._effect_of_levels(column, patients)
        numbers = np.asarray(column, dtype=float)
        bad = ~np.isfinite(numbers)
        if bad.any():
            names = listed(p for p, out in zip(patients, bad, strict=True) if out)
            raise InvalidInput(
                f"{self.name!r} is missing or infinite for {int(bad.sum())} patients: "
                f"{names}. A nomogram needs every variable; impute in the pipeline "
                "or leave these patients out."
            )
        return numbers * self.coefficient

    def _effect_of_levels(
        self, column: Any, patients: Sequence[Any]
    ) -> npt.NDArray[np.float64]:
        known = dict(zip(self.values, self.effects, strict=True))
        for patient, level in zip(patients, column, strict=True):
            if level not in known:
                raise InvalidInput(
                    f"Patient {patient}: {self.name!r} is {level!r}; the nomogram has "
                    f"the levels {listed(self.values)}."
                    f"{did_you_mean(str(level), self.values)}"
                )
        return np.array([known[level] for level in column], dtype=float)

    def outside(self, column: Any) -> npt.NDArray[np.bool_]:
        """Return where a value lies off the axis (never, for named levels)."""
        if self.coefficient is None:
            return np.zeros(len(column), dtype=bool)
        numbers = np.asarray(column, dtype=float)
        if self.discrete:
            return ~np.isin(numbers, np.asarray(self.values, dtype=float))
        return (numbers < self.values[0]) | (numbers > self.values[-1])

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, parts: Mapping[str, Any]) -> Variable:
        """Build the variable from :meth:`to_dict`."""
        values, effects = tuple(parts["values"]), tuple(parts["effects"])
        return cls(**{**parts, "values": values, "effects": effects})
