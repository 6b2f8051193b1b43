"""One variable of a nomogram: what it adds to the linear predictor at each value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.pretty import pretty
from sarcfeat.transform.spline_basis import spline_basis, turning_points

__all__ = ["Variable"]


@dataclass(frozen=True)
class Variable:
    """One axis of a nomogram: its values and what each adds to the linear predictor.

    Build it with :meth:`numeric` (a measured quantity), :meth:`spline` (one whose
    effect bends), :meth:`coded` (a quantity with a few values, such as 0/1) or
    :meth:`categories` (named levels).

    Parameters
    ----------
    name : str
        The column of the model's design that holds the variable.
    label : str
        What a reader of the nomogram sees.
    unit : str
        The unit of the values, empty where there is none.
    coefficient : float or None
        Log hazard ratio (or log odds ratio) per unit; None for a spline and for named
        levels.
    values : tuple
        The values at the ticks of the axis, ascending for numbers.
    effects : tuple of float
        What each of `values` adds to the linear predictor.
    discrete : bool
        Whether only the listed values occur.
    start : float or str
        The value that a calculator shows first (the median).
    knots, curve : tuple of float
        Of a spline: its knots, and the coefficients of its columns.
    columns : tuple of str
        The columns of the model's design that the axis stands for, where they are more
        than the variable itself.
    limits : tuple of float
        Smallest and largest value among the patients of the model, of a measured
        quantity; the axis reaches to the round numbers beyond.

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
    knots: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    columns: tuple[str, ...] = ()
    limits: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no axis can be drawn from."""
        if not self.values or len(self.values) != len(self.effects):
            raise InvalidInput(
                f"Variable {self.name!r} has {len(self.values)} values and "
                f"{len(self.effects)} effects; give one effect for each of the "
                "values, and at least one."
            )
        numbers = [*self.effects, *([] if self.named else self.values), *self.curve]
        if not all(math.isfinite(number) for number in numbers):
            raise InvalidInput(
                f"Variable {self.name!r} has a value or an effect that is not finite:"
                f" values {listed(self.values)}, effects {listed(self.effects)}."
            )
        if self.knots and len(self.curve) != len(self.knots) - 1:
            raise InvalidInput(
                f"Variable {self.name!r} has {len(self.knots)} knots and "
                f"{len(self.curve)} coefficients; a restricted cubic spline has one "
                "coefficient fewer than knots."
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
            limits=(float(low), float(high)),
        )

    @classmethod
    def spline(
        cls,
        name: str,
        curve: Sequence[float],
        knots: Sequence[float],
        *,
        low: float,
        high: float,
        label: str | None = None,
        unit: str = "",
        start: float | None = None,
        columns: Sequence[str] = (),
    ) -> Variable:
        """Make the axis of a measured quantity whose effect is a cubic spline.

        Parameters
        ----------
        name : str
            Column that holds the quantity itself.
        curve : sequence of float
            Coefficients of the columns of
            :class:`sarcfeat.transform.RestrictedCubicSpline`, one fewer than knots.
        knots : sequence of float
        low, high, label, unit, start
            As for :meth:`numeric`.
        columns : sequence of str, optional
            The columns of the model's design.
        """
        ticks = tuple(pretty(low, high))
        middle = ticks[len(ticks) // 2]
        weights = tuple(float(weight) for weight in curve)
        at = tuple(float(knot) for knot in knots)
        effects: tuple[float, ...] = (0.0,) * len(ticks)
        if len(weights) == len(at) - 1:  # else refused below, in plain words
            effects = tuple((spline_basis(ticks, at) @ weights).tolist())
        return cls(
            name=name,
            label=name if label is None else label,
            unit=unit,
            coefficient=None,
            values=ticks,
            effects=effects,
            discrete=False,
            start=middle if start is None else float(start),
            knots=at,
            curve=weights,
            columns=tuple(columns),
            limits=(float(low), float(high)),
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
        columns: Sequence[str] = (),
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
            columns=tuple(columns),
        )

    @property
    def named(self) -> bool:
        """Whether the values are words, not numbers."""
        return self.coefficient is None and not self.knots

    @property
    def weights(self) -> tuple[float, ...]:
        """Return the coefficients of the columns of :meth:`design`."""
        if self.coefficient is not None:
            return (self.coefficient,)
        return self.curve or self.effects

    @property
    def reach(self) -> tuple[Any, Any]:
        """Return the smallest and largest value that the model saw."""
        return (self.limits or self.values)[0], (self.limits or self.values)[-1]

    @cached_property
    def turns(self) -> tuple[float, ...]:
        """Return the values on the axis at which the effect turns up or down."""
        if not self.knots:
            return ()
        found = turning_points(self.curve, self.knots)
        return tuple(v for v in found if self.values[0] < v < self.values[-1])

    @cached_property
    def along(self) -> tuple[tuple[Any, float], ...]:
        """Return (value, effect) along the axis: its ticks, and where it turns."""
        if not self.turns:
            return tuple(zip(self.values, self.effects, strict=True))
        turned = self.effect_at(self.turns)
        pairs = [*zip(self.values, self.effects, strict=True)]
        return tuple(sorted([*pairs, *zip(self.turns, turned.tolist(), strict=True)]))

    @property
    def lowest(self) -> float:
        """Return the smallest effect on the axis: where the variable has 0 points."""
        return min(effect for _, effect in self.along)

    @property
    def width(self) -> float:
        """Return the largest difference in linear predictor along the axis."""
        return max(effect for _, effect in self.along) - self.lowest

    @property
    def title(self) -> str:
        """Return the label with its unit: ``Age (years)``."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def effect_of(
        self, column: Any, patients: Iterable[Any]
    ) -> npt.NDArray[np.float64]:
        """Return what each patient's value adds to the linear predictor.

        Parameters
        ----------
        column : array-like
            The patients' values.
        patients : sequence
            Their names, for the messages.

        Raises
        ------
        InvalidInput
            A missing value, or a level that the nomogram does not have.
        """
        if self.named:
            at = self._which_level(column, patients)
            return np.array(self.effects, dtype=float)[at]
        return self.effect_at(self._numbers(column, patients))

    def effect_at(self, numbers: Any) -> npt.NDArray[np.float64]:
        """Return what known numbers add to the linear predictor."""
        x = np.asarray(numbers, dtype=float)
        if self.coefficient is not None:
            return np.asarray(x * self.coefficient)
        return np.asarray(spline_basis(x, self.knots) @ np.array(self.curve))

    def design(self, column: Any, patients: Iterable[Any]) -> npt.NDArray[np.float64]:
        """Return the columns whose product with :attr:`weights` is the effect.

        Parameters
        ----------
        column, patients
            As for :meth:`effect_of`.

        Returns
        -------
        ndarray of shape (n_patients, n_weights)
            0/1 for each level of a variable with named levels.
        """
        if self.named:
            return np.eye(len(self.values))[self._which_level(column, patients)]
        numbers = self._numbers(column, patients)
        return spline_basis(numbers, self.knots) if self.knots else numbers[:, None]

    def _numbers(self, column: Any, patients: Iterable[Any]) -> npt.NDArray[np.float64]:
        try:
            numbers = np.asarray(column, dtype=float)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{self.name!r} must be numbers: {error}.") from error
        bad = ~np.isfinite(numbers)
        if bad.any():
            names = listed(p for p, out in zip(patients, bad, strict=True) if out)
            raise InvalidInput(
                f"{self.name!r} is missing or infinite for {int(bad.sum())} patients: "
                f"{names}. A nomogram needs every variable; impute in the pipeline "
                "or leave these patients out."
            )
        return numbers

    def _which_level(
        self, column: Any, patients: Iterable[Any]
    ) -> npt.NDArray[np.intp]:
        place = {value: i for i, value in enumerate(self.values)}
        for patient, level in zip(patients, column, strict=True):
            if level not in place:
                raise InvalidInput(
                    f"Patient {patient}: {self.name!r} is {level!r}; the nomogram has "
                    f"the levels {listed(self.values)}."
                    f"{did_you_mean(str(level), self.values)}"
                )
        return np.array([place[level] for level in column], dtype=np.intp)

    def outside(self, column: Any) -> npt.NDArray[np.bool_]:
        """Return where a value is none that the model saw (never, for named levels)."""
        if self.named:
            return np.zeros(len(column), dtype=bool)
        numbers = np.asarray(column, dtype=float)
        if self.discrete:
            return ~np.isin(numbers, np.asarray(self.values, dtype=float))
        low, high = self.reach
        return (numbers < low) | (numbers > high)

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, parts: Mapping[str, Any]) -> Variable:
        """Build the variable from :meth:`to_dict`."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in parts.items()
        }
        return cls(**{**plain, "values": tuple(parts["values"])})
