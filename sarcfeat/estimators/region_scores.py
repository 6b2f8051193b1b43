"""One risk score for each combination of regions, as a transformer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import HasMethods, Interval, check_params, is_frame, listed
from sarcfeat.estimators._event_folds import event_folds, refuse_partial
from sarcfeat.estimators._region_fits import fit_held_out, predict_alone, tell
from sarcfeat.estimators.attention_mil import AttentionMIL
from sarcfeat.estimators.bag_column import bag_references, with_tiles
from sarcfeat.exceptions import InvalidInput, NothingSelected, SarcfeatWarning
from sarcfeat.survival import check_y, make_y

__all__ = ["RegionScores"]

Floats = NDArray[np.float64]
# Michot et al. (2025): centre, periphery, and the tissue around the tumour.
REGIONS: dict[str, tuple[str, ...]] = {
    "DL-C": ("C",),
    "DL-P": ("P",),
    "DL-R": ("R",),
    "DL-CP": ("C", "P"),
    "DL-CPR": ("C", "P", "R"),
}


class RegionScores(TransformerMixin, BaseEstimator):
    """Risk scores of the regions of a tumour: one model for each combination.

    ``fit_transform(X, y)`` gives every training patient the score of models that have
    not seen that patient (the same folds for all combinations); ``transform`` uses
    the models fitted on all training patients. Each score is brought to -1 … 1 by the
    smallest and largest of the training scores (new patients may lie beyond) and cut
    at their median: at it or above is high.

    .. note:: ``fit(X, y).transform(X)`` does not equal ``fit_transform(X, y)``: the
       training scores are cross-fitted. With ``cv=None`` both are the scores of models
       that have seen the patients, as in the paper; they are too good to be true, and
       so are a cut and a hazard ratio made of them. Cross-fitted scores err the other
       way, a little: each fold has its own model, and the best folds to learn from
       leave the worst to be scored: where nothing is to be learned, the c-index over
       all folds together lies somewhat below 0.5, that within folds at 0.5.

    Parameters
    ----------
    regions : dict of str to tuple of str, optional
        The name of each score and its regions; default the five of the paper: DL-C,
        DL-P, DL-R, DL-CP, DL-CPR.
    estimator : estimator on bags, optional
        What each score is made by; default :class:`AttentionMIL`. Its ``regions``,
        ``missing`` and ``random_state`` are set here.
    cv : int, array-like of fold labels, splitter or None
        Folds of the cross-fitting. None scores training patients by the models that
        have seen them.
    name : str
        Columns are called ``<name>.<score>``.
    bags : str, optional
        The column of references; default the only one of X.
    n_jobs : int, optional
        Joblib workers. Each model is trained by one thread, so that the scores are
        the same for any number.
    random_state : int, RandomState or None
        For folds and models.

    Attributes
    ----------
    models_ : dict of str to estimator
        Fitted on all training patients with tiles there.
    ranges_ : DataFrame
        Index: the scores; ``low, high`` of the training scores as the models give them.
    cuts_ : Series
        Median of each training score, on the scale -1 … 1.
    missing_ : Series
        Training patients without tiles there; their score is NaN.
    n_folds_ : int
        0 with ``cv=None``.
    n_features_in_, feature_names_in_
        The column of references.

    Raises
    ------
    InvalidInput
        A combination for which no patient has tiles.
    NoEvents
        A fold with fewer than two events to learn from.

    Warns
    -----
    SarcfeatWarning
        Patients have no tiles in a region; they are named.

    References
    ----------
    Michot et al., 2025: five models, scaling and cut. There no cross-fitting is
    described (``cv=None``).

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> from sarcfeat.estimators import MeanPoolCox
    >>> from sarcfeat.io import BagArray
    >>> rng = np.random.default_rng(0)
    >>> hazard = rng.normal(size=60)
    >>> code = np.arange(30, dtype=np.uint8) % 2 + 1
    >>> bags = [
    ...     BagArray(f"P{i}", rng.normal(h, 1, (30, 3)), None, code, ("C", "P"))
    ...     for i, h in enumerate(hazard)
    ... ]
    >>> X = pd.DataFrame({"cnn.bag": pd.Series(bags, dtype=object)})
    >>> y = make_y(np.ones(60), rng.exponential(np.exp(-hazard)))
    >>> regions = {"DL-C": ("C",), "DL-CP": ("C", "P")}
    >>> scores = RegionScores(regions, estimator=MeanPoolCox(), cv=3)
    >>> made = scores.fit_transform(X, y)
    >>> list(made.columns), float(made.max().max()), float(made.min().min())
    (['dl.DL-C', 'dl.DL-CP'], 1.0, -1.0)
    >>> float(scores.high(made)["dl.DL-C"].mean())
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "regions": [dict, None],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            "array-like",
            HasMethods(["split", "get_n_splits"]),
            None,
        ],
        "name": [str],
        "bags": [str, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        regions: Mapping[str, tuple[str, ...]] | None = None,
        *,
        estimator: Any = None,
        cv: Any = 5,
        name: str = "dl",
        bags: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.regions = regions
        self.estimator = estimator
        self.cv = cv
        self.name = name
        self.bags = bags
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> RegionScores:
        """Fit all models; the same as ``fit_transform`` without its result.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them
        y : structured array (event, time)

        Returns
        -------
        RegionScores
            Itself.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any) -> Any:
        """Fit all models, and return the cross-fitted scores of the training patients.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them
        y : structured array (event, time)

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, n_scores)
            NaN where a patient has no tiles in the regions.
        """
        check_params(self)
        refs, labels = self._references(X, reset=True)
        event, time = check_y(y, n=len(refs), min_events=2)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        folds = []
        if self.cv is not None:
            folds = event_folds(self.cv, refs, event, time, seed, "RegionScores")
            refuse_partial(folds, len(refs), "RegionScores")
        self.n_folds_ = len(folds)
        asked = self._asked()
        has = {score: with_tiles(refs, r) for score, r in asked.items()}
        self.missing_ = pd.Series({s: int((~h).sum()) for s, h in has.items()})
        self._refuse_nobody(has)
        self._tell_missing(labels, has)
        everybody = np.arange(len(refs))
        y = make_y(event, time, zero="keep")
        tasks = [
            (score, number, train, test)
            for score in asked
            for number, (train, test) in enumerate([(everybody, everybody), *folds])
        ]
        done = joblib.Parallel(n_jobs=self.n_jobs)(
            joblib.delayed(fit_held_out)(
                self._model(score, number, seed),
                refs,
                y,
                train[has[score][train]],
                test[has[score][test]],
                f"{score}, fold {number}" if number else score,
                self._column(),
            )
            for score, number, train, test in tasks
        )
        tell((one for *_, told in done for one in told), "RegionScores")
        raw = np.full((len(refs), len(asked)), np.nan)
        self.models_ = {}
        for (score, number, _, test), (model, risk, _) in zip(tasks, done, strict=True):
            if not number:
                self.models_[score] = model
            if number or not folds:
                raw[test[has[score][test]], list(asked).index(score)] = risk
        self._learn_scale(raw, list(asked))
        return self._shaped(X, self._scaled(raw))

    def transform(self, X: Any) -> Any:
        """Return the scores by the models fitted on all training patients.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, n_scores)
            NaN where a patient has no tiles in the regions.
        """
        check_is_fitted(self)
        refs, labels = self._references(X, reset=False)
        has = {s: with_tiles(refs, m.regions) for s, m in self.models_.items()}
        self._tell_missing(labels, has)
        raw = np.full((len(refs), len(has)), np.nan)
        for j, (score, model) in enumerate(self.models_.items()):
            rows = np.flatnonzero(has[score])
            if len(rows):
                raw[rows, j] = predict_alone(
                    model, [refs[i] for i in rows], self._column()
                )
        return self._shaped(X, self._scaled(raw))

    def high(self, X: Any) -> Any:
        """Return who is at high risk: at the training median of the score or above.

        Parameters
        ----------
        X : DataFrame
            Scores, as :meth:`fit_transform` or :meth:`transform` return them; or
            references, which are then scored by :meth:`transform`.

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, n_scores)
            1 high, 0 low, NaN without a score.
        """
        check_is_fitted(self)
        names = list(self.get_feature_names_out())
        if is_frame(X) and set(names) <= set(X.columns):
            scores = X[names]
        else:
            scores = self.transform(X)
        values = np.asarray(scores, dtype=float)
        found = np.where(np.isnan(values), np.nan, values >= self.cuts_.to_numpy())
        return self._shaped(X, found)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        return np.array(
            [f"{self.name}.{score}" for score in self.models_], dtype=object
        )

    def __sklearn_tags__(self) -> Any:
        """Declare that `y` is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _references(self, X: Any, *, reset: bool) -> tuple[list[Any], list[str]]:
        return bag_references(self, X, reset=reset)

    def _column(self) -> str:
        """Return the column of references, by which the models are asked, too."""
        return str(getattr(self, "feature_names_in_", ["bag"])[0])

    def _asked(self) -> dict[str, tuple[str, ...]]:
        asked = REGIONS if self.regions is None else self.regions
        if not asked:
            raise InvalidInput("RegionScores: regions is empty; name at least one.")
        # A word is one region, not its letters.
        return {
            str(score): (names,) if isinstance(names, str) else tuple(names)
            for score, names in asked.items()
        }

    def _model(self, score: str, number: int, seed: int) -> Any:
        """Return the unfitted model of one score and fold (0: all patients)."""
        model = AttentionMIL() if self.estimator is None else clone(self.estimator)
        told = {"regions": self._asked()[score], "missing": "raise"}
        lacking = [name for name in told if name not in model.get_params()]
        if lacking:
            raise InvalidInput(
                f"RegionScores: {type(model).__name__} has no parameter "
                f"{lacking[0]!r}; expected an estimator on bags, such as AttentionMIL "
                "or MeanPoolCox."
            )
        model.set_params(**told, random_state=seed)
        folder = getattr(model, "checkpoint", None)
        if folder is not None:
            model.set_params(checkpoint=str(Path(folder) / score / f"fold-{number}"))
        return model

    def _refuse_nobody(self, has: dict[str, NDArray[Any]]) -> None:
        for score, found in has.items():
            if not found.any():
                raise InvalidInput(
                    f"RegionScores: no patient has tiles for {score} "
                    f"({', '.join(self._asked()[score])}). Look at the names of the "
                    "regions (BagRef.load().region_names)."
                )

    def _tell_missing(self, labels: list[str], has: dict[str, NDArray[Any]]) -> None:
        told = []
        for score, found in has.items():
            who = [label for label, one in zip(labels, found, strict=True) if not one]
            if who:
                told.append(f"{score}: {len(who)} ({listed(who)})")
        if told:
            warnings.warn(
                "RegionScores: patients without tiles of a score's regions get NaN. "
                f"{'; '.join(told)}.",
                SarcfeatWarning,
                stacklevel=4,
            )

    def _learn_scale(self, raw: Floats, scores: list[str]) -> None:
        low, high = np.nanmin(raw, axis=0), np.nanmax(raw, axis=0)
        self.ranges_ = pd.DataFrame({"low": low, "high": high}, index=scores)
        flat = [s for s, a, b in zip(scores, low, high, strict=True) if a == b]
        if flat:
            warnings.warn(
                f"RegionScores: {listed(flat)} give every training patient the same "
                "risk; the score is 0.",
                NothingSelected,
                stacklevel=4,
            )
        self.cuts_ = pd.Series(np.nanmedian(self._scaled(raw), axis=0), index=scores)

    def _scaled(self, raw: Floats) -> Floats:
        low, high = self.ranges_["low"].to_numpy(), self.ranges_["high"].to_numpy()
        width = np.where(high > low, high - low, 1.0)
        # In this order the ends are -1 and 1 exactly.
        scaled = (raw - low) / width * 2 - 1
        return np.where(np.isnan(raw), np.nan, np.where(high > low, scaled, 0.0))

    def _shaped(self, X: Any, values: Floats) -> Any:
        if not is_frame(X):
            return values
        return pd.DataFrame(values, index=X.index, columns=self.get_feature_names_out())
