"""What a nomogram prints: points of values, points of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import scale
from sarcfeat.nomogram.pretty import pretty
from sarcfeat.nomogram.variable import Variable

__all__ = ["NomogramTables"]

PROBABILITIES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class NomogramTables:
    """The ticks and the tables of a nomogram; :class:`Nomogram` holds the numbers."""

    variables: Sequence[Variable]
    center: float
    times: Sequence[float]
    baseline_survival: Sequence[float]
    max_time: float | None
    lp_range: tuple[float, float] | None
    kind: str
    note: str

    @property
    def points_per_lp(self) -> float:
        """Points for one unit of linear predictor; 0 where no variable matters."""
        return scale.points_per_lp(self.variables)

    @property
    def lp_at_zero_points(self) -> float:
        """Centred linear predictor of someone with 0 points on every axis."""
        return scale.lp_at_zero_points(self.variables, self.center)

    @property
    def late_times(self) -> tuple[float, ...]:
        """The horizons beyond the last observed time (only with beyond="flag")."""
        if self.max_time is None:
            return ()
        return tuple(time for time in self.times if time > self.max_time)

    def points_of(self, variable: Variable) -> npt.NDArray[np.float64]:
        """Return the points at each tick of a variable's axis."""
        return (np.array(variable.effects) - variable.lowest) * self.points_per_lp

    def lp_ticks(self) -> list[float]:
        """Return the round centred linear predictors that the total axis spans."""
        start = self.lp_at_zero_points
        reach = sum(variable.width for variable in self.variables)
        return pretty(*(self.lp_range or (start, start + reach)))

    def total_ticks(self) -> list[float]:
        """Return the ticks of the axis of total points, as ``rms::nomogram``'s."""
        return scale.total_ticks(
            self.lp_ticks(),
            self.lp_at_zero_points,
            self.points_per_lp,
            len(self.variables),
        )

    def points_at(self, lp: Any) -> npt.NDArray[np.float64]:
        """Return the total points at centred linear predictors."""
        return scale.points_at(lp, self.lp_at_zero_points, self.points_per_lp)

    def probability_at(self, total_points: Any) -> pd.DataFrame:
        """Return the probability of the event for totals of points.

        Parameters
        ----------
        total_points : array-like of float, shape (n,)

        Returns
        -------
        DataFrame
            Index: the totals; one column a horizon (``probability``, of a logistic
            model).
        """
        totals = np.asarray(total_points, dtype=float)
        lp = self.lp_at_zero_points + totals / (self.points_per_lp or 1)
        return self._as_table(lp, pd.Index(totals, name="total_points"))

    def points_table(self) -> pd.DataFrame:
        """Return the points at each value of each variable: the nomogram as a table.

        Its columns are variable, value and points; a spline also has the values at
        which it turns. A nomogram with a note has it in the column ``note``.
        """
        rows = [
            (variable.title, value, (effect - variable.lowest) * self.points_per_lp)
            for variable in self.variables
            for value, effect in variable.along
        ]
        table = pd.DataFrame(rows, columns=["variable", "value", "points"])
        return table.assign(note=self.note) if self.note else table

    def total_points_table(self, times: Sequence[float] | None = None) -> pd.DataFrame:
        """Return the probability of the event by horizon for each total of points.

        The index is the total of points; `times` picks some of the horizons.
        """
        ticks = self.total_ticks() if self.points_per_lp else [0.0]
        table = self.probability_at(ticks)
        return table if times is None else table[[self._time(t) for t in times]]

    def probability_axis(
        self,
        time: float | None = None,
        probabilities: Sequence[float] = PROBABILITIES,
    ) -> pd.DataFrame:
        """Return the total points at which the event has a given probability.

        Parameters
        ----------
        time : float, optional
            One of the horizons; none for a logistic model.
        probabilities : sequence of float
            Of the event by then; those that no patient reaches are left out.

        Returns
        -------
        DataFrame with the columns probability, total_points
        """
        baseline = self._baseline_at(time)
        certain = baseline is not None and not 0 < baseline < 1
        if certain or not self.points_per_lp:
            return pd.DataFrame({"probability": [], "total_points": []}, dtype=float)
        wanted = np.asarray(probabilities, dtype=float)
        lp = scale.lp_at_probability(wanted, baseline)
        ticks = self.lp_ticks()
        kept = (lp >= ticks[0]) & (lp <= ticks[-1])
        points = self.points_at(lp[kept])
        return pd.DataFrame({"probability": wanted[kept], "total_points": points})

    def _baseline_at(self, time: float | None) -> float | None:
        if self.kind == "logistic" and time is None:
            return None
        return self.baseline_survival[self.times.index(self._time(time))]

    def _time(self, time: float | None) -> float:
        if time is None or float(time) not in self.times:
            horizons = listed(f"{t:g}" for t in self.times) or "none: it is logistic"
            asked = "None" if time is None else f"{time:g}"
            raise InvalidInput(
                f"The nomogram has no horizon {asked}; it has {horizons}."
            )
        return float(time)

    def _columns(self) -> pd.Index:
        if self.kind == "logistic":
            return pd.Index(["probability"])
        return pd.Index(self.times, name="time")

    def _as_table(self, lp: Any, index: pd.Index) -> pd.DataFrame:
        table = scale.event_probability(lp, self.baseline_survival)
        return pd.DataFrame(table, index=index, columns=self._columns())
