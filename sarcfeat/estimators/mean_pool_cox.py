"""The mean of a patient's tiles in a ridge Cox model: what attention must beat."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sarcfeat._validation import HasMethods, Interval, StrOptions, check_params
from sarcfeat.estimators.bag_column import bag_references, refuse_missing, with_tiles
from sarcfeat.estimators.ridge_cox import RidgeCox
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import (
    RiskSets,
    SurvivalMixin,
    baseline_hazard,
    check_y,
    cox_state,
    make_y,
)

__all__ = ["MeanPoolCox"]

Floats = NDArray[np.float64]


class MeanPoolCox(SurvivalMixin, BaseEstimator):
    """Risk from the mean of all tiles of a patient, by Cox regression with a ridge.

    The baseline of every net on bags: each tile counts the same, the model is linear,
    and torch is not needed. The penalty is chosen by cross-validation.

    Parameters
    ----------
    bags : str, optional
        The column of references (``BagRef``); default the only one of X.
    regions : tuple of str, optional
        Only tiles of these regions.
    cv : int, array-like of fold labels or splitter
        Folds that choose the penalty.
    n_lambda : int
        Penalties on the path.
    max_bytes : int
        What tiles may take in memory at a time.
    missing : {"raise", "drop"}
        Patients without tiles: refuse them; or leave them out of the training and
        give them the mean risk at prediction, with a warning.
    random_state : int, RandomState or None
        For the shuffling of the folds.

    Attributes
    ----------
    model_ : RidgeCox
        Fitted on the means of the training patients.
    center_ : float
        Its mean risk in training, which ``predict`` takes off.
    baseline_ : BaselineHazard
        Of the mean training patient.
    dim_ : int
        Numbers a tile.
    n_missing_ : int
        Patients left out for having no tiles.
    n_features_in_, feature_names_in_
        The column of references.

    See Also
    --------
    AttentionMIL : Weighs the tiles.
    RidgeCox : The model of the means.

    References
    ----------
    Verweij & van Houwelingen, Stat Med 1994 (ridge Cox regression).

    Examples
    --------
    >>> import pandas as pd
    >>> from sarcfeat import make_y
    >>> from sarcfeat.io import BagArray
    >>> rng = np.random.default_rng(0)
    >>> hazard = rng.normal(size=40)
    >>> tiles = [rng.normal(mean, 1, (9, 3)) for mean in hazard]
    >>> bags = [BagArray(f"P{i}", given) for i, given in enumerate(tiles)]
    >>> X = pd.DataFrame({"cnn.bag": pd.Series(bags, dtype=object)})
    >>> y = make_y(np.ones(40), rng.exponential(np.exp(-hazard)))
    >>> MeanPoolCox(random_state=0).fit(X, y).score(X, y) > 0.6
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "bags": [str, None],
        "regions": [tuple, list, None],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            "array-like",
            HasMethods(["split", "get_n_splits"]),
        ],
        "n_lambda": [Interval(Integral, 2, None, closed="left")],
        "max_bytes": [Interval(Integral, 1, None, closed="left")],
        "missing": [StrOptions({"raise", "drop"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        bags: str | None = None,
        *,
        regions: Any = None,
        cv: Any = 5,
        n_lambda: int = 20,
        max_bytes: int = 256 * 1024**2,
        missing: str = "raise",
        random_state: Any = 0,
    ) -> None:
        self.bags = bags
        self.regions = regions
        self.cv = cv
        self.n_lambda = n_lambda
        self.max_bytes = max_bytes
        self.missing = missing
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> MeanPoolCox:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them
        y : structured array (event, time)

        Returns
        -------
        MeanPoolCox
            Itself.

        Raises
        ------
        InvalidInput
            Patients without tiles (unless ``missing="drop"``), or with NaN in them.
        NoEvents
            Fewer than two events.
        """
        check_params(self)
        refs, labels = self._references(X, reset=True)
        event, time = check_y(y, n=len(refs), min_events=2)
        has = with_tiles(refs, self.regions)
        refuse_missing(self, labels, has, fitting=True)
        self.n_missing_ = int((~has).sum())
        event, time = event[has], time[has]
        refs = [ref for ref, one in zip(refs, has, strict=True) if one]
        self.dim_ = refs[0].dim
        values = self._means(refs)
        model = RidgeCox(
            cv=self.cv, n_lambda=self.n_lambda, random_state=self.random_state
        )
        self.model_ = model.fit(values, make_y(event, time, zero="keep"))
        risk = self.model_.predict(values)
        self.center_ = float(risk.mean())
        eta = (risk - self.center_)[:, None]
        sets = RiskSets(event, time, ties="breslow")
        self.baseline_ = baseline_hazard(cox_state([1.0], eta, sets))
        return self

    def predict(self, X: Any) -> Floats:
        """Return the log hazard ratio of each patient to the mean training patient.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them

        Returns
        -------
        ndarray of shape (n_patients,)
            Higher is worse. With ``missing="drop"``, 0 for a patient without tiles.
        """
        refs, labels = self._references(X, reset=False)
        has = with_tiles(refs, self.regions)
        refuse_missing(self, labels, has, fitting=False)
        risk = np.zeros(len(refs))
        known = [ref for ref, one in zip(refs, has, strict=True) if one]
        if known:
            risk[has] = self.model_.predict(self._means(known)) - self.center_
        return risk

    def predict_survival_function(self, X: Any, times: ArrayLike) -> Floats:
        """Return each patient's chance of being free of the event at given times.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them
        times : array-like of shape (n_times,)

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        return self.baseline_.survival(times, self.predict(X))

    def __sklearn_tags__(self) -> Any:
        """Declare that `y` is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _references(self, X: Any, *, reset: bool) -> tuple[list[Any], list[str]]:
        return bag_references(self, X, reset=reset)

    def _means(self, refs: list[Any]) -> Floats:
        other = [ref for ref in refs if ref.dim != self.dim_]
        if other:
            raise InvalidInput(
                f"Patient {other[0].patient} has {other[0].dim:,} numbers a tile, the "
                f"others {self.dim_:,}: they come from different encoders. Choose one."
            )
        return np.array([self._mean(ref) for ref in refs])

    def _mean(self, ref: Any) -> Floats:
        total, n = np.zeros(ref.dim), 0
        for bag in ref.chunks(max(1, self.max_bytes // (16 * ref.dim)), self.regions):
            total += bag.features.sum(0, dtype=np.float64)
            n += len(bag.features)
        if not np.isfinite(total).all():
            raise InvalidInput(
                f"Patient {ref.patient}: tiles have NaN or infinite numbers (often "
                "float16 that ran over). Extract them again in float32, or leave these "
                "tiles out (nan='drop' of add_bag)."
            )
        return total / n
