"""Published nomograms without public coefficients, fitted anew on one's own patients.

The coefficients of Sarculator and PERSARC are not public and none are invented here.
What can be compared honestly is a model of the same variables fitted on the training
patients, which every table, figure and file calls a refit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import (
    Interval,
    StrOptions,
    check_params,
    did_you_mean,
    is_frame,
    listed,
)
from sarcfeat.estimators import CoxPH, FineGray
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.nomogram import Nomogram
from sarcfeat.survival import SurvivalMixin
from sarcfeat.transform import Categories, RestrictedCubicSpline

__all__ = ["RefitNomogram", "RefitPersarc", "RefitSarculator"]

Floats = npt.NDArray[np.float64]
OTHER = "other"


class RefitNomogram(SurvivalMixin, BaseEstimator):
    """Base of the refitted nomograms: the variables of a published one, nothing else.

    Parameters
    ----------
    columns : mapping, optional
        Input → column of X. Without it, the column of the input's own name, or
        ``clinical.<name>``.
    without : sequence of str
        Inputs that the study has not; the label names them.
    n_knots : int or None
        Knots of the restricted cubic splines of the numbers; None for straight lines.
    min_patients : int
        Histologies of fewer training patients are counted to ``other``, as are those
        that come later and no training patient had.
    outcome : {"survival", "incidence"}
        A Cox model, or Fine and Gray's where causes compete.

    Attributes
    ----------
    columns_ : dict
        Input → the column of X that holds it.
    levels_ : dict
        Input → the levels seen, of the inputs that are no numbers.
    pipeline_ : Pipeline
        The fitted steps, the model last.
    summary_ : DataFrame
        The model's, with the label in the column ``model``.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    """

    published: ClassVar[str] = ""
    source: ClassVar[str] = ""
    numbers: ClassVar[Mapping[str, str]] = {"age": "years", "size": "cm"}
    words: ClassVar[tuple[str, ...]] = ()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "columns": [None, dict],
        "without": [list, tuple],
        "n_knots": [None, Interval(Integral, 3, None, closed="left")],
        "min_patients": [Interval(Integral, 1, None, closed="left")],
        "outcome": [StrOptions({"survival", "incidence"})],
    }

    def __init__(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
        n_knots: int | None = None,
        min_patients: int = 10,
        outcome: str = "survival",
    ) -> None:
        self.columns = columns
        self.without = without
        self.n_knots = n_knots
        self.min_patients = min_patients
        self.outcome = outcome

    @property
    def label(self) -> str:
        """Return what tables and figures call the model: never the published name."""
        left = f", without {listed(self.without)}" if self.without else ""
        return f"{self.published} (refit{left})"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs that are used."""
        return tuple(n for n in (*self.numbers, *self.words) if n not in self.without)

    def fit(self, X: pd.DataFrame, y: Any) -> RefitNomogram:
        """Fit the model of the published variables on these patients.

        Parameters
        ----------
        X : DataFrame
            With a column for each of the inputs; others are left alone.
        y : structured array (event, time)

        Raises
        ------
        InvalidInput
            X is no DataFrame, lacks an input, or a patient lacks a value.
        """
        check_params(self)
        self._refuse_unknown_inputs()
        if not is_frame(X):
            raise InvalidInput(
                f"{type(self).__name__} reads its inputs by name from a DataFrame; "
                f"got {type(X).__name__}. It needs {listed(self.inputs, 12)}."
            )
        self.columns_ = {name: self._column(name, X) for name in self.inputs}
        self.feature_names_in_ = np.array(list(self.columns_.values()), dtype=object)
        self.n_features_in_ = X.shape[1]
        self.levels_: dict[str, list[str]] = {}
        frame = self._frame(X)
        for name in self._coded():
            counts = frame[name].value_counts()
            enough = 1 if name != "histology" else self.min_patients
            kept = [str(word) for word in counts.index[counts >= enough]]
            few = len(kept) < len(counts)
            self.levels_[name] = sorted({*kept, *([OTHER] if few else [])})
        bend = RestrictedCubicSpline(
            [name for name in self.inputs if name in self.numbers],
            n_knots=self.n_knots or 3,
        )
        model = CoxPH() if self.outcome == "survival" else FineGray()
        steps = [Categories(), bend, model] if self.n_knots else [Categories(), model]
        self.pipeline_ = make_pipeline(*steps).fit(self._grouped(frame), y)
        self.summary_ = self.pipeline_[-1].summary_.assign(model=self.label)
        return self

    def _coded(self) -> list[str]:
        return [name for name in self.inputs if name in self.words]

    def _refuse_unknown_inputs(self) -> None:
        every = (*self.numbers, *self.words)
        for name in [*(self.columns or {}), *self.without]:
            if name not in every:
                raise InvalidInput(
                    f"{type(self).__name__} has no input {name!r}."
                    f"{did_you_mean(name, every)} It has {listed(every, 12)}."
                )

    def _column(self, name: str, X: pd.DataFrame) -> str:
        asked = (self.columns or {}).get(name)
        tried = [asked] if asked is not None else [name, f"clinical.{name}"]
        for column in tried:
            if column in X.columns:
                return column
        raise InvalidInput(
            f"{type(self).__name__} needs {name!r} and X has no column "
            f"{listed(map(repr, tried))}.{did_you_mean(tried[0], X.columns)} Say which "
            f"column holds it, columns={{{name!r}: ...}}, or leave it out and say so, "
            f"without=[{name!r}]."
        )

    def _frame(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the inputs under their own names: numbers, and words as text."""
        absent = [c for c in self.columns_.values() if c not in X.columns]
        if absent:
            raise InvalidInput(
                f"{type(self).__name__} needs the columns {listed(absent, 12)}, which "
                f"X lacks.{did_you_mean(absent[0], X.columns)}"
            )
        parts: dict[str, Any] = {}
        for name, column in self.columns_.items():
            values = X[column]
            missing = values.isna()
            if missing.any():
                raise InvalidInput(
                    f"{type(self).__name__}: column {column!r} is missing for "
                    f"{int(missing.sum())} patients: {listed(X.index[missing])}. "
                    "Impute it in the pipeline (Imputer), before this step."
                )
            parts[name] = self._values(name, values)
        return pd.DataFrame(parts, index=X.index)

    def _values(self, name: str, values: pd.Series[Any]) -> Any:
        if name in self.words:
            return values.astype(object).map(_word)
        try:
            return values.to_numpy(dtype=float)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"Column {values.name!r} is not numeric ({error}); "
                f"{type(self).__name__} takes {name!r} in {self.numbers[name]}."
            ) from error

    def _grouped(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the words with those that are too rare, or new, as ``other``."""
        frame = frame.copy()
        for name, levels in self.levels_.items():
            if OTHER in levels:
                known = frame[name].isin(levels)
                frame[name] = frame[name].where(known, OTHER)
        return frame

    def _design(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self, "pipeline_")
        if not is_frame(X):
            raise InvalidInput(
                f"{type(self).__name__} reads its inputs by name from a DataFrame; "
                f"got {type(X).__name__}."
            )
        return self._grouped(self._frame(X))

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the linear predictor of each patient; higher is worse."""
        return np.asarray(self.pipeline_.predict(self._design(X)))

    def predict_survival_function(
        self, X: pd.DataFrame, times: npt.ArrayLike
    ) -> Floats:
        """Return each patient's chance of no event by given times, (n, n_times)."""
        design = self.pipeline_[:-1].transform(self._design(X))
        return np.asarray(self.pipeline_[-1].predict_survival_function(design, times))

    def inputs_of(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the inputs as :meth:`nomogram` names them, for its ``predict``."""
        return self._design(X)

    def nomogram(self, times: Sequence[float], **described: Any) -> Nomogram:
        """Return the nomogram of the refit, with its label as the note.

        Parameters
        ----------
        times : sequence of float
            Horizons, in the unit of the training times.
        **described
            `labels`, `event`, `time_unit` ...; see :class:`Nomogram`.
        """
        check_is_fitted(self, "pipeline_")
        units = {
            name: unit for name, unit in self.numbers.items() if name in self.inputs
        }
        settings = {"units": units, "note": self.label, **described}
        return Nomogram.from_pipeline(self.pipeline_, times=times, **settings)


class RefitSarculator(RefitNomogram):
    """The variables of Sarculator in a Cox model fitted on your own patients.

    Age, size and FNCLCC grade and histology of a resected primary sarcoma of the
    extremities or the trunk wall; with ``tumour="retroperitoneal"`` whether it is
    multifocal and completely resected, too. It is not Sarculator: the published
    coefficients are not public. For the numbers of the app itself see
    :class:`ProbabilityColumn`.

    Parameters
    ----------
    columns, without, min_patients, outcome
        As for :class:`RefitNomogram`.
    n_knots : int or None
        Knots of age and size; None for straight lines.
    tumour : {"extremity", "retroperitoneal"}
        Which of the two nomograms.

    Attributes
    ----------
    columns_, levels_, pipeline_, summary_
        As for :class:`RefitNomogram`.

    References
    ----------
    Callegaro D, et al. Lancet Oncol 2016 (extremities); Gronchi A, et al. J Clin Oncol
    2013 (retroperitoneum).

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({
    ...     "age": rng.uniform(20, 80, 90), "size": rng.gamma(4, 2, 90),
    ...     "grade": rng.choice(["2", "3"], 90),
    ...     "histology": rng.choice(["LMS", "UPS"], 90),
    ... })
    >>> y = make_y(np.ones(90), rng.exponential(1000 - 9 * X["age"]))
    >>> model = RefitSarculator().fit(X, y)
    >>> model.label
    'Sarculator (refit)'
    >>> model.nomogram([365]).note
    'Sarculator (refit)'
    """

    published: ClassVar[str] = "Sarculator"
    source: ClassVar[str] = "Callegaro 2016, Lancet Oncol 17:671 (variables only)"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **RefitNomogram._parameter_constraints,
        "tumour": [StrOptions({"extremity", "retroperitoneal"})],
    }

    def __init__(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
        n_knots: int | None = 3,
        min_patients: int = 10,
        outcome: str = "survival",
        tumour: str = "extremity",
    ) -> None:
        super().__init__(
            columns=columns,
            without=without,
            n_knots=n_knots,
            min_patients=min_patients,
            outcome=outcome,
        )
        self.tumour = tumour

    @property
    def words(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the inputs that are no numbers."""
        more = ("multifocal", "resection") if self.tumour == "retroperitoneal" else ()
        return ("grade", "histology", *more)


class RefitPersarc(RefitNomogram):
    """The variables of PERSARC in a Cox model fitted on your own patients.

    Age, size, depth, grade, histology, surgical margin and radiotherapy of a high-grade
    sarcoma of the extremities. It is not PERSARC: the published coefficients are not
    public, nor was it known here how age and size were shaped, so they are straight
    lines unless `n_knots` is given.

    Parameters
    ----------
    columns, without, n_knots, min_patients, outcome
        As for :class:`RefitNomogram`; ``outcome="incidence"`` is the kind of model that
        PERSARC has for local recurrence.

    Attributes
    ----------
    columns_, levels_, pipeline_, summary_
        As for :class:`RefitNomogram`.

    References
    ----------
    van Praag VM, et al. Eur J Cancer 2017;83:313; Rueten-Budde AJ, et al. J Surg Oncol
    2021;123:1050 (grade).

    Examples
    --------
    >>> RefitPersarc(without=["margin"]).label
    'PERSARC (refit, without margin)'
    """

    published: ClassVar[str] = "PERSARC"
    source: ClassVar[str] = "van Praag 2017, Eur J Cancer 83:313 (variables only)"
    words: ClassVar[tuple[str, ...]] = (
        "depth",
        "grade",
        "histology",
        "margin",
        "radiotherapy",
    )


def _word(value: Any) -> str:
    """Write a level as text: ``3`` of a grade that was read as ``3.0``."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
