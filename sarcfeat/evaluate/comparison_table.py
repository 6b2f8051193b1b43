"""Every pair of models by every test that fits it, in one tidy table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.evaluate.kept_metrics import METRICS, Kept, Measured
from sarcfeat.evaluate.metric_table import percentile
from sarcfeat.evaluate.nested import NestedCV
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import (
    LikelihoodRatio,
    adjust_p,
    corrected_resampled_t,
    delong_test,
)

__all__ = ["comparison_table"]

Pair = tuple[str, str]

# An analytic test of each measure whose influence is known.
ANALYTIC = {
    "harrell_c": "infinitesimal jackknife, folds as strata (as compareC)",
    "uno_c": "infinitesimal jackknife, folds as strata, known weights",
    "tdauc": "infinitesimal jackknife, folds as strata, known weights",
    "ibs": "influence with estimated censoring weights",
}
COLUMNS = (
    "a",
    "b",
    "metric",
    "test",
    "delta",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "p_bh",
    "statistic",
    "df",
    "n",
    "how",
)


def comparison_table(
    result: NestedCV,
    pairs: Sequence[Pair] | None = None,
    *,
    at: float | None = None,
    threshold: float = 0.3,
    metrics: Sequence[str] | None = None,
    nested: Mapping[Pair, LikelihoodRatio] | None = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: Any = 0,
) -> pd.DataFrame:
    """Compare models on the same patients and folds by every test that fits.

    Parameters
    ----------
    result : NestedCV
    pairs : list of (a, b), optional
        Which to compare; all by default. A difference is a minus b.
    at, threshold, metrics, n_bootstrap, level, random_state
        As in :func:`~sarcfeat.evaluate.metric_table`.
    nested : mapping of (a, b) to LikelihoodRatio, optional
        Where the Cox model b is part of a: their test on all patients, from
        :func:`~sarcfeat.metrics.nested_cox_test`. It is a test of the fit, not of
        prediction: it is too sure after any selection.

    Returns
    -------
    DataFrame
        One row a pair, measure and test: ``a, b, metric, test, delta, ci_low, ci_high,
        p, p_holm, p_bh, statistic, df, n, how``. The tests:

        - ``paired bootstrap`` over patients, every measure; ``p`` is twice the smaller
          share of resamples on one side of 0;
        - ``analytic``: z by the infinitesimal jackknife with the folds as strata (the
          c-indices and the AUC, as ``compareC`` does for one sample) or by the
          influence (Brier);
        - ``DeLong``: the event by `at` as yes or no, of the patients for whom it is
          known, on the mean predicted risk over repeats;
        - ``corrected resampled t`` over folds (Nadeau and Bengio), which also counts
          that the models are refitted; `n` is the number of folds;
        - ``likelihood ratio``, of `nested`; `delta` is the gain in AIC.

        ``p_holm`` and ``p_bh`` adjust over the pairs within a measure and test. In
        ``attrs["notes"]``: the models with fewer than ten events per variable.

    Raises
    ------
    UnknownName
        A pair names a model that is not there.

    References
    ----------
    Kang et al., Stat Med 2015; DeLong et al., Biometrics 1988; Nadeau & Bengio, Mach
    Learn 2003; Davison & Hinkley, Bootstrap Methods, 1997.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import CoxPH, make_y
    >>> from sarcfeat.evaluate import nested_cv
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "size"])
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    >>> result = nested_cv({"one": CoxPH(), "two": CoxPH(ties="breslow")}, X, y,
    ...                    n_splits=3, n_repeats=1, random_state=0, progress=False)
    >>> table = comparison_table(result, metrics=["harrell_c"], n_bootstrap=50)
    >>> table[["a", "b", "test"]].values.tolist()
    [['two', 'one', 'paired bootstrap'], ['two', 'one', 'analytic'],
     ['two', 'one', 'corrected resampled t']]
    """
    chosen = _pairs(result, pairs)
    for name in metrics or ():
        pick(name, METRICS, "measure")
    kept = Kept(
        result,
        at=at,
        threshold=threshold,
        n_bootstrap=n_bootstrap,
        random_state=random_state,
    )
    used = list(dict.fromkeys(model for pair in chosen for model in pair))
    rows: list[dict[str, Any]] = []
    for metric in metrics or kept.names():
        found = {model: kept.measure(model, metric) for model in used}
        for a, b in chosen:
            tests = _tests(kept, metric, found[a], found[b], level)
            rows += [{"a": a, "b": b, "metric": metric, **test} for test in tests]
    rows += _delong_rows(kept, chosen, level)
    rows += [_likelihood_row(result, pair, lr) for pair, lr in (nested or {}).items()]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for column, method in (("p_holm", "holm"), ("p_bh", "bh")):
        adjusted = np.full(len(table), np.nan)
        for rows_of in table.groupby(["metric", "test"], sort=False).indices.values():
            p = table["p"].to_numpy(dtype=float)[rows_of]
            adjusted[rows_of] = adjust_p(p, method)
        table[column] = adjusted
    table.attrs["notes"] = result.notes
    return table


def _pairs(result: NestedCV, pairs: Sequence[Pair] | None) -> list[Pair]:
    if pairs is None:
        return [(b, a) for a, b in combinations(result.models, 2)]
    for name in (model for pair in pairs for model in pair):
        pick(name, result.models, "model")
    return list(pairs)


def _tests(
    kept: Kept, metric: str, a: Measured, b: Measured, level: float
) -> list[dict[str, Any]]:
    delta = a.value - b.value
    how = next((m.how for m in (a, b) if np.isnan(m.value)), a.how)
    rows = [_bootstrap(delta, a, b, level, how)]
    if np.isnan(delta):
        return rows
    if a.influence is not None and b.influence is not None:
        gap = a.influence - b.influence
        se = float(np.sqrt(gap @ gap))
        z = delta / se if se > 0 else float("nan")
        half = float(norm.ppf((1 + level) / 2)) * se
        rows.append(
            {
                "test": "analytic",
                "delta": delta,
                "ci_low": delta - half,
                "ci_high": delta + half,
                "p": float(2 * norm.sf(abs(z))),
                "statistic": z,
                "n": kept.n_patients,
                "how": ANALYTIC[metric],
            }
        )
    if a.by_fold is not None and b.by_fold is not None:
        rows += _over_folds(kept, a.by_fold - b.by_fold, level)
    return rows


def _bootstrap(
    delta: float, a: Measured, b: Measured, level: float, how: str
) -> dict[str, Any]:
    gaps = a.draws - b.draws
    known = gaps[~np.isnan(gaps)]
    low, high, n = percentile(gaps, level)
    tail = 1 + min(int((known <= 0).sum()), int((known >= 0).sum()))
    return {
        "test": "paired bootstrap",
        "delta": delta,
        "ci_low": low,
        "ci_high": high,
        "p": min(1.0, 2 * tail / (n + 1)) if n > 1 else float("nan"),
        "n": n,
        "how": how,
    }


def _over_folds(kept: Kept, gaps: Any, level: float) -> list[dict[str, Any]]:
    known = gaps[~np.isnan(gaps)]
    folds = kept.result.n_splits
    if len(known) < 2 or folds < 2:
        return []
    test = kept.n_patients / folds
    found = corrected_resampled_t(known, kept.n_patients - test, test, level=level)
    return [
        {
            "test": "corrected resampled t",
            "delta": found.mean,
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
            "p": found.p,
            "statistic": found.statistic,
            "df": found.df,
            "n": found.n,
            "how": "unweighted mean over folds; variance by Nadeau and Bengio",
        }
    ]


def _delong_rows(kept: Kept, pairs: list[Pair], level: float) -> list[dict[str, Any]]:
    if kept.at is None or not kept.result.times:
        return []
    at = float(kept.at)
    ill = kept.event & (kept.time <= at)
    known = ill | (kept.time > at)
    if ill.sum() < 2 or (known & ~ill).sum() < 2:
        return []
    risks = {}
    for model in dict.fromkeys(name for pair in pairs for name in pair):
        survival = kept.result.survival(model)
        if survival is not None:
            risks[model] = 1 - np.nanmean(survival[:, :, kept.column], axis=0)
    rows = []
    for a, b in pairs:
        if a not in risks or b not in risks:
            continue
        usable = known & ~np.isnan(risks[a]) & ~np.isnan(risks[b])
        found = delong_test(
            ill[usable], risks[a][usable], risks[b][usable], level=level
        )
        rows.append(
            {
                "a": a,
                "b": b,
                "metric": f"auc_by_{at:g}",
                "test": "DeLong",
                "delta": found.delta,
                "ci_low": found.ci_low,
                "ci_high": found.ci_high,
                "p": found.p,
                "statistic": found.statistic,
                "n": int(usable.sum()),
                "how": f"event by {at:g}; {int((~usable).sum())} patients censored "
                "before it are left out; mean predicted risk over repeats",
            }
        )
    return rows


def _likelihood_row(
    result: NestedCV, pair: Pair, found: LikelihoodRatio
) -> dict[str, Any]:
    a, b = pair
    for name in pair:
        pick(name, result.models, "model")
    if found.df < 0:
        raise InvalidInput(f"{b!r} is not part of {a!r}: {found.df} parameters more.")
    return {
        "a": a,
        "b": b,
        "metric": "partial likelihood",
        "test": "likelihood ratio",
        "delta": found.aic_gain,
        "p": found.p,
        "statistic": found.statistic,
        "df": found.df,
        "n": len(result.outcome),
        "how": "fit on all patients, not prediction; delta is the gain in AIC",
    }
