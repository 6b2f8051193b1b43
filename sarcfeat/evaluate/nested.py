"""Nested, repeated cross-validation that keeps every out-of-fold prediction."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state
from threadpoolctl import threadpool_limits

from sarcfeat._validation import pick
from sarcfeat.evaluate.events_per_variable import (
    events_per_variable,
    few_events_notes,
)
from sarcfeat.evaluate.progress import progress_bar
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.metrics import CrossValidatedConcordance, cross_validated_concordance
from sarcfeat.splits import RepeatedEventStratifiedKFold
from sarcfeat.survival import check_y, gives_survival, survival_curves

__all__ = ["NestedCV", "nested_cv", "run_folds"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Folds = Sequence[tuple[int, int, Any, Any]]  # repeat, fold, training and test rows


@dataclass(frozen=True)
class NestedCV:
    """The kept predictions of a cross-validation; every metric comes from them.

    Attributes
    ----------
    predictions : DataFrame
        One row a (model, repeat, patient): ``model, repeat, fold, patient, risk``, and
        ``survival_<t>`` for each of `times`: NaN of a model that predicts a risk only.
    outcome : DataFrame
        ``event`` and ``time``, indexed by patient.
    fits : DataFrame
        One row a fitted model: ``model, repeat, fold, constant, params`` and
        ``events_per_variable`` (events of training by the columns of the last step).
    n_splits, n_repeats : int
    times : tuple of float
        Horizons at which predicted survival was kept.
    protocol : str
        How patients were split, in words.
    """

    predictions: pd.DataFrame
    outcome: pd.DataFrame
    fits: pd.DataFrame
    n_splits: int
    n_repeats: int
    times: tuple[float, ...] = ()
    protocol: str = "nested cross-validation"

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order given."""
        return list(dict.fromkeys(self.predictions["model"]))

    def arrays(self, model: str) -> tuple[Floats, np.ndarray[Any, np.dtype[np.intp]]]:
        """Return risk and fold of one model, each (n_repeats, n_patients)."""
        risk, fold = (self._laid_out(model, [name])[0] for name in ("risk", "fold"))
        return risk, np.where(np.isnan(fold), -1, fold).astype(np.intp)

    def survival(self, model: str) -> Floats | None:
        """Return the kept survival of one model, (n_repeats, n_patients, n_times).

        None where the model gives no survival, or no times were asked for.
        """
        found = self._laid_out(model, [survival_column(t) for t in self.times])
        return None if np.isnan(found).all() else np.moveaxis(found, 0, 2)

    def _laid_out(self, model: str, columns: list[str]) -> Floats:
        """Return columns of the predictions as (n_columns, n_repeats, n_patients)."""
        pick(model, self.models, "model")
        rows = self.predictions[self.predictions["model"] == model]
        numbers, repeat = np.unique(rows["repeat"], return_inverse=True)
        patient = self.outcome.index.get_indexer(pd.Index(rows["patient"]))
        found = np.full((len(columns), len(numbers), len(self.outcome)), np.nan)
        for k, name in enumerate(columns):
            found[k, repeat, patient] = rows[name].to_numpy(dtype=float)
        return found

    def concordance(
        self, model: str, *, n_bootstrap: int = 1000, random_state: Any = 0
    ) -> CrossValidatedConcordance:
        """Return the cross-validated c-index of one model with its interval."""
        risk, fold = self.arrays(model)
        return cross_validated_concordance(
            self.outcome["event"].to_numpy(dtype=bool),
            self.outcome["time"].to_numpy(dtype=float),
            risk,
            fold,
            n_bootstrap=n_bootstrap,
            random_state=random_state,
        )

    @property
    def notes(self) -> list[str]:
        """What belongs below every table: models with few events per variable."""
        if "events_per_variable" not in self.fits:
            return []
        per = self.fits.groupby("model", sort=False)["events_per_variable"].median()
        return few_events_notes({str(name): float(few) for name, few in per.items()})

    def c_index(
        self, *, n_bootstrap: int = 1000, random_state: Any = 0
    ) -> pd.DataFrame:
        """Return one row a model: c-index, interval, and what to count against it.

        The point is the mean over repeats of the mean over folds, weighted by the
        comparable pairs within the fold; the interval is the percentile bootstrap over
        patients of that statistic. It says nothing of refitting: the null test does.
        """
        rows = []
        for model in self.models:
            found = self.concordance(
                model, n_bootstrap=n_bootstrap, random_state=random_state
            )
            fits = self.fits[self.fits["model"] == model]
            rows.append(
                {
                    "model": model,
                    "c_index": found.c_index,
                    "ci_low": found.ci_low,
                    "ci_high": found.ci_high,
                    "how": f"{self.n_repeats} x {self.n_splits}-fold {self.protocol}; "
                    f"percentile bootstrap over patients ({n_bootstrap})",
                    "constant_folds": int(fits["constant"].sum()),
                    "empty_folds": int(found.n_empty_folds),
                    "folds": len(fits),
                }
            )
        table = pd.DataFrame(rows)
        table.attrs["notes"] = self.notes
        return table


def is_constant(risk: Floats) -> bool:
    """Return whether a model predicts one value for everybody (nothing selected)."""
    return bool(np.ptp(risk) <= 1e-12 * max(1.0, float(np.abs(risk).max())))


def survival_column(time: float) -> str:
    """Return the name of the column that holds the survival kept at a time."""
    return f"survival_{time:g}"


def _fit_one(
    name: str,
    estimator: Any,
    X: Any,
    y: Any,
    train: Any,
    test: Any,
    times: tuple[float, ...],
) -> tuple[str, Floats, Floats, dict[str, Any]]:
    # One BLAS thread whatever n_jobs is: the same bits on every machine layout.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Counted below as a constant model; a warning a fold would drown the rest.
        warnings.simplefilter("ignore", NothingSelected)
        model = clone(estimator).fit(_safe_indexing(X, train), y[train])
        event, _ = check_y(y[train])
        on_train = np.asarray(model.predict(_safe_indexing(X, train)), dtype=float)
        held_out = _safe_indexing(X, test)
        risk = np.asarray(model.predict(held_out), dtype=float)
        survival = np.full((len(test), len(times)), np.nan)
        if times and gives_survival(model):
            survival = survival_curves(model, held_out, times)
    about = {
        "constant": is_constant(on_train),
        "params": str(getattr(model, "best_params_", "")),
        "events_per_variable": events_per_variable(model, int(event.sum())),
    }
    return name, risk, survival, about


def _patients(X: Any) -> pd.Index[Any]:
    index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(X))
    if not index.is_unique:
        again = index[index.duplicated()].unique()
        raise InvalidInput(
            f"{len(again)} patients are in X more than once ({again[0]!r} first). "
            "Give one row a patient; reduce lesions to one by an explicit rule."
        )
    return index.rename("patient")


def nested_cv(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    n_splits: int = 5,
    n_repeats: int = 3,
    times: Sequence[float] = (),
    groups: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> NestedCV:
    """Cross-validate several models on the same folds and keep all predictions.

    The inner loop is the models' own: a :class:`~sarcfeat.evaluate.Tuned` estimator
    runs its study, and a ``LassoCox`` its path, inside each training fold.

    Parameters
    ----------
    models : dict of name to estimator
        Survival estimators; cloned for each fold.
    X : DataFrame indexed by patient, or array
    y : structured array (event, time)
    n_splits, n_repeats : int
        Event-stratified folds, and how often they are drawn anew.
    times : sequence of float
        Horizons at which predicted survival is kept, in the unit of `y`; needed for
        Brier's score, calibration and net benefit.
    groups : array-like, optional
        Rows of one group stay in one fold.
    random_state : int, RandomState or None
        Seeds the folds; models carry their own seeds.
    n_jobs : int, optional
        Joblib workers; the result does not depend on it.
    progress : bool
        Show a progress bar.

    Returns
    -------
    NestedCV

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import CoxPH, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "size"])
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    >>> result = nested_cv({"clinical": CoxPH()}, X, y, n_splits=3, n_repeats=2,
    ...                    random_state=0, progress=False)
    >>> bool(result.c_index()["c_index"].between(0.5, 0.9).all())
    True
    """
    check_y(y, n=len(X), min_events=n_splits)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    splitter = RepeatedEventStratifiedKFold(
        n_splits=n_splits, n_repeats=n_repeats, random_state=seed
    )
    folds = [
        (*divmod(number, n_splits), train, test)
        for number, (train, test) in enumerate(splitter.split(X, y, groups))
    ]
    predictions, outcome, fits = run_folds(
        models, X, y, folds, times=times, n_jobs=n_jobs, progress=progress
    )
    return NestedCV(
        predictions, outcome, fits, n_splits, n_repeats, tuple(map(float, times))
    )


def run_folds(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    folds: Folds,
    *,
    times: Sequence[float] = (),
    n_jobs: int | None = None,
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Fit each model on each training set and keep what it predicts for the others.

    Parameters
    ----------
    models, X, y, times, n_jobs, progress
        As in :func:`nested_cv`.
    folds : sequence of (repeat, fold, train, test)
        Row numbers to train and to test on.

    Returns
    -------
    predictions, outcome, fits : DataFrame
        As in :class:`NestedCV`.
    """
    event, time = check_y(y, n=len(X))
    patients = _patients(X)
    horizons = tuple(float(t) for t in times)
    jobs = [(name, model, fold) for fold in folds for name, model in models.items()]
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    results = parallel(
        delayed(_fit_one)(name, model, X, y, fold[2], fold[3], horizons)
        for name, model, fold in jobs
    )
    kept, fits = [], []
    with progress_bar("cross-validation", len(jobs), progress) as advance:
        for (_, _, (repeat, fold, _, test)), found in zip(jobs, results, strict=True):
            name, risk, survival, about = found
            at = {"model": name, "repeat": repeat, "fold": fold}
            kept.append(
                pd.DataFrame(
                    {
                        **at,
                        "patient": patients[test],
                        "risk": risk,
                        **{
                            survival_column(t): survival[:, k]
                            for k, t in enumerate(horizons)
                        },
                    }
                )
            )
            fits.append({**at, **about})
            advance()
    predictions = pd.concat(kept, ignore_index=True)
    order = {name: i for i, name in enumerate(models)}
    predictions = predictions.sort_values(
        ["model", "repeat", "fold"],
        key=lambda c: c.map(order) if c.name == "model" else c,
        kind="stable",
        ignore_index=True,
    )
    outcome = pd.DataFrame({"event": event, "time": time}, index=patients)
    return predictions, outcome, pd.DataFrame(fits)
