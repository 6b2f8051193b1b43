"""Low and high by the cut that parts survival best, its p corrected for the search."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from sarcfeat._validation import Interval, StrOptions, check_params, listed
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.survival import (
    MaximallySelected,
    check_y,
    maximally_selected_logrank,
)
from sarcfeat.transform._cut import Cut, as_series
from sarcfeat.transform.frame import input_names, read_features, reasons

__all__ = ["OptimalCut"]

COLUMNS = (
    "feature",
    "cut",
    "statistic",
    "p",
    "p_naive",
    "n_low",
    "n_high",
    "n_missing",
    "higher_is_worse",
)


class OptimalCut(Cut):
    """Part patients into low and high where their survival differs most.

    Parameters
    ----------
    method : {"lausen-schumacher", "lausen-1994", "permutation", "contal-oquigley"}
        How the p-value knows of the search; see
        :func:`~sarcfeat.survival.maximally_selected_logrank`.
    min_share : float
        The least share of patients on either side.
    ties : {"maxstat", "logrank"}
        Scores at tied times as in R's ``maxstat``, or as in the log-rank test.
    n_permutations : int
        For ``"permutation"``.
    passthrough : sequence of str
        Columns of a frame that pass untouched.
    random_state : int or None
        For ``"permutation"``.

    Attributes
    ----------
    cuts_ : Series
        The cut of each column; high is at or above it.
    table_ : DataFrame
        ``feature, cut, statistic, p, p_naive, n_low, n_high, n_missing,
        higher_is_worse``: ``p`` is corrected for the search; ``p_naive``, the log-rank
        test of the groups found, is not to be reported.
    search_ : DataFrame
        Every cut tried: ``feature, cut, n_low, n_high, statistic``.
    support_ : ndarray of bool, shape (n_columns,)
    dropped_ : DataFrame
        ``feature, reason``: columns without a cut.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Warns
    -----
    NothingSelected
        No column has a cut.

    Notes
    -----
    The cut belongs inside the fold: chosen on all patients, it flatters every test that
    follows, of other patients too.

    References
    ----------
    Lausen & Schumacher, Biometrics 1992; Contal & O'Quigley, Comput Stat Data Anal
    1999; statistic and p as R's ``maxstat``.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> X = pd.DataFrame({"size": np.arange(20.0)})
    >>> y = make_y(np.ones(20), np.where(X["size"] < 12, 30, 5) + X["size"] / 100)
    >>> cut = OptimalCut().fit(X, y)
    >>> float(cut.cuts_["size"]), int(cut.transform(X)["size"].sum())
    (11.5, 8)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "method": [
            StrOptions(
                {"contal-oquigley", "lausen-1994", "lausen-schumacher", "permutation"}
            )
        ],
        "min_share": [Interval(Real, 0, 0.5, closed="neither")],
        "ties": [StrOptions({"logrank", "maxstat"})],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "passthrough": ["array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        method: str = "lausen-schumacher",
        *,
        min_share: float = 0.1,
        ties: str = "maxstat",
        n_permutations: int = 1000,
        passthrough: Sequence[str] = ("site",),
        random_state: Any = None,
    ) -> None:
        self.method = method
        self.min_share = min_share
        self.ties = ties
        self.n_permutations = n_permutations
        self.passthrough = passthrough
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> OptimalCut:
        """Search the cuts of these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            A patient without a value is left out of that column's search.
        y : structured array (event, time)

        Returns
        -------
        OptimalCut
            The fitted transformer itself.

        Raises
        ------
        InvalidInput
            No y.
        NoEvents
            No patient had the event.
        """
        check_params(self)
        if y is None:
            raise InvalidInput(
                "OptimalCut requires y to be passed, but the target y is None."
            )
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        names = [str(name) for name in input_names(self)[is_feature]]
        event, time = check_y(y, n=len(values), min_events=1)
        found, lost = {}, []
        seeds = self._seeds(len(names))
        for j, name in enumerate(names):
            try:
                found[name] = self._search(values[:, j], event, time, seeds[j])
            except InvalidInput as error:
                # A column that cannot be cut is dropped, and says why.
                lost.append((name, str(error)))
        cut = [found[n].cut if n in found else np.nan for n in names]
        self.cuts_ = as_series(cut, names)
        missing = dict(zip(names, np.isnan(values).sum(axis=0), strict=True))
        self.table_ = pd.DataFrame(
            [_row(name, one, int(missing[name])) for name, one in found.items()],
            columns=list(COLUMNS),
        )
        self.search_ = _searches(found)
        self.support_ = ~is_feature
        self.support_[is_feature] = ~np.isnan(cut) if cut else False
        self.dropped_ = reasons(lost)
        if names and not found:
            warnings.warn(
                f"None of {len(names)} columns can be cut ({listed(names)}); the step "
                "passes none of them on.",
                NothingSelected,
                stacklevel=2,
            )
        return self

    def _seeds(self, n: int) -> list[int]:
        state = self.random_state
        if isinstance(state, np.random.RandomState):
            return [int(s) for s in state.randint(0, 2**31 - 1, n)]
        rng = np.random.default_rng(state)
        return [int(s) for s in rng.integers(0, 2**31 - 1, n)]

    def _search(
        self, column: np.ndarray, event: np.ndarray, time: np.ndarray, seed: int
    ) -> MaximallySelected:
        there = ~np.isnan(column)
        if not event[there].any():
            raise InvalidInput("no patient with a value had the event")
        return maximally_selected_logrank(
            event[there],
            time[there],
            column[there],
            method=self.method,
            min_share=self.min_share,
            ties=self.ties,
            n_permutations=self.n_permutations,
            random_state=seed,
        )

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the cut needs an outcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _row(name: str, one: MaximallySelected, missing: int) -> dict[str, Any]:
    here = one.search.loc[one.search["statistic"].idxmax()]
    return {
        "feature": name,
        "cut": one.cut,
        "statistic": one.statistic,
        "p": one.p_value,
        "p_naive": one.p_naive,
        "n_low": int(here["n_low"]),
        "n_high": int(here["n_high"]),
        "n_missing": missing,
        "higher_is_worse": one.higher_is_worse,
    }


def _searches(found: dict[str, MaximallySelected]) -> pd.DataFrame:
    parts = []
    for name, one in found.items():
        part = one.search.copy()
        part.insert(0, "feature", name)
        parts.append(part)
    if not parts:
        return pd.DataFrame(columns=["feature", "cut", "n_low", "n_high", "statistic"])
    return pd.concat(parts, ignore_index=True)
