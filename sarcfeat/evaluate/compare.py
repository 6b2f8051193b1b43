"""Are two models really different? Paired bootstrap over patients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from sarcfeat.evaluate.nested import NestedCV
from sarcfeat.metrics import adjust_p, paired_difference

__all__ = ["compare"]


def compare(
    result: NestedCV,
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    n_bootstrap: int = 1000,
    random_state: Any = 0,
) -> pd.DataFrame:
    """Compare the cross-validated c-indices of models, pair by pair.

    The same resampled patients and the same folds serve both models of a pair.

    Parameters
    ----------
    result : NestedCV
        From :func:`~sarcfeat.evaluate.nested_cv`.
    pairs : list of (a, b), optional
        Which to compare; all pairs by default. The difference is a minus b.
    n_bootstrap : int
        Resamples of patients.
    random_state : int, RandomState or None

    Returns
    -------
    DataFrame
        ``a, b, delta, ci_low, ci_high, p, p_adjusted`` (Holm over the pairs).

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
    >>> compare(result)[["a", "b"]].values.tolist()
    [['two', 'one']]
    """
    if pairs is None:
        pairs = [(b, a) for a, b in combinations(result.models, 2)]
    event = result.outcome["event"].to_numpy(dtype=bool)
    time = result.outcome["time"].to_numpy(dtype=float)
    rows: list[dict[str, Any]] = []
    for a, b in pairs:
        risk_a, fold = result.arrays(a)
        risk_b, _ = result.arrays(b)
        found = paired_difference(
            event,
            time,
            risk_a,
            risk_b,
            fold,
            n_bootstrap=n_bootstrap,
            random_state=random_state,
        )
        rows.append(
            {
                "a": a,
                "b": b,
                "delta": found.delta,
                "ci_low": found.ci_low,
                "ci_high": found.ci_high,
                "p": found.p,
            }
        )
    table = pd.DataFrame(rows, columns=["a", "b", "delta", "ci_low", "ci_high", "p"])
    table["p_adjusted"] = adjust_p(table["p"].to_numpy(dtype=float), "holm")
    return table
