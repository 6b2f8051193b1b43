"""What leakage costs: one chain with its steps fitted on everybody, and in-fold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from sarcfeat._validation import listed, pick
from sarcfeat.evaluate.nested import NestedCV, nested_cv
from sarcfeat.evaluate.progress import progress_bar
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.metrics import PairedDifference, paired_difference
from sarcfeat.survival import check_y

__all__ = ["LeakageAudit", "leakage_audit"]

IN_FOLD = "in-fold"
LEAKY = "whole cohort"


@dataclass(frozen=True)
class LeakageAudit:
    """A chain cross-validated twice over the same folds.

    Attributes
    ----------
    honest, leaky : NestedCV
        With every step fitted in the training fold; and with `outside` fitted on all
        patients before the folds were drawn.
    optimism : PairedDifference
        Leaky minus honest c-index, with its interval (the same resampled patients).
    outside : tuple of str
        The steps that saw everybody.
    n_bootstrap : int
    """

    honest: NestedCV
    leaky: NestedCV
    optimism: PairedDifference
    outside: tuple[str, ...]
    n_bootstrap: int

    @property
    def table(self) -> pd.DataFrame:
        """One row a way of fitting: ``model, c_index, ci_low, ci_high, how, …``.

        The last row is the optimism, the difference of the two.
        """
        tables = [
            result.c_index(n_bootstrap=self.n_bootstrap)
            for result in (self.honest, self.leaky)
        ]
        gap = pd.DataFrame(
            {
                "model": ["optimism"],
                "c_index": [self.optimism.delta],
                "ci_low": [self.optimism.ci_low],
                "ci_high": [self.optimism.ci_high],
                "how": [f"difference; {listed(self.outside, 12)} saw all patients"],
            }
        )
        return pd.concat([*tables, gap], ignore_index=True)

    def __str__(self) -> str:
        honest, leaky, gap = self.table.itertuples(index=False)
        return (
            f"c-index {honest.c_index:.3f} ({honest.ci_low:.3f} to "
            f"{honest.ci_high:.3f}) in-fold, {leaky.c_index:.3f} ({leaky.ci_low:.3f} "
            f"to {leaky.ci_high:.3f}) with {listed(self.outside)} fitted on the whole "
            f"cohort: optimism {gap.c_index:+.3f} ({gap.ci_low:+.3f} to "
            f"{gap.ci_high:+.3f})"
        )


def _cut(pipeline: Any, until: str | None) -> int:
    """Return how many steps are fitted on everybody.

    Raises
    ------
    InvalidInput
        The model is no pipeline, or nothing would be left for the folds.
    """
    if not isinstance(pipeline, Pipeline) or len(pipeline.steps) < 2:
        raise InvalidInput(
            "leakage_audit moves the steps before a model out of the folds: give a "
            f"Pipeline of at least two steps, not {type(pipeline).__name__}."
        )
    names = [name for name, _ in pipeline.steps]
    if until is None:
        return len(names) - 1
    last = names.index(pick(until, names, "step"))
    if last == len(names) - 1:
        raise InvalidInput(
            f"{until!r} is the last step: nothing would be left for the folds. Name "
            f"one of {listed(names[:-1], 12)}."
        )
    return last + 1


def leakage_audit(
    pipeline: Any,
    X: Any,
    y: Any,
    *,
    until: str | None = None,
    n_splits: int = 5,
    n_repeats: int = 3,
    n_bootstrap: int = 1000,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> LeakageAudit:
    """Measure what fitting selection and harmonisation on the whole cohort adds.

    The same chain is cross-validated twice over the same folds: as it is, and with its
    first steps fitted once on all patients, outcomes included, as a study does that
    selects its features before it splits. The difference is not performance.

    Parameters
    ----------
    pipeline : Pipeline
        Steps before the last are taken out of the folds.
    X : DataFrame indexed by patient, or array
    y : structured array (event, time)
    until : str, optional
        The last step that sees everybody; all but the model by default.
    n_splits, n_repeats : int
    n_bootstrap : int
        Resamples of patients for the intervals.
    random_state : int, RandomState or None
        Seeds folds and resamples.
    n_jobs : int, optional
    progress : bool

    Returns
    -------
    LeakageAudit

    Raises
    ------
    InvalidInput
        No pipeline, or no step to take out.
    UnknownName
        `until` names no step.

    References
    ----------
    Ambroise & McLachlan, PNAS 2002; Demircioğlu, Insights into Imaging 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sarcfeat import CoxPH, MRMR, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 200))).add_prefix("noise.")
    >>> y = make_y(rng.random(60) < 0.7, rng.exponential(size=60))
    >>> audit = leakage_audit(make_pipeline(MRMR(k=5), CoxPH()), X, y, n_repeats=1,
    ...                       n_bootstrap=50, random_state=0, progress=False)
    >>> audit.optimism.delta > 0.1
    True
    """
    event, time = check_y(y, n=len(X), min_events=n_splits)
    cut = _cut(pipeline, until)
    outside = Pipeline(pipeline.steps[:cut])
    inside = Pipeline(pipeline.steps[cut:])
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    with warnings.catch_warnings():
        # Nothing selected shows as a constant model in the table.
        warnings.simplefilter("ignore", NothingSelected)
        seen = clone(outside).fit_transform(X, y)
    options: dict[str, Any] = {
        "n_splits": n_splits,
        "n_repeats": n_repeats,
        "random_state": seed,
        "n_jobs": n_jobs,
        "progress": False,
    }
    with progress_bar("leakage audit", 2, progress) as advance:
        honest = nested_cv({IN_FOLD: pipeline}, X, y, **options)
        advance()
        leaky = nested_cv({LEAKY: inside}, seen, y, **options)
        advance()
    risk, fold = honest.arrays(IN_FOLD)
    optimism = paired_difference(
        event,
        time,
        leaky.arrays(LEAKY)[0],
        risk,
        fold,
        n_bootstrap=n_bootstrap,
        random_state=seed,
    )
    names = tuple(name for name, _ in outside.steps)
    return LeakageAudit(honest, leaky, optimism, names, n_bootstrap)
