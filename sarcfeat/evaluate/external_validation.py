"""Models fitted on one cohort and judged on others that they never saw."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from sarcfeat._validation import pick
from sarcfeat.evaluate.events_per_variable import (
    events_per_variable,
    few_events_notes,
)
from sarcfeat.evaluate.printed import (
    Printed,
    interval_text,
    p_text,
)
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.metrics import (
    SurvivalCalibration,
    adjust_p,
    bootstrap_concordance_difference,
    concordance,
    survival_calibration,
)
from sarcfeat.survival import check_y, gives_survival, survival_curves

__all__ = ["ExternalValidation", "external_validation"]

NAN = float("nan")


@dataclass(frozen=True)
class ExternalValidation(Printed):
    """How models do in the cohort they were fitted on, and in others.

    Attributes
    ----------
    table : DataFrame
        One row a model and cohort: ``model, cohort, how`` (apparent or external), ``n,
        events, c_index, ci_low, ci_high`` and, with a horizon, ``calibration_slope,
        slope_low, slope_high, observed, expected`` and, where these are missing,
        ``why``.
    differences : DataFrame
        ``cohort, a, b, delta, ci_low, ci_high, p, p_adjusted`` of the c-indices, by the
        paired bootstrap; Holm within a cohort.
    fitted : dict of estimator
    risk : DataFrame
        One row a patient, one column a model.
    survival : DataFrame
        Predicted survival at the horizon; empty without one.
    calibrations : dict of (model, cohort) to SurvivalCalibration
    notes : list of str
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    fitted: dict[str, Any] = field(repr=False)
    risk: pd.DataFrame = field(repr=False)
    survival: pd.DataFrame = field(repr=False)
    calibrations: dict[tuple[str, str], SurvivalCalibration] = field(repr=False)
    notes: list[str]

    def formatted(self) -> pd.DataFrame:
        """Return the c-indices as text, a model a row, a cohort a column."""
        said = [
            interval_text(value, low, high, 3)
            for value, low, high in self.table[
                ["c_index", "ci_low", "ci_high"]
            ].to_numpy(float)
        ]
        wide = self.table.assign(said=said).pivot(
            index="model", columns="cohort", values="said"
        )
        order = self.table["cohort"].drop_duplicates()
        models = self.table["model"].drop_duplicates()
        return wide.loc[models, order].rename_axis(columns=None).reset_index()

    def formatted_differences(self) -> pd.DataFrame:
        """Return the differences as text."""
        out = self.differences[["cohort", "a", "b"]].copy()
        numbers = self.differences[["delta", "ci_low", "ci_high"]].to_numpy(float)
        out["difference (95% CI)"] = [
            interval_text(d, low, high, 3) for d, low, high in numbers
        ]
        for name, said in (("p", "p"), ("p_adjusted", "adjusted p")):
            out[said] = [p_text(p) for p in self.differences[name]]
        return out


def external_validation(
    models: Mapping[str, Any],
    X: pd.DataFrame,
    y: Any,
    cohort: pd.Series[Any],
    *,
    train: str,
    at: float | None = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: Any = 0,
) -> ExternalValidation:
    """Fit models on one cohort and judge them on every cohort.

    Parameters
    ----------
    models : mapping of name to estimator
        Each is cloned and fitted on the patients of `train` alone.
    X : DataFrame, one row a patient
    y : structured array (event, time)
    cohort : Series
        Each patient's cohort, indexed as X; a categorical keeps its own order.
    train : str
        The cohort to fit on. Its own figures are apparent: too good.
    at : float, optional
        A horizon for calibration, for models with ``predict_survival_function``.
    n_bootstrap : int
        Resamples of the patients of a cohort for the differences.
    level : float
    random_state : int, RandomState or None

    Returns
    -------
    ExternalValidation

    Raises
    ------
    UnknownName
        `train` is no cohort.
    InvalidInput
        `cohort` is of other patients.

    References
    ----------
    Table 3 and Figure 3 of Michot et al. (2025): c-indices and 1,000 paired bootstrap
    differences.

    Examples
    --------
    >>> from sarcfeat import CoxPH, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.normal(size=90)})
    >>> y = make_y(np.ones(90), rng.exponential(np.exp(-X["size"])))
    >>> where = pd.Series(np.repeat(["training", "elsewhere"], 45))
    >>> found = external_validation({"size": CoxPH()}, X, y, where, train="training")
    >>> found.table[["cohort", "how", "n"]].values.tolist()
    [['training', 'apparent', 45], ['elsewhere', 'external', 45]]
    """
    event, time = check_y(y, n=len(X))
    names = _cohort_names(cohort, X, train)
    labels = cohort.astype(str).to_numpy()
    mine = labels == train
    fitted, notes = _fitted(models, X[mine], y[mine])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SarcfeatWarning)
        risk = pd.DataFrame({n: m.predict(X) for n, m in fitted.items()}, index=X.index)
        survival = _survival(fitted, X, at)
    notes += list(dict.fromkeys(str(one.message) for one in caught))
    rows, differences, calibrations = [], [], {}
    for name in names:
        here = labels == name
        where = event[here], time[here]
        found, calibrated = _judged(*where, risk[here], survival[here], at, level)
        how = "apparent" if name == train else "external"
        rows += [
            {"model": row["model"], "cohort": name, "how": how} | row for row in found
        ]
        for model, one in calibrated.items():
            if isinstance(one, str):
                notes.append(f"{model!r} in {name!r}: no calibration, for {one}.")
            else:
                calibrations[(model, name)] = one
        if any(np.isnan(row["c_index"]) for row in found):
            notes.append(
                f"{name!r} ({int(here.sum())} patients, {int(event[here].sum())} "
                "events): no c-index, for no two patients can be compared."
            )
        differences += _differences(
            name, *where, risk[here], n_bootstrap, level, random_state
        )
    return ExternalValidation(
        pd.DataFrame(rows),
        _adjusted(differences),
        fitted,
        risk,
        survival,
        calibrations,
        notes,
    )


def _cohort_names(cohort: pd.Series[Any], X: pd.DataFrame, train: str) -> list[str]:
    """Return the cohorts, that of the training first."""
    if not cohort.index.equals(X.index) or cohort.isna().any():
        raise InvalidInput(
            "cohort must give every patient of X one cohort, in the order of X."
        )
    labels = cohort.astype(str)
    own = isinstance(cohort.dtype, pd.CategoricalDtype)
    order = [c for c in cohort.cat.categories if (cohort == c).any()] if own else labels
    first = pick(train, sorted(set(labels)), "cohort")
    return [first, *(str(name) for name in dict.fromkeys(order) if str(name) != train)]


def _fitted(
    models: Mapping[str, Any], X: pd.DataFrame, y: Any
) -> tuple[dict[str, Any], list[str]]:
    """Fit clones of the models; return what they warned of beside them."""
    fitted, notes = {}, []
    for name, model in models.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SarcfeatWarning)
            fitted[name] = clone(model).fit(X, y)
        notes += [f"{name}: {one.message}" for one in caught]
    n_events = int(y["event"].sum())
    offered = {n: events_per_variable(m, n_events) for n, m in fitted.items()}
    return fitted, notes + few_events_notes(offered)


def _judged(
    event: np.ndarray[Any, Any],
    time: np.ndarray[Any, Any],
    risk: pd.DataFrame,
    survival: pd.DataFrame,
    at: float | None,
    level: float,
) -> tuple[list[dict[str, Any]], dict[str, SurvivalCalibration | str]]:
    """Return a row for each model in one cohort, and its calibration there."""
    rows: list[dict[str, Any]] = []
    calibrated: dict[str, SurvivalCalibration | str] = {}
    for model in risk.columns.tolist():
        found = concordance(event, time, risk[model], level=level)
        row = {
            "model": model,
            "n": len(event),
            "events": int(event.sum()),
            "c_index": found.c_index,
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
        }
        if at is not None:
            calibrated[model] = _calibrated(event, time, survival, model, at)
            row |= _told(calibrated[model])
        rows.append(row)
    return rows, calibrated


def _adjusted(differences: list[Any]) -> pd.DataFrame:
    """Return the differences as a table, their p by Holm within a cohort."""
    columns = ["cohort", "a", "b", "delta", "ci_low", "ci_high", "p"]
    pairs = pd.DataFrame(differences, columns=columns)
    pairs["p_adjusted"] = NAN
    for _, part in pairs.groupby("cohort"):
        adjusted = adjust_p(part["p"].to_numpy(float), "holm")
        pairs.loc[part.index, "p_adjusted"] = adjusted
    return pairs


def _survival(
    fitted: Mapping[str, Any], X: pd.DataFrame, at: float | None
) -> pd.DataFrame:
    if at is None:
        return pd.DataFrame(index=X.index)
    return pd.DataFrame(
        {
            name: survival_curves(model, X, [at])[:, 0]
            for name, model in fitted.items()
            if gives_survival(model)
        },
        index=X.index,
    )


def _calibrated(
    event: np.ndarray[Any, Any],
    time: np.ndarray[Any, Any],
    survival: pd.DataFrame,
    model: str,
    at: float,
) -> SurvivalCalibration | str:
    """Return the calibration, or why there is none."""
    if model not in survival:
        return "the model predicts a risk and no survival at times of one's choice"
    if at > time.max():
        return f"follow-up ends at {time.max():g}, before {at:g}"
    if event.sum() < 2:
        return f"there are fewer than 2 events ({int(event.sum())})"
    predicted = survival[model].to_numpy(float)
    if np.ptp(predicted) == 0:
        return "the model predicts the same for every patient"
    try:
        return survival_calibration(event, time, predicted, at)
    except InvalidInput as error:
        # Too few distinct predictions for a smooth curve.
        return str(error).rstrip(".")


def _told(one: SurvivalCalibration | str) -> dict[str, float | str]:
    names = ("calibration_slope", "slope_low", "slope_high", "observed", "expected")
    if isinstance(one, str):
        return {**dict.fromkeys(names, NAN), "why": one}
    found = (one.slope, one.slope_low, one.slope_high, one.observed, one.expected)
    return {**dict(zip(names, found, strict=True)), "why": ""}


def _differences(
    cohort: str,
    event: np.ndarray[Any, Any],
    time: np.ndarray[Any, Any],
    risk: pd.DataFrame,
    n_bootstrap: int,
    level: float,
    random_state: Any,
) -> list[dict[str, Any]]:
    rows = []
    for a, b in combinations(risk.columns, 2):
        found = bootstrap_concordance_difference(
            event,
            time,
            risk[a],
            risk[b],
            n_bootstrap=n_bootstrap,
            level=level,
            random_state=random_state,
        )
        rows.append(
            {
                "cohort": cohort,
                "a": a,
                "b": b,
                "delta": found.delta,
                "ci_low": found.ci_low,
                "ci_high": found.ci_high,
                "p": found.p,
            }
        )
    return rows
