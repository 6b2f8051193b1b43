"""The nomogram: a fitted Cox model as points, a table, a JSON file, a calculator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import scale
from sarcfeat.nomogram.calculator import render
from sarcfeat.nomogram.document import read_document, write_document
from sarcfeat.nomogram.fitted import parts_of_model, parts_of_pipeline
from sarcfeat.nomogram.patients import sum_of_effects
from sarcfeat.nomogram.pretty import pretty
from sarcfeat.nomogram.variable import Variable

__all__ = ["Nomogram"]

PROBABILITIES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, kw_only=True)
class Nomogram:
    """A Cox model as a clinician reads it: points add up to a probability.

    The points of a variable are ``100 * (x * beta - axis minimum) / widest axis``;
    the linear predictor is ``sum(x * beta) - center`` and the probability of the
    event by horizon t is ``1 - S0(t) ** exp(linear predictor)``. It is made of plain
    numbers only: what it holds is what :meth:`to_json` writes.

    Parameters
    ----------
    variables : sequence of Variable
        The axes, in the order of printing. It may be empty (nothing was selected):
        everyone then has the baseline probability.
    center : float
        The value of ``sum(x * beta)`` at which `baseline_survival` holds.
    times : sequence of float
        The horizons, in `time_unit`.
    baseline_survival : sequence of float
        Probability of being event-free at each horizon where the linear predictor,
        centred, is 0.
    max_time : float, optional
        The longest follow-up of the training patients, in `time_unit`.
    lp_range : tuple of float, optional
        Smallest and largest centred linear predictor among the training patients:
        the extent of the axis of total points. Without it, all the axes reach.
    time_unit : str
        ``"days"``, ``"months"`` or ``"years"``, for the reader.
    event : str
        What the event is, for the reader, such as ``"metastasis"``.
    beyond : {"raise", "flag"}
        What to do with a horizon after `max_time`: refuse it, or keep it and mark
        it everywhere it is shown.

    Raises
    ------
    InvalidInput
        A horizon beyond the follow-up, a probability outside [0, 1], two variables
        of one name.

    References
    ----------
    Harrell FE. Regression Modeling Strategies (``rms::nomogram``); Iasonos A et al.
    How to build and interpret a nomogram for cancer prognosis. J Clin Oncol 2008.

    Examples
    --------
    >>> nomogram = Nomogram(
    ...     variables=[
    ...         Variable.numeric("age", 0.02, low=20, high=80, unit="years"),
    ...         Variable.coded("high_grade", 0.6, levels=(0, 1)),
    ...     ],
    ...     center=1.3, times=[730, 1826], baseline_survival=[0.8, 0.6],
    ...     max_time=4000,
    ... )
    >>> X = pd.DataFrame({"age": [50], "high_grade": [1]}, index=["p1"])
    >>> nomogram.points(X).round(1).to_dict()
    {'p1': 100.0}
    >>> nomogram.predict(X).round(3)
    time  730.0   1826.0
    p1      0.26   0.498
    """

    variables: Sequence[Variable]
    center: float
    times: Sequence[float]
    baseline_survival: Sequence[float]
    max_time: float | None = None
    lp_range: tuple[float, float] | None = None
    time_unit: str = "days"
    event: str = "the event"
    beyond: str = "raise"

    def __post_init__(self) -> None:
        """Turn what was given into plain tuples and refuse what cannot be right."""
        for name in ("times", "baseline_survival"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        object.__setattr__(self, "variables", tuple(self.variables))
        object.__setattr__(self, "center", float(self.center))
        if self.max_time is not None:
            object.__setattr__(self, "max_time", float(self.max_time))
        if self.lp_range is not None:
            low, high = self.lp_range
            object.__setattr__(self, "lp_range", (float(low), float(high)))
        pick(self.beyond, ("raise", "flag"), "choice of `beyond`")
        self._check_horizons()
        names = [variable.name for variable in self.variables]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidInput(f"Two variables of a nomogram share a name: {twice}.")

    def _check_horizons(self) -> None:
        if not self.times or len(self.times) != len(self.baseline_survival):
            raise InvalidInput(
                "A nomogram needs at least one horizon and one baseline survival for "
                f"each; got {len(self.times)} and {len(self.baseline_survival)}."
            )
        wrong = [s for s in self.baseline_survival if not 0 <= s <= 1]
        if wrong:
            raise InvalidInput(f"A baseline survival lies in [0, 1]; got {wrong}.")
        if not math.isfinite(self.center):
            raise InvalidInput(
                f"The center must be a finite number; got {self.center}."
            )
        if any(not 0 < time < math.inf for time in self.times):
            raise InvalidInput(f"A horizon is a time above 0; got {list(self.times)}.")
        if self.late_times and self.beyond == "raise":
            raise InvalidInput(
                f"Horizon {listed(f'{t:g}' for t in self.late_times)} lies beyond the "
                f"last observed time, {self.max_time:g} {self.time_unit}: nothing was "
                "seen there. Choose an earlier horizon, or pass beyond='flag' to keep "
                "it, marked."
            )

    @classmethod
    def from_model(
        cls,
        model: Any,
        *,
        times: Sequence[float],
        labels: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        **described: Any,
    ) -> Nomogram:
        """Make the nomogram of a fitted Cox model.

        Parameters
        ----------
        model : CoxPH
            Fitted; any Cox model with ``coef_``, ``linear_center_``, ``ranges_`` and
            ``predict_survival_function(X, times)`` will do.
        times : sequence of float
            Horizons, in the unit of the survival times.
        labels, units : mapping, optional
            Column of the design → what the reader sees; the column without its
            prefixes (``clin__``, ``clinical.``) is understood too.
        **described
            `time_unit`, `event` and `beyond`, as for the class.

        Raises
        ------
        InvalidInput
            A model without the parts above, or a horizon beyond the follow-up.
        """
        parts = parts_of_model(model, times=times, labels=labels, units=units)
        return cls(**parts, **described)

    @classmethod
    def from_pipeline(
        cls,
        pipeline: Any,
        *,
        times: Sequence[float],
        labels: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        **described: Any,
    ) -> Nomogram:
        """Make the nomogram of the Cox model at the end of a fitted pipeline.

        The nomogram is about the model's final design: a rad-score is one of its
        variables, the radiomics features behind it are not. To score new patients
        give it ``pipeline[:-1].transform(X)``.

        Parameters
        ----------
        pipeline : sklearn.pipeline.Pipeline
            Fitted, its last step a model as :meth:`from_model` takes.
        times, labels, units, **described
            As for :meth:`from_model`.

        Raises
        ------
        InvalidInput
            The columns of the design have no names, or the model lacks a part.
        """
        parts = parts_of_pipeline(pipeline, times=times, labels=labels, units=units)
        return cls(**parts, **described)

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

    def points_table(self) -> pd.DataFrame:
        """Return the points at each value of each variable: the nomogram as a table.

        Its columns are variable, value and points.
        """
        rows = [
            (variable.title, value, points)
            for variable in self.variables
            for value, points in zip(
                variable.values, self.points_of(variable), strict=True
            )
        ]
        return pd.DataFrame(rows, columns=["variable", "value", "points"])

    def total_points_table(self, times: Sequence[float] | None = None) -> pd.DataFrame:
        """Return the probability of the event by horizon for each total of points.

        The index is the total of points; `times` picks some of the horizons.
        """
        ticks = self.total_ticks() if self.points_per_lp else [0.0]
        lp = [self.lp_at_zero_points + t / (self.points_per_lp or 1) for t in ticks]
        table = self._as_table(lp, pd.Index(ticks, name="total_points"))
        return table if times is None else table[[self._time(t) for t in times]]

    def probability_axis(
        self, time: float, probabilities: Sequence[float] = PROBABILITIES
    ) -> pd.DataFrame:
        """Return the total points at which the event has a given probability.

        Parameters
        ----------
        time : float
            One of the horizons.
        probabilities : sequence of float
            Of the event by then; those that no patient reaches are left out.

        Returns
        -------
        DataFrame with the columns probability, total_points
        """
        baseline = self.baseline_survival[self.times.index(self._time(time))]
        if not 0 < baseline < 1 or not self.points_per_lp:
            return pd.DataFrame({"probability": [], "total_points": []}, dtype=float)
        wanted = np.asarray(probabilities, dtype=float)
        lp = scale.lp_at_probability(wanted, baseline)
        ticks = self.lp_ticks()
        kept = (lp >= ticks[0]) & (lp <= ticks[-1])
        points = self.points_at(lp[kept])
        return pd.DataFrame({"probability": wanted[kept], "total_points": points})

    def _time(self, time: float) -> float:
        if float(time) not in self.times:
            raise InvalidInput(
                f"The nomogram has no horizon {time:g}; it has "
                f"{listed(f'{t:g}' for t in self.times)}."
            )
        return float(time)

    def _as_table(self, lp: Any, index: pd.Index) -> pd.DataFrame:
        columns = pd.Index(self.times, name="time")
        table = scale.event_probability(lp, self.baseline_survival)
        return pd.DataFrame(table, index=index, columns=columns)

    def _lp(self, X: Any) -> tuple[npt.NDArray[np.float64], pd.Index]:
        total, patients = sum_of_effects(self.variables, X)
        return total - self.center, patients

    def linear_predictor(self, X: Any) -> pd.Series:
        """Return the centred linear predictor of patients; see :meth:`predict`."""
        lp, patients = self._lp(X)
        return pd.Series(lp, index=patients, name="linear_predictor")

    def points(self, X: Any) -> pd.Series:
        """Return the total points of patients; see :meth:`predict`."""
        lp, patients = self._lp(X)
        return pd.Series(self.points_at(lp), index=patients, name="points")

    def predict(self, X: Any) -> pd.DataFrame:
        """Return the probability of the event by each horizon.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_variables)
            The model's final design (for a pipeline ``pipeline[:-1].transform(X)``):
            columns by name, or in the order of the variables for an array.

        Returns
        -------
        DataFrame indexed by patient, one column a horizon, values in [0, 1]

        Raises
        ------
        InvalidInput
            A missing column or value, or an unknown level.

        Warns
        -----
        OutsideRange
            A value lies off its axis; it is not clipped.
        """
        lp, patients = self._lp(X)
        return self._as_table(lp, patients)

    def to_dict(self) -> dict[str, Any]:
        """Return everything the nomogram knows, as plain values."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**parts, "variables": [v.to_dict() for v in self.variables]}

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the nomogram as JSON, and write it to `path` where one is given.

        Every number comes back exactly through :meth:`from_json`.
        """
        text = write_document(self.to_dict())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> Nomogram:
        """Read a nomogram from the text, or the file, that :meth:`to_json` wrote.

        Raises
        ------
        InvalidInput
            No nomogram, or one of another schema version.
        """
        return cls(**read_document(source))

    def to_html(
        self,
        path: str | Path,
        *,
        title: str = "Nomogram calculator",
        values: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a calculator: one HTML page that needs no network.

        Parameters
        ----------
        path : path
        title : str
            Heading of the page.
        values : mapping, optional
            Variable → the value shown first; the median where not given.
        """
        names = [variable.name for variable in self.variables]
        for name in values or {}:
            pick(name, names, "variable")
        file = Path(path)
        file.write_text(render(self, title, dict(values or {})), encoding="utf-8")
        return file
