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

__all__ = ["build_results", "versions", "write_json"]

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
# What every row of "models" has; null where this version does not compute it.
MODEL_KEYS = (
    "name",
    "c_index",
    "ci_low",
    "ci_high",
    "how",
    "ibs",
    "tdauc",
    "calibration_slope",
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
        One row a model, with at least ``name, c_index, ci_low, ci_high, how``.
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
        Ready for :func:`write_json`; keys that this version does not compute are null.

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
