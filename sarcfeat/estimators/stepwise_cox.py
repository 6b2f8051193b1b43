"""Stepwise Cox regression: variables leave or enter while the criterion falls."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import StrOptions, check_params, listed
from sarcfeat.estimators._matrix import feature_names, fit_matrix, predict_matrix
from sarcfeat.estimators.coxph import CoxPH
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.survival import RiskSets, SurvivalMixin, check_y, fit_cox

__all__ = ["StepwiseCox"]

Floats = npt.NDArray[np.float64]
# R's stepAIC goes on only where the criterion falls by more than this.
LEAST_GAIN = 1e-7


class StepwiseCox(SurvivalMixin, BaseEstimator):
    """Cox model whose variables are chosen stepwise by AIC or BIC.

    At each step the one variable whose removal (or entry) lowers the criterion most
    leaves (or enters); it ends when none does. The p-values of the final model ignore
    the search: validate the whole estimator by cross-validation, as it stands.

    Parameters
    ----------
    direction : {"backward", "forward", "both"}
        Start from all the variables, from none, or from all with re-entry.
    criterion : {"aic", "bic"}
        -2 log likelihood plus 2, or the log of the number of events, per coefficient.
    terms : mapping of str to sequence of str, optional
        Variable → its columns, which enter and leave together (the 0/1 columns of a
        categorical variable). A column in no term is a variable by itself.
    ties : {"efron", "breslow"}

    Attributes
    ----------
    selected_ : list of str
        The variables of the final model; forward, in the order of entry.
    trace_ : DataFrame
        One row a step: ``step`` (``"- age"``, ``"+ size"``, ``""`` at the start),
        ``criterion`` after it, ``df``.
    model_ : CoxPH
        The final model, on the selected columns.
    coef_ : ndarray of shape (n_features,)
        Log hazard ratios; 0 for what was not selected.
    dropped_ : DataFrame
        ``feature, reason`` of every column that was left out.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    LassoCox : Selection by shrinkage, for more variables than this bears.

    References
    ----------
    Venables WN, Ripley BD. Modern Applied Statistics with S: ``MASS::stepAIC``, with
    which selections, steps and criteria agree.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> X = pd.DataFrame({
    ...     "size": [4.0, 9.0, 8.5, 7.0, 3.0, 8.0, 5.0, 6.0],
    ...     "noise": [1.0, 2.0, 1.0, 3.0, 2.0, 1.0, 3.0, 2.0],
    ... })
    >>> y = make_y([1] * 8, [900, 150, 300, 400, 1000, 200, 800, 700])
    >>> StepwiseCox().fit(X, y).selected_
    ['size']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "direction": [StrOptions({"backward", "forward", "both"})],
        "criterion": [StrOptions({"aic", "bic"})],
        "terms": [None, dict],
        "ties": [StrOptions({"efron", "breslow"})],
    }

    def __init__(
        self,
        direction: str = "backward",
        *,
        criterion: str = "aic",
        terms: Mapping[str, Sequence[str]] | None = None,
        ties: str = "efron",
    ) -> None:
        self.direction = direction
        self.criterion = criterion
        self.terms = terms
        self.ties = ties

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> StepwiseCox:
        """Choose the variables and fit the Cox model on them.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional

        Raises
        ------
        InvalidInput
            A term names an unknown column, or (backward and both) as many columns as
            patients.
        NoEvents
            Fewer than two patients had the event.

        Warns
        -----
        NothingSelected
            No variable lowered the criterion; predictions are constant.
        """
        check_params(self)
        values = fit_matrix(self, X)
        event, time = check_y(y, n=len(values), min_events=2)
        names = [str(name) for name in feature_names(self)]
        terms = _terms(names, self.terms)
        n, p = values.shape
        if self.direction != "forward" and p >= n:
            raise InvalidInput(
                f"Stepwise selection from the full model needs fewer columns than "
                f"patients; got {p} columns and {n} patients. Start from none "
                "(direction='forward') or use LassoCox."
            )
        rows, weight = np.ones(n, dtype=bool), None
        if sample_weight is not None:
            weight = np.asarray(sample_weight, dtype=float)
            if weight.shape != (n,):
                raise InvalidInput(
                    f"sample_weight has shape {weight.shape}; expected ({n},)."
                )
            rows = weight != 0  # a patient who does not count is not at risk either
            weight = weight[rows]
        sets = RiskSets(event[rows], time[rows], weight, ties=self.ties)
        penalty = 2.0 if self.criterion == "aic" else math.log(sets.n_events)
        search = _Search(values[rows], sets, names, terms, penalty)
        self.selected_, steps = search.run(self.direction)
        self.trace_ = pd.DataFrame(steps, columns=["step", "criterion", "df"])
        self._refit(values, y, names, terms, sample_weight)
        return self

    def _refit(
        self,
        values: Floats,
        y: Any,
        names: list[str],
        terms: dict[str, list[int]],
        sample_weight: Any,
    ) -> None:
        self.columns_ = [i for name in self.selected_ for i in terms[name]]
        chosen = pd.DataFrame(
            values[:, self.columns_], columns=[names[i] for i in self.columns_]
        )
        if not self.columns_:
            warnings.warn(
                f"StepwiseCox: none of the {len(terms)} variables lowers the "
                f"{self.criterion.upper()}; every patient gets the same risk.",
                NothingSelected,
                stacklevel=3,
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NothingSelected)
            self.model_ = CoxPH(self.ties).fit(chosen, y, sample_weight)
        self.coef_ = np.zeros(len(names))
        self.coef_[self.columns_] = self.model_.coef_
        out = [i for i in range(len(names)) if i not in set(self.columns_)]
        self.dropped_ = pd.DataFrame(
            {
                "feature": [names[i] for i in out],
                "reason": [f"does not lower the {self.criterion.upper()}"] * len(out),
            }
        )

    def _chosen(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self)
        values = predict_matrix(self, X)[:, self.columns_]
        return pd.DataFrame(values, columns=list(self.model_.ranges_.index))

    def predict(self, X: Any) -> Floats:
        """Return the linear predictor of the final model; higher is worse."""
        chosen = self._chosen(X)
        return self.model_.predict(chosen)

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of no event by `times`."""
        chosen = self._chosen(X)
        return self.model_.predict_survival_function(chosen, times)


def _terms(
    names: Sequence[str], given: Mapping[str, Sequence[str]] | None
) -> dict[str, list[int]]:
    """Return variable → positions of its columns, in the order of the columns."""
    owner = {name: name for name in names}
    for term, columns in (given or {}).items():
        unknown = [column for column in columns if column not in owner]
        if unknown:
            raise InvalidInput(
                f"Term {term!r} names {listed(unknown)}; X has the columns "
                f"{listed(names, 12)}."
            )
        owner.update(dict.fromkeys(columns, term))
    terms: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        terms.setdefault(owner[name], []).append(position)
    return terms


class _Search:
    """The stepwise search over the variables of one design."""

    def __init__(
        self,
        values: Floats,
        sets: RiskSets,
        names: list[str],
        terms: dict[str, list[int]],
        penalty: float,
    ) -> None:
        self.values, self.sets, self.names = values - values.mean(axis=0), sets, names
        self.terms, self.penalty = terms, penalty

    def score(self, chosen: Sequence[str]) -> tuple[float, int]:
        """Return the criterion and the number of coefficients of some variables."""
        columns = [i for name in chosen for i in self.terms[name]]
        names = [self.names[i] for i in columns]
        fit = fit_cox(self.values[:, columns], self.sets, names=names)
        df = int(fit.lr_test[1])
        return -2 * fit.loglik + self.penalty * df, df

    def moves(self, chosen: list[str], direction: str) -> Iterator[tuple[str, list]]:
        """Yield every step from here: what it is called, and what it leads to."""
        if direction != "forward":
            for name in chosen:
                yield f"- {name}", [other for other in chosen if other != name]
        if direction != "backward":
            for name in self.terms:
                if name not in chosen:
                    yield f"+ {name}", [*chosen, name]

    def run(self, direction: str) -> tuple[list[str], list[tuple[str, float, int]]]:
        """Return the final variables and the steps to them."""
        chosen = [] if direction == "forward" else list(self.terms)
        score, df = self.score(chosen)
        steps = [("", score, df)]
        while True:
            tried = [
                (*self.score(after), step, after)
                for step, after in self.moves(chosen, direction)
            ]
            if not tried:
                return chosen, steps
            best = min(tried, key=lambda found: found[0])
            if best[0] >= score - LEAST_GAIN:
                return chosen, steps
            score, df, step, chosen = best
            steps.append((step, score, df))
