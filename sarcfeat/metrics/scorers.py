"""Scores of fitted models, ready for scikit-learn and Optuna: greater is better.

A scorer is a callable ``scorer(estimator, X, y)``, as ``cross_val_score``,
``GridSearchCV`` and ``OptunaSearchCV`` take it, and pickles. Losses come negated, so
that a study always maximises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.brier import brier
from sarcfeat.metrics.concordance import concordance
from sarcfeat.metrics.delong import delong
from sarcfeat.metrics.integrated_brier import integrated_brier
from sarcfeat.metrics.time_dependent_auc import time_dependent_auc
from sarcfeat.metrics.uno import uno_concordance
from sarcfeat.survival import check_y, survival_curves

__all__ = ["Scorer", "get_scorer", "scorer_names"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scorer:
    """A score of a fitted model by name; greater is better.

    Attributes
    ----------
    name : str
    times : tuple of float
        Horizons, for the scores that have any.
    until : float or None
        The last event time that counts, for Uno's c.
    """

    name: str
    times: tuple[float, ...] = ()
    until: float | None = None

    @property
    def direction(self) -> Literal["maximize"]:
        """The direction of an Optuna study."""
        return "maximize"

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the score of `estimator` on `X` and `y`.

        NaN, with the metric's warning, where it cannot be computed.
        """
        return _SCORES[self.name](self, estimator, X, y)


def get_scorer(
    name: str,
    *,
    times: Sequence[float] | float | None = None,
    until: float | None = None,
) -> Scorer:
    """Return a scorer by name.

    Parameters
    ----------
    name : str
        ``harrell_c`` and ``uno_c`` (of ``predict``, a risk), ``time_dependent_auc``
        (of ``predict``, the mean over `times`), ``neg_brier`` and ``neg_ibs`` (of
        ``predict_survival_function``, the mean over `times` and the integral), for a
        survival outcome; ``roc_auc`` and ``neg_brier_binary`` (of ``predict_proba``)
        for one of yes and no.
    times : float or sequence of float, optional
        Horizons in the unit of the outcome, where the score needs any.
    until : float, optional
        The last event time that counts, for ``uno_c``.

    Returns
    -------
    Scorer

    Raises
    ------
    UnknownName
        No such score.
    InvalidInput
        A score by time without `times`.

    Examples
    --------
    >>> get_scorer("neg_ibs", times=[365, 730]).direction
    'maximize'
    """
    pick(name, _SCORES, "score")
    horizons = (
        () if times is None else tuple(np.atleast_1d(times).astype(float).tolist())
    )
    needed = {"time_dependent_auc": 1, "neg_brier": 1, "neg_ibs": 2}.get(name, 0)
    if len(horizons) < needed:
        raise InvalidInput(
            f"The score {name!r} needs at least {needed} times; got {len(horizons)}. "
            "Pass times=[...] in the unit of the outcome."
        )
    return Scorer(name, horizons, until)


def scorer_names() -> list[str]:
    """Return the names :func:`get_scorer` knows.

    Examples
    --------
    >>> "harrell_c" in scorer_names()
    True
    """
    return sorted(_SCORES)


def _risk(
    estimator: Any, X: Any, y: Any
) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    event, time = check_y(y)
    return event, time, np.asarray(estimator.predict(X), dtype=float)


def _harrell(scorer: Scorer, estimator: Any, X: Any, y: Any) -> float:
    return concordance(*_risk(estimator, X, y)).c_index


def _uno(scorer: Scorer, estimator: Any, X: Any, y: Any) -> float:
    return uno_concordance(*_risk(estimator, X, y), until=scorer.until).c_index


def _area(scorer: Scorer, estimator: Any, X: Any, y: Any) -> float:
    found = time_dependent_auc(*_risk(estimator, X, y), scorer.times).auc
    return float(np.mean(found))


def _brier(scorer: Scorer, estimator: Any, X: Any, y: Any) -> float:
    event, time, survival = _survival(scorer, estimator, X, y)
    return -float(np.mean(brier(event, time, survival, scorer.times).brier))


def _integrated(scorer: Scorer, estimator: Any, X: Any, y: Any) -> float:
    event, time, survival = _survival(scorer, estimator, X, y)
    scores = brier(event, time, survival, scorer.times)
    if np.isnan(scores.brier).all():
        return float("nan")
    return -integrated_brier(scores).ibs


def _survival(
    scorer: Scorer, estimator: Any, X: Any, y: Any
) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    event, time = check_y(y)
    return event, time, survival_curves(estimator, X, scorer.times)


def _probability(
    estimator: Any, X: Any, y: Any
) -> tuple[npt.NDArray[np.bool_], Floats]:
    if not hasattr(estimator, "predict_proba"):
        raise InvalidInput(
            f"This score is of a yes-or-no outcome, and {type(estimator).__name__} "
            "gives no predict_proba. For a survival outcome take 'harrell_c', "
            "'time_dependent_auc' or 'neg_brier'."
        )
    classes = list(estimator.classes_)
    if len(classes) != 2:
        raise InvalidInput(f"Expected two classes; the model knows {classes}.")
    ill = np.asarray(y) == classes[1]
    return ill, np.asarray(estimator.predict_proba(X), dtype=float)[:, 1]


def _binary_auc(scorer: Scorer, estimator: Any, X: Any, y: Any) -> float:
    return delong(*_probability(estimator, X, y)).auc


def _binary_brier(scorer: Scorer, estimator: Any, X: Any, y: Any) -> float:
    ill, risk = _probability(estimator, X, y)
    return -float(np.mean((risk - ill) ** 2))


_SCORES: dict[str, Callable[[Scorer, Any, Any, Any], float]] = {
    "harrell_c": _harrell,
    "neg_brier": _brier,
    "neg_brier_binary": _binary_brier,
    "neg_ibs": _integrated,
    "roc_auc": _binary_auc,
    "time_dependent_auc": _area,
    "uno_c": _uno,
}
