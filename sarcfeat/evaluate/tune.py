"""Hyper-parameter search by Optuna, inside the training fold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import did_you_mean
from sarcfeat.evaluate.progress import progress_bar
from sarcfeat.exceptions import InvalidInput, NothingSelected, UnknownName
from sarcfeat.metrics import concordance
from sarcfeat.splits import EventStratifiedKFold
from sarcfeat.survival import (
    SurvivalMixin,
    check_y,
    gives_survival,
    survival_curves,
)

__all__ = ["TuneResult", "Tuned", "tune"]


@dataclass(frozen=True)
class TuneResult:
    """What a study found.

    Attributes
    ----------
    best_params : dict
        The parameters of the best trial, by their scikit-learn names.
    best_score : float
        Its inner cross-validated c-index; optimistic, because it is a maximum.
    trials : DataFrame
        One row a trial: number, score, one column a parameter.
    """

    best_params: dict[str, Any]
    best_score: float
    trials: pd.DataFrame


def _distributions(estimator: Any, space: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a search space into Optuna's distributions; refuse unknown parameters."""
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    known = estimator.get_params(deep=True)
    found: dict[str, Any] = {}
    for name, choices in space.items():
        if name not in known:
            raise UnknownName(
                f"The search space names {name!r}, which is no parameter of "
                f"{type(estimator).__name__}.{did_you_mean(name, known)}"
            )
        if isinstance(choices, BaseDistribution):
            found[name] = choices
        elif isinstance(choices, (list, tuple)) and len(choices):
            found[name] = CategoricalDistribution(list(choices))
        else:
            raise InvalidInput(
                f"The search space of {name!r} is {choices!r}; expected a list of "
                "values or an Optuna distribution."
            )
    return found


def _inner_score(
    estimator: Any, X: Any, y: Any, folds: list[tuple[Any, Any]]
) -> tuple[float, int]:
    """Return the mean c-index over folds, weighted by comparable pairs."""
    total, pairs = 0.0, 0.0
    for train, test in folds:
        with warnings.catch_warnings():
            # A choice that selects nothing scores 0.5 here; that is its verdict.
            warnings.simplefilter("ignore", NothingSelected)
            model = clone(estimator).fit(_safe_indexing(X, train), y[train])
        risk = np.asarray(model.predict(_safe_indexing(X, test)), dtype=float)
        event, time = check_y(y[test])
        found = concordance(event, time, risk)
        if np.isfinite(found.c_index) and found.n_comparable:
            total += found.c_index * found.n_comparable
            pairs += found.n_comparable
    return (total / pairs, int(pairs)) if pairs else (0.5, 0)


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keep Optuna's log lines off the screen for this study only."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def tune(
    estimator: Any,
    space: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    n_trials: int = 20,
    cv: Any = 3,
    groups: Any = None,
    random_state: Any = None,
    progress: bool = True,
) -> TuneResult:
    """Search hyper-parameters on the rows given, and on no others.

    Parameters
    ----------
    estimator : survival estimator or Pipeline
        Its present parameters are the first trial, so the result is never worse on
        the inner folds than the defaults.
    space : dict of parameter name to list of values, or to an Optuna distribution
    X : DataFrame or array of shape (n_patients, n_features)
        Training patients only.
    y : structured array (event, time)
    n_trials : int
        Trials; one that repeats an earlier choice costs nothing.
    cv : int or splitter
        Inner folds; an int makes event-stratified ones.
    groups : array-like, optional
        Rows of one group stay in one fold.
    random_state : int, RandomState or None
        Seeds the sampler and the folds.
    progress : bool
        Show a progress bar.

    Returns
    -------
    TuneResult

    Raises
    ------
    UnknownName
        The space names something that is no parameter of the estimator.

    References
    ----------
    Akiba T et al. Optuna: a next-generation hyperparameter optimization framework.
    KDD 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sarcfeat import LassoCox, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X[:, 0])))
    >>> found = tune(LassoCox(cv=3, random_state=0), {"l1_ratio": [0.5, 1.0]}, X, y,
    ...              n_trials=3, random_state=0, progress=False)
    >>> sorted(found.best_params)
    ['l1_ratio']
    """
    import optuna

    distributions = _distributions(estimator, space)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    splitter = (
        EventStratifiedKFold(cv, random_state=seed) if isinstance(cv, int) else cv
    )
    folds = list(splitter.split(X, y, groups))
    now = {name: estimator.get_params(deep=True)[name] for name in distributions}
    seen: dict[str, float] = {}
    with _quiet_optuna(), progress_bar("tuning", n_trials, progress) as advance:
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        if all(_holds(d, now[name]) for name, d in distributions.items()):
            study.enqueue_trial(now)
        for _ in range(n_trials):
            trial = study.ask(distributions)
            key = repr(sorted(trial.params.items()))
            if key not in seen:
                candidate = clone(estimator).set_params(**trial.params)
                seen[key] = _inner_score(candidate, X, y, folds)[0]
            study.tell(trial, seen[key])
            advance()
    rows = [{"trial": t.number, "c_index": t.value, **t.params} for t in study.trials]
    return TuneResult(study.best_params, float(study.best_value), pd.DataFrame(rows))


def _holds(distribution: Any, value: Any) -> bool:
    """Return whether a value lies in a distribution, so that it can be a trial."""
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return value in choices
    if not isinstance(value, (int, float)):
        return False
    return bool(distribution._contains(value))


def _best_gives_survival(self: Any) -> bool:
    return gives_survival(getattr(self, "estimator_", self.estimator))


class Tuned(SurvivalMixin, BaseEstimator):
    """A survival estimator that chooses its own hyper-parameters when fitted.

    Every ``fit`` runs a study on the rows it is given, so that in an outer
    cross-validation nothing of the test fold is seen.

    Parameters
    ----------
    estimator : survival estimator or Pipeline
        What is tuned and refitted.
    space : dict
        As for :func:`tune`, with the names of `estimator`'s parameters; with `proxy`,
        of the proxy's.
    proxy : survival estimator, optional
        A cheaper estimator to run the study on (the radiomics part of a combined
        model, say). Its best parameters are set on `estimator` under `prefix`.
    prefix : str
        Where the proxy sits in `estimator`, such as ``"columns__rad__estimator__"``.
    n_trials, cv
        As for :func:`tune`.
    random_state : int, RandomState or None

    Attributes
    ----------
    estimator_ : fitted estimator
    best_params_ : dict
    study_ : TuneResult

    Examples
    --------
    >>> import numpy as np
    >>> from sarcfeat import LassoCox, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X[:, 0])))
    >>> model = Tuned(LassoCox(cv=3, random_state=0), {"rule": ["min", "1se"]},
    ...               n_trials=2, random_state=0).fit(X, y)
    >>> model.predict(X).shape
    (60,)
    """

    def __init__(
        self,
        estimator: Any,
        space: Mapping[str, Any],
        *,
        proxy: Any = None,
        prefix: str = "",
        n_trials: int = 20,
        cv: Any = 3,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.proxy = proxy
        self.prefix = prefix
        self.n_trials = n_trials
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Tuned:
        """Run the study on these rows, then refit the best on all of them."""
        check_y(y)
        target = self.estimator if self.proxy is None else self.proxy
        self.study_ = tune(
            target,
            self.space,
            X,
            y,
            n_trials=self.n_trials,
            cv=self.cv,
            random_state=self.random_state,
            progress=False,
        )
        self.best_params_ = {
            f"{self.prefix}{name}": value
            for name, value in self.study_.best_params.items()
        }
        self.estimator_ = clone(self.estimator).set_params(**self.best_params_)
        self.estimator_.fit(X, y)
        if hasattr(self.estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.estimator_.feature_names_in_
        if hasattr(self.estimator_, "n_features_in_"):
            self.n_features_in_ = self.estimator_.n_features_in_
        return self

    def predict(self, X: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the risk of each patient; higher is worse."""
        check_is_fitted(self, "estimator_")
        return np.asarray(self.estimator_.predict(X), dtype=float)

    @available_if(_best_gives_survival)
    def predict_survival_function(self, X: Any, times: Any) -> Any:
        """Return survival probabilities, shape (n_patients, n_times)."""
        check_is_fitted(self, "estimator_")
        return survival_curves(self.estimator_, X, times)
