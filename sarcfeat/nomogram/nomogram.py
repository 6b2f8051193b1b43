"""The nomogram: a fitted model as points, a table, a JSON file, a calculator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import scale
from sarcfeat.nomogram.files import NomogramFiles
from sarcfeat.nomogram.fitted import parts_of_model, parts_of_pipeline
from sarcfeat.nomogram.given import parts_given
from sarcfeat.nomogram.patients import designs, read_patients, sum_of_effects
from sarcfeat.nomogram.tables import NomogramTables
from sarcfeat.nomogram.uncertainty import Uncertainty, z_value
from sarcfeat.nomogram.variable import Variable

__all__ = ["Nomogram"]


@dataclass(frozen=True, kw_only=True)
class Nomogram(NomogramFiles, NomogramTables):
    """A model as a clinician reads it: points add up to a probability.

    The points of a variable are ``100 * (x * beta - axis minimum) / widest axis``;
    the linear predictor is ``sum(x * beta) - center`` and the probability of the
    event by horizon t is ``1 - S0(t) ** exp(linear predictor)``; of a logistic model
    it is ``1 / (1 + exp(-linear predictor))``. It is made of plain numbers only: what
    it holds is what :meth:`to_json` writes.

    Parameters
    ----------
    variables : sequence of Variable
        The axes, in the order of printing. It may be empty (nothing was selected):
        everyone then has the baseline probability.
    center : float
        The value of ``sum(x * beta)`` at which `baseline_survival` holds.
    times : sequence of float
        The horizons, in `time_unit`; none for a logistic model.
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
    kind : {"survival", "incidence", "logistic"}
        Whose probability it is: of an event (Cox), of one cause where others compete
        (Fine and Gray), or of a yes-or-no outcome.
    uncertainty : Uncertainty, optional
        What the intervals are made of; a penalised model has none.
    note : str
        Shown with every table, figure and page, such as ``"refit"``.

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
    times: Sequence[float] = ()
    baseline_survival: Sequence[float] = ()
    max_time: float | None = None
    lp_range: tuple[float, float] | None = None
    time_unit: str = "days"
    event: str = "the event"
    beyond: str = "raise"
    kind: str = "survival"
    uncertainty: Uncertainty | None = None
    note: str = ""

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
        pick(self.kind, ("survival", "incidence", "logistic"), "kind of nomogram")
        self._check_horizons()
        names = [variable.name for variable in self.variables]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidInput(f"Two variables of a nomogram share a name: {twice}.")
        self._check_uncertainty()

    def _check_uncertainty(self) -> None:
        known = self.uncertainty
        if known is None:
            return
        wanted = sum(len(v.weights) for v in self.variables), max(len(self.times), 1)
        got = len(known.covariance), len(known.variances)
        if got != wanted:
            raise InvalidInput(
                f"The uncertainty is of {got[0]} coefficients at {got[1]} horizons; "
                f"the nomogram has {wanted[0]} and {wanted[1]}."
            )

    def _check_horizons(self) -> None:
        if self.kind == "logistic" and (self.times or self.baseline_survival):
            raise InvalidInput(
                "A logistic nomogram has no horizons and no baseline survival; its "
                f"center is minus the intercept. Got times={list(self.times)}."
            )
        uneven = len(self.times) != len(self.baseline_survival)
        if uneven or not (self.times or self.kind == "logistic"):
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
        times: Sequence[float] | None = None,
        X: Any = None,
        terms: Sequence[Any] = (),
        labels: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        stratum: str | None = None,
        **described: Any,
    ) -> Nomogram:
        """Make the nomogram of a fitted model.

        Parameters
        ----------
        model : CoxPH, FineGray, StepwiseCox, LassoCox, Logistic or the like
            Fitted. Any with ``coef_`` and ``predict_survival_function(X, times)``, or
            a classifier with ``coef_``, ``intercept_`` and two classes, will do.
        times : sequence of float, optional
            Horizons, in the unit of the survival times; none for a classifier.
        X : DataFrame or array, optional
            The training patients, for a model that does not remember their ranges
            (``LassoCox``, scikit-learn's own).
        terms : sequence of fitted transformers
            ``Categories`` and ``RestrictedCubicSpline`` that made the columns: what
            they made of one variable becomes one axis.
        labels, units : mapping, optional
            Column of the design → what the reader sees; the column without its
            prefixes (``clin__``, ``clinical.``) is understood too.
        stratum : str, optional
            Whose baseline hazard, of a stratified Cox model.
        **described
            `time_unit`, `event`, `beyond` and `note`, as for the class.

        Raises
        ------
        InvalidInput
            A model without the parts above, or a horizon beyond the follow-up.
        """
        parts = parts_of_model(
            model,
            times=times,
            X=X,
            terms=terms,
            labels=labels,
            units=units,
            stratum=stratum,
        )
        return cls(**parts, **described)

    @classmethod
    def from_pipeline(
        cls,
        pipeline: Any,
        *,
        times: Sequence[float] | None = None,
        X: Any = None,
        labels: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        stratum: str | None = None,
        **described: Any,
    ) -> Nomogram:
        """Make the nomogram of the model at the end of a fitted pipeline.

        The nomogram is about the model's final design: a rad-score is one of its
        variables, the radiomics features behind it are not. To score new patients
        give it ``pipeline[:-1].transform(X)``. The columns that ``Categories`` and
        ``RestrictedCubicSpline`` made of one variable become one axis.

        Parameters
        ----------
        pipeline : sklearn.pipeline.Pipeline
            Fitted, its last step a model as :meth:`from_model` takes.
        X : DataFrame, optional
            The training patients as the pipeline takes them; see :meth:`from_model`.
        times, labels, units, stratum, **described
            As for :meth:`from_model`.

        Raises
        ------
        InvalidInput
            The columns of the design have no names, or the model lacks a part.
        """
        parts = parts_of_pipeline(
            pipeline, times=times, X=X, labels=labels, units=units, stratum=stratum
        )
        return cls(**parts, **described)

    @classmethod
    def from_linear_predictor(
        cls,
        coefficients: Mapping[str, Any],
        *,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        center: float = 0.0,
        baseline_survival: Mapping[float, float] | None = None,
        intercept: float | None = None,
        **described: Any,
    ) -> Nomogram:
        """Make the nomogram of coefficients that you know.

        Parameters
        ----------
        coefficients : mapping
            Variable → its coefficient (with a range in `ranges`), or a mapping of
            levels to effects, or a :class:`Variable`.
        ranges : mapping of str to (low, high), optional
            Of the variables with one coefficient; (0, 1) makes it a yes-or-no one.
        center : float
            The value of ``sum(x * beta)`` at which `baseline_survival` holds.
        baseline_survival : mapping of float to float, optional
            Horizon → probability of no event by then. Give it for a hazard, and
            `intercept` for log odds.
        intercept : float, optional
            Log odds of someone whose ``sum(x * beta)`` is 0.
        **described
            Further arguments of the class, such as `max_time` or `event`.

        Raises
        ------
        InvalidInput
            A coefficient without a range, or not one of `baseline_survival` and
            `intercept`.

        Examples
        --------
        >>> nomogram = Nomogram.from_linear_predictor(
        ...     {"age": 0.03, "depth": {"superficial": 0.0, "deep": 0.7}},
        ...     ranges={"age": (20, 80)}, intercept=-3.0, event="metastasis",
        ... )
        >>> X = pd.DataFrame({"age": [60], "depth": ["deep"]}, index=["p1"])
        >>> nomogram.predict(X).round(3)
            probability
        p1        0.378
        """
        parts = parts_given(coefficients, ranges, center, baseline_survival, intercept)
        return cls(**parts, **described)

    def linear_predictor(self, X: Any) -> pd.Series:
        """Return the centred linear predictor of patients; see :meth:`predict`."""
        patients = read_patients(self.variables, X)
        lp = sum_of_effects(self.variables, patients) - self.center
        return pd.Series(lp, index=patients.index, name="linear_predictor")

    def points(self, X: Any) -> pd.Series:
        """Return the total points of patients; see :meth:`predict`."""
        patients = read_patients(self.variables, X)
        lp = sum_of_effects(self.variables, patients) - self.center
        return pd.Series(self.points_at(lp), index=patients.index, name="points")

    def predict(
        self, X: Any, *, interval: bool = False, level: float = 0.95
    ) -> pd.DataFrame:
        """Return the probability of the event by each horizon.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_variables)
            The variables' own columns, or the model's final design (for a pipeline
            ``pipeline[:-1].transform(X)``): by name, or in order for an array.
        interval : bool
            Whether to give the interval of each probability, too.
        level : float
            Its coverage. It says how well the model is known, not how patients vary.

        Returns
        -------
        DataFrame
            Indexed by patient, one column a horizon (``probability`` of a logistic
            model), values in [0, 1]. With `interval` indexed by patient and time, with
            the columns ``probability, ci_low, ci_high``.

        Raises
        ------
        InvalidInput
            A missing column or value, an unknown level, or no interval to give.

        Warns
        -----
        OutsideRange
            A value lies outside the range of the model's patients; it is not clipped.

        References
        ----------
        Intervals on the scale of log(-log S), as R's ``survfit.coxph(conf.type =
        "log-log")``, and on that of the log odds.
        """
        patients = read_patients(self.variables, X)
        lp = sum_of_effects(self.variables, patients) - self.center
        if not interval:
            return self._as_table(lp, patients.index)
        if self.uncertainty is None:
            raise InvalidInput(
                "This nomogram has no intervals: its model gave no covariance of the "
                "coefficients (a penalised model has none). Make it of CoxPH, "
                "FineGray or Logistic, or bootstrap the whole pipeline."
            )
        error = self.uncertainty.standard_error(designs(self.variables, patients))
        reach = z_value(level) * error
        sides = [lp[:, None] + sign * reach for sign in (0, -1, 1)]
        risks = [scale.event_probability(s, self.baseline_survival) for s in sides]
        index = patients.index
        if self.times:
            index = pd.MultiIndex.from_product(
                [patients.index, self.times], names=[patients.index.name, "time"]
            )
        columns = ["probability", "ci_low", "ci_high"]
        values = np.stack(risks, axis=2).reshape(-1, 3)
        return pd.DataFrame(values, index=index, columns=columns)
