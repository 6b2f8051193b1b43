"""``results.json``: one schema for every study, demo and published system."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["build_results", "model_rows", "versions", "write_json"]

PACKAGES = (
    "sarcfeat",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "scikit-survival",
    "duckdb",
    "optuna",
    "pyradiomics-cuda",
    "SimpleITK",
)
# Measures beside Harrell's c, each with its interval; null where a model gives none.
MEASURES = ("uno_c", "ibs", "tdauc", "calibration_slope", "net_benefit")
# What every row of "models" has; null where it is not computed.
MODEL_KEYS = (
    "name",
    "c_index",
    "ci_low",
    "ci_high",
    "how",
    *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")),
    "horizon",
    "threshold",
    "events_per_variable",
    "constant_folds",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that made the numbers.

    Examples
    --------
    >>> versions()["python"].count(".")
    2
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def model_rows(
    table: pd.DataFrame, *, at: float | None = None, threshold: float | None = None
) -> pd.DataFrame:
    """Lay out measures, one row each, as the rows of ``models``: one row a model.

    Parameters
    ----------
    table : DataFrame
        As :func:`sarcfeat.evaluate.metric_table` returns.
    at : float, optional
        The horizon of the measures by time, kept as ``horizon``.
    threshold : float, optional
        Of the net benefit.

    Returns
    -------
    DataFrame
        ``name``, then ``c_index, ci_low, ci_high``, the other measures with ``_low``
        and ``_high``, ``how, constant_folds, horizon, threshold``, where `table` has
        them.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"model": ["clinical"], "metric": ["ibs"], "value": [0.2],
    ...                       "ci_low": [0.1], "ci_high": [0.3], "how": ["5-fold"]})
    >>> model_rows(table, at=730).to_dict("records")
    [{'name': 'clinical', 'ibs': 0.2, 'ibs_low': 0.1, 'ibs_high': 0.3,
      'horizon': 730}]
    """
    rows = []
    for model, found in table.groupby("model", sort=False):
        row: dict[str, Any] = {"name": str(model)}
        for one in found.to_dict("records"):
            name = one["metric"]
            keys = [name, f"{name}_low", f"{name}_high"]
            if name == "harrell_c":
                keys = ["c_index", "ci_low", "ci_high"]
                row["how"] = one["how"]
            values = (one["value"], one["ci_low"], one["ci_high"])
            row |= dict(zip(keys, values, strict=True))
            row |= {key: one[key] for key in ("constant_folds", "folds") if key in one}
        more = {"horizon": at, "threshold": threshold}
        rows.append(row | {key: value for key, value in more.items() if value})
    return pd.DataFrame(rows)


def build_results(
    *,
    name: str,
    cohort: Mapping[str, Any],
    endpoint: str,
    models: pd.DataFrame,
    differences: pd.DataFrame,
    units: Mapping[str, int],
    matrix_id: str,
    seed: int,
    seconds: float,
    **more: Any,
) -> dict[str, Any]:
    """Put a study's numbers into the one schema.

    Parameters
    ----------
    name : str
        The study, such as "demo".
    cohort : dict
        ``name, n, events, sites, dropped`` (a list of ``patient, reason``).
    endpoint : str
    models : DataFrame
        One row a model, with at least ``name, c_index, ci_low, ci_high, how``; the
        other measures as :func:`model_rows` lays them out.
    differences : DataFrame
        As :func:`sarcfeat.evaluate.compare` returns.
    units : dict
        ``encoded, skipped, failed``.
    matrix_id : str
        The frozen matrix the models were fitted on.
    seed : int
    seconds : float
        Wall-clock time of the whole run.
    **more
        Further top-level keys.

    Returns
    -------
    dict
        Ready for :func:`write_json`; measures that a model has not are null.

    Examples
    --------
    >>> import pandas as pd
    >>> models = pd.DataFrame({"name": ["clinical"], "c_index": [0.61]})
    >>> build_results(name="demo", cohort={"n": 34}, endpoint="mfs", models=models,
    ...               differences=pd.DataFrame(), units={}, matrix_id="m", seed=0,
    ...               seconds=1.0)["models"][0]["ibs"] is None
    True
    """
    empty = dict.fromkeys(MODEL_KEYS)
    rows = [{**empty, **row} for row in models.to_dict("records")]
    return {
        "name": name,
        "cohort": dict(cohort),
        "endpoint": endpoint,
        "models": rows,
        "differences": differences.to_dict("records"),
        "units": dict(units),
        "matrix_id": matrix_id,
        "seed": seed,
        "versions": versions(),
        "seconds": round(seconds, 1),
        **more,
    }


def _plain(value: Any) -> Any:
    """Turn numpy and pandas values into JSON's; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def write_json(results: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write results as strict JSON (no NaN), replacing the file in one step.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json({"c": float("nan")}, folder + "/r.json").read_text().split()
    ['{', '"c":', 'null', '}']
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain(results), indent=2, ensure_ascii=False, allow_nan=False)
    draft = target.with_name(target.name + ".part")
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(target)
    return target
