"""Read the plain numbers of a nomogram from a fitted model or pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.estimators import ParametricAFT
from sarcfeat.estimators.display_ranges import display_ranges
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.axes import Axis, axes_of
from sarcfeat.nomogram.terms import Term, terms_of, terms_of_pipeline
from sarcfeat.nomogram.uncertainty import Uncertainty
from sarcfeat.survival import survival_curves

__all__ = ["parts_of_model", "parts_of_pipeline"]

Floats = npt.NDArray[np.float64]


def _is_logistic(model: Any) -> bool:
    return hasattr(model, "predict_proba") and hasattr(model, "intercept_")


def _refuse(model: Any, *, times: Sequence[float] | None) -> None:
    """Refuse what no nomogram can be made of, in words that lead on."""
    logistic = _is_logistic(model)
    needed = ("coef_", "classes_") if logistic else ("coef_", _CURVE)
    missing = [part for part in needed if not hasattr(model, part)]
    if missing:
        raise InvalidInput(
            "A nomogram is made of a fitted model such as CoxPH, FineGray or Logistic; "
            f"{type(model).__name__} lacks {listed(missing)}. Fit it first, or end the "
            "pipeline with CoxPH()."
        )
    if logistic and len(model.classes_) != 2:
        raise InvalidInput(
            f"A logistic nomogram has two classes; {type(model).__name__} was fitted "
            f"on {len(model.classes_)}: {listed(model.classes_)}."
        )
    if logistic and times is not None:
        raise InvalidInput(
            f"{type(model).__name__} predicts a yes-or-no outcome, which has no "
            "horizon; leave `times` out."
        )
    if not logistic and times is None:
        raise InvalidInput(
            f"{type(model).__name__} predicts a time to an event: name the horizons, "
            "times=[...]."
        )
    if np.ndim(model.coef_) == 2 and 1 not in np.shape(model.coef_):
        raise InvalidInput(
            f"{type(model).__name__} holds coefficients of the shape "
            f"{np.shape(model.coef_)}, those of many penalties; a nomogram is of one. "
            "Fit it with one penalty, or use LassoCox, which chooses one."
        )


def _horizons(times: Any) -> list[float]:
    try:
        return np.asarray(times, dtype=float).ravel().tolist()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"Horizons are numbers, in the unit of the survival times; got {times!r}."
        ) from error


_CURVE = "predict_survival_function"


def _names(model: Any, names: Sequence[str] | None, p: int) -> list[str]:
    if names is not None:
        return [str(name) for name in names]
    if hasattr(model, "feature_names_in_"):
        return [str(name) for name in model.feature_names_in_]
    if hasattr(model, "ranges_"):
        return [str(name) for name in model.ranges_.index]
    return [f"x{j}" for j in range(p)]


def _training(X: Any, names: Sequence[str]) -> Floats | None:
    """Return the training patients' design as numbers, where it was given."""
    if X is None:
        return None
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
    if isinstance(X, pd.DataFrame):
        absent = [name for name in names if name not in X.columns]
        if absent:
            raise InvalidInput(
                f"X lacks columns of the model's design: {listed(absent)}. Give the "
                "training patients as the model was fitted on them."
            )
        frame = X[list(names)]
    if frame.shape[1] != len(names):
        raise InvalidInput(
            f"X has {frame.shape[1]} columns; the model was fitted on {len(names)}."
        )
    return frame.to_numpy(dtype=float)


def _ranges(model: Any, values: Floats | None, names: list[str]) -> pd.DataFrame:
    if values is not None:
        return display_ranges(values, names)
    if not hasattr(model, "ranges_"):
        raise InvalidInput(
            f"{type(model).__name__} does not remember how far its columns reach; give "
            "the training patients, X=..., so that the axes can be drawn."
        )
    return model.ranges_.set_axis(names, axis=0)


def _rows(model: Any, values: Floats) -> Any:
    if hasattr(model, "feature_names_in_"):
        return pd.DataFrame(values, columns=list(model.feature_names_in_))
    return values


def _coefficients(model: Any) -> Floats:
    """Return the log hazard ratios (or log odds ratios) of the columns."""
    coef = np.ravel(np.asarray(model.coef_, dtype=float))
    if isinstance(model, ParametricAFT):
        # Of a Weibull model; others are refused, their hazards are not proportional.
        return -coef / model.scale_
    return coef


def _hazard(model: Any, stratum: str | None) -> Any:
    """Return the baseline hazard of the model, of one stratum where it has several."""
    baselines = getattr(model, "baselines_", None)
    if baselines is None:
        if stratum is not None:
            raise InvalidInput(
                f"{type(model).__name__} has no strata; leave stratum={stratum!r} out."
            )
        return getattr(model, "baseline_", None)
    if stratum is None:
        raise InvalidInput(
            f"{type(model).__name__} has a baseline for each stratum: "
            f"{listed(baselines, 12)}. A nomogram is of one, stratum=...."
        )
    pick(stratum, list(baselines), "stratum")
    return baselines[stratum]


def _baseline(
    model: Any,
    hazard: Any,
    coef: Floats,
    center: float,
    ranges: pd.DataFrame,
    times: Sequence[float],
) -> list[float]:
    """Return survival at each horizon where the centred linear predictor is 0.

    A model that keeps its center keeps its baseline hazard there. Else the curve of
    any patient gives it: S0 = S ** exp(-linear predictor). The median patient is
    asked, because extreme ones come too near to 0 or 1; and patients at the ends of
    each column, whether the model is one of proportional hazards at all.
    """
    if hasattr(model, "linear_center_") and hasattr(hazard, "survival"):
        return list(hazard.survival(times, [0.0])[0])
    median = ranges["median"].to_numpy(dtype=float)
    asked = np.tile(median, (1 + 2 * len(median), 1))
    for j, ends in enumerate(ranges[["low", "high"]].to_numpy(dtype=float)):
        asked[[1 + 2 * j, 2 + 2 * j], j] = ends
    survival = survival_curves(model, _rows(model, asked), times)
    relative = np.exp(asked @ coef - center)[:, None]
    baseline = survival[0] ** (1 / relative[0])
    if not np.allclose(survival, baseline**relative, rtol=0, atol=1e-6):
        raise InvalidInput(
            f"The survival that {type(model).__name__} predicts is not S0(t) ** exp("
            "linear predictor), so points cannot add up to it: its hazards are not "
            "proportional, or its coefficients are none of log hazard ratios. Make the "
            "nomogram of CoxPH, FineGray (where causes compete) or a Weibull "
            "ParametricAFT."
        )
    return list(baseline)


def _center(model: Any, coef: Floats, values: Floats | None, medians: Floats) -> float:
    if _is_logistic(model):
        return -float(np.ravel(model.intercept_)[0])
    if hasattr(model, "linear_center_"):
        return float(model.linear_center_)
    rows = medians[None, :] if values is None else values
    return float((rows @ coef).mean())


def _max_time(model: Any, hazard: Any) -> float | None:
    """Return the longest follow-up, or the last event where that is not known."""
    if hasattr(model, "max_time_"):
        return float(model.max_time_)
    time = getattr(hazard, "time", getattr(model, "unique_times_", None))
    return None if time is None or not len(time) else float(time[-1])


def parts_of_model(
    model: Any,
    *,
    times: Sequence[float] | None = None,
    X: Any = None,
    terms: Sequence[Any] = (),
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    stratum: str | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a Nomogram that a fitted model determines.

    Parameters
    ----------
    model : estimator
        Fitted.
    times : sequence of float, optional
        Horizons; none for a classifier.
    X : DataFrame or array, optional
        The training patients' design, where the model does not remember its ranges.
    terms : sequence of Term or of fitted transformers
        What several columns of the design are one variable.
    labels, units : mapping, optional
        Column → text for the reader.
    stratum : str, optional
        Whose baseline hazard, of a stratified model.
    names : sequence of str, optional
        The columns of the design, where the model itself was fitted on an array.

    Returns
    -------
    dict

    Raises
    ------
    InvalidInput
        The model is not fitted, is of another kind, or its columns have no names.
    """
    times = None if times is None else _horizons(times)
    if hasattr(model, "columns_") and hasattr(model, "model_"):
        # A search such as StepwiseCox: its final model has the columns that it kept.
        inner = model.model_
        names = None if names is None else [str(names[i]) for i in model.columns_]
        model = inner
    _refuse(model, times=times)
    hazard = _hazard(model, stratum)
    coef = _coefficients(model)
    columns = _names(model, names, len(coef))
    values = _training(X, columns)
    ranges = _ranges(model, values, columns)
    medians = ranges["median"].to_numpy(dtype=float)
    center = _center(model, coef, values, medians)
    known = [
        part
        for term in terms
        for part in ([term] if isinstance(term, Term) else terms_of(term))
    ]
    # A model that selects by its coefficients shows what it selected.
    shown = np.ones(len(coef), dtype=bool)
    if not hasattr(model, "ranges_"):
        shown = coef != 0
    axes = axes_of(columns, coef, ranges, shown, known, labels=labels, units=units)
    lp_range = getattr(model, "lp_range_", None)
    if lp_range is None and values is not None:
        lp = values @ coef - center
        lp_range = (float(lp.min()), float(lp.max()))
    parts: dict[str, Any] = {
        "variables": [axis.variable for axis in axes],
        "center": center,
        "lp_range": lp_range,
        "kind": "logistic",
        "uncertainty": _uncertainty(model, hazard, axes, times),
    }
    if not _is_logistic(model):
        horizons = times or []
        incidence = hasattr(model, "predict_cumulative_incidence")
        parts |= {
            "kind": "incidence" if incidence else "survival",
            "times": horizons,
            "baseline_survival": _baseline(
                model, hazard, coef, center, ranges, horizons
            ),
            "max_time": _max_time(model, hazard),
        }
    return parts


def _uncertainty(
    model: Any, hazard: Any, axes: Sequence[Axis], times: Sequence[float] | None
) -> Uncertainty | None:
    """Return the errors of the model, of the columns in the order of the axes."""
    found = _of_odds(model) if times is None else _of_hazard(model, hazard, times)
    if found is None:
        return None
    covariance, centers, variances = found
    # A reference level has no column: its place stays 0.
    at = np.array([place for axis in axes for place in axis.places], dtype=int)
    there = np.flatnonzero(at >= 0)
    inside = np.ix_(there, there)
    spread = np.zeros((len(at), len(at)))
    spread[inside] = covariance[np.ix_(at[there], at[there])]
    middle = np.zeros((len(centers), len(at)))
    middle[:, there] = centers[:, at[there]]
    return Uncertainty(spread.tolist(), middle.tolist(), variances.tolist())


def _of_odds(model: Any) -> tuple[Floats, Floats, Floats] | None:
    """Return the covariance of log odds: about the design at which it is smallest."""
    whole = getattr(model, "covariance_", None)
    if whole is None:
        return None
    whole = np.nan_to_num(np.asarray(whole, dtype=float))
    covariance, cross = whole[1:, 1:], whole[1:, 0]
    scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0, scale, 1.0)
    ratio = covariance / np.outer(scale, scale)
    center = -np.linalg.lstsq(ratio, cross / scale, rcond=None)[0] / scale
    least = whole[0, 0] - center @ covariance @ center
    return covariance, center[None, :], np.array([max(float(least), 0.0)])


def _of_hazard(
    model: Any, baseline: Any, times: Sequence[float]
) -> tuple[Floats, Floats, Floats] | None:
    """Return what log(-log S) varies with: coefficients and baseline hazard."""
    vcov = getattr(model, "vcov_", None)
    if vcov is None or not np.isfinite(getattr(baseline, "variance", np.nan)).all():
        return None
    where = np.searchsorted(baseline.time, np.asarray(times, float), side="right")
    hazard = np.r_[0.0, baseline.cumulative][where]
    # Before the first event the survival is 1 and certain, whatever the error.
    per = np.divide(1.0, hazard, out=np.zeros_like(hazard), where=hazard > 0)
    means = np.asarray(model.means_, dtype=float)
    drift = np.vstack([np.zeros(len(means)), baseline.drift])[where]
    variance = np.r_[0.0, baseline.variance][where] * per**2
    covariance = np.nan_to_num(np.asarray(vcov, dtype=float))
    return covariance, means + drift * per[:, None], variance


def parts_of_pipeline(
    pipeline: Any,
    *,
    times: Sequence[float] | None = None,
    X: Any = None,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    stratum: str | None = None,
) -> dict[str, Any]:
    """Return the arguments of a Nomogram from the model that ends a pipeline.

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
    before = len(pipeline.steps) > 1
    names = getattr(model, "feature_names_in_", None)
    if names is None and before:
        names = _names_before(pipeline)
    return parts_of_model(
        model,
        times=times,
        X=pipeline[:-1].transform(X) if before and X is not None else X,
        terms=terms_of_pipeline(pipeline.steps[:-1]),
        labels=labels,
        units=units,
        stratum=stratum,
        names=names,
    )


def _names_before(pipeline: Any) -> Sequence[str]:
    try:
        return [str(name) for name in pipeline[:-1].get_feature_names_out()]
    except (AttributeError, ValueError) as error:
        raise InvalidInput(
            "The columns of the model's design have no names: "
            f"{type(error).__name__}: {error} Call set_output(transform='pandas') on "
            "the pipeline before fitting it."
        ) from error
