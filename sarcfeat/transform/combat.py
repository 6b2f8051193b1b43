"""Take scanner and hospital effects out of features, learnt in training only."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params, listed, pick
from sarcfeat.exceptions import InvalidInput, OneBatch, SarcfeatWarning
from sarcfeat.transform._batch import batch_labels, require_column
from sarcfeat.transform._confounding import confounding_table, warn_if_confounded
from sarcfeat.transform._covariates import Covariates
from sarcfeat.transform._empirical_bayes import (
    LocationScale,
    adjust,
    batch_design,
    fit_location_scale,
    unadjustable,
)
from sarcfeat.transform._new_batches import meet_unseen, with_new_batches
from sarcfeat.transform.frame import (
    aligned,
    checked_names,
    input_names,
    read_features,
    reasons,
    rebuild,
)

__all__ = ["ComBat"]

SITE = "site"


class ComBat(TransformerMixin, BaseEstimator):
    """Harmonise features between sites or scanners by empirical Bayes (ComBat).

    Each batch's shift and spread of each feature are learnt on the patients of ``fit``,
    drawn towards those of all features, and taken out of any patients given to
    ``transform``: no patient of a test fold has a say. On the training patients the
    numbers equal those of R's sva.

    Parameters
    ----------
    batch : str or None
        The column of X that names the batch. It is used up: ``transform`` drops it (and
        the text column ``site``, whatever the batch). None: the features pass
        unchanged.
    covariates : sequence of str, optional
        Columns of X whose effect is to be preserved (age, grade). They pass untouched;
        text is turned into indicators.
    parametric : bool
        Normal and inverse-gamma priors. False: the features themselves are the prior
        (slow: features x features).
    mean_only : bool
        Correct the shift and leave the spread alone.
    reference : str, optional
        A batch that is left as it is and to which the others are brought.
    unseen : {"raise", "reference", "estimate", "skip"}
        What to do with a batch that was not there at the fit: refuse it; take it to
        behave like the reference batch (without a reference, like the grand mean); or
        pass it by with a warning. These two leave its values unchanged: nothing is
        learnt from the patients of ``transform``. ``"estimate"`` learns the shift and
        the spread of the new batch from those of its patients that are transformed
        together (their outcomes are not looked at): what comes out for one of them
        then depends on the others, and a batch of patients who differ in prognosis
        loses that difference.
    min_estimate : int
        The fewest patients from whom a new batch is estimated; fewer are refused.
    single : {"raise", "mean_only"}
        What to do with a batch of one patient, which has no spread: refuse it, or
        correct the shift only, in all batches, as sva does.

    Attributes
    ----------
    batches_ : list
        The batches of the fit, sorted.
    n_patients_ : dict
        Patients in each batch.
    gamma_, delta_ : ndarray of shape (n_batches, n_features)
        Shift and variance of each batch in units of the pooled standard deviation; 0
        and 1 for a feature that is left unchanged.
    grand_mean_, scale_ : ndarray of shape (n_features,)
        What features are standardised with; NaN for one that is left unchanged.
    confounding_ : DataFrame or None
        Patients by batch and outcome (survival: event or none), with Cramér's V and
        the p-value in ``attrs``; None where ``fit`` got no y with classes.
    mean_only_ : bool
        Whether only shifts are corrected.
    unadjusted_ : DataFrame
        ``feature, reason``: features that pass unchanged, because they are constant in
        a batch or lack values there.
    dropped_ : DataFrame
        ``feature, reason``: the batch column.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Notes
    -----
    Missing values are left out of the sums and stay missing.

    References
    ----------
    Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data
    using empirical Bayes methods. Biostatistics 2007;8:118-27. R package sva 3.46.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    >>> X["site"] = ["Lyon", "Nice"] * 20
    >>> X.loc[X["site"] == "Nice", ["a", "b", "c"]] += 5
    >>> harmonised = ComBat().fit_transform(X)
    >>> list(harmonised.columns)
    ['a', 'b', 'c']
    >>> means = harmonised.groupby(X["site"]).mean()
    >>> bool((means.loc["Nice"] - means.loc["Lyon"]).abs().max() < 0.5)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "batch": [str, None],
        "covariates": ["array-like", None],
        "parametric": ["boolean"],
        "mean_only": ["boolean"],
        "reference": "no_validation",
        "unseen": [StrOptions({"raise", "reference", "estimate", "skip"})],
        "min_estimate": [Interval(Integral, 2, None, closed="left")],
        "single": [StrOptions({"raise", "mean_only"})],
    }

    def __init__(
        self,
        batch: str | None = "site",
        *,
        covariates: Sequence[str] | None = None,
        parametric: bool = True,
        mean_only: bool = False,
        reference: str | None = None,
        unseen: str = "raise",
        min_estimate: int = 10,
        single: str = "raise",
    ) -> None:
        self.batch = batch
        self.covariates = covariates
        self.parametric = parametric
        self.mean_only = mean_only
        self.reference = reference
        self.unseen = unseen
        self.min_estimate = min_estimate
        self.single = single

    def fit(self, X: Any, y: Any = None, site: Any = None) -> ComBat:
        """Learn the batch effects from these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
        y : survival target or classes, optional
            Looked at for one thing only: a warning where it goes with the batch.
        site : array-like of shape (n_patients,), optional
            The batch of each patient, in place of a column of X.

        Warns
        -----
        ConfoundedBatch
            Batch and outcome go together; the message holds the table.
        OneBatch
            There is one batch only.

        Raises
        ------
        InvalidInput
            The batch of a patient is missing, a batch has one patient (see `single`),
            or covariates cannot be told apart from the batches.
        UnknownName
            X has no such batch or covariate column, or there is no batch `reference`.
        """
        check_params(self)
        preserved = list(self.covariates or ())
        if isinstance(X, pd.DataFrame) and self.batch is not None and site is None:
            require_column(X, self.batch)
        self._covariates = Covariates.learn(X, preserved)
        values, is_feature = self._read(X, reset=True)
        columns = input_names(self)
        self.support_ = is_feature | np.isin(columns, preserved)
        self.dropped_ = reasons([(c, "the batch") for c in columns[~self.support_]])
        self._model: LocationScale | None = None
        self._remember(values)
        if self.batch is None:
            return self
        labels = batch_labels(X, self.batch, site)
        self.batches_ = sorted(labels.unique(), key=str)
        codes = pd.Index(self.batches_).get_indexer(labels)
        counts = np.bincount(codes)
        self.n_patients_ = dict(zip(self.batches_, counts.tolist(), strict=True))
        if self.reference is not None:
            pick(self.reference, self.batches_, "batch")
        self.confounding_ = confounding_table(labels, y)
        warn_if_confounded(self.confounding_, stacklevel=2)
        if len(self.batches_) == 1:
            warnings.warn(
                f"There is one batch only, {self.batches_[0]!r}: the features pass "
                "unchanged.",
                OneBatch,
                stacklevel=2,
            )
            if self.unseen == "estimate":  # against which new batches are measured
                self._learn(values, columns[is_feature], codes, X)
            return self
        self._refuse_single(counts)
        self._learn(values, columns[is_feature], codes, X)
        return self

    def transform(self, X: Any, site: Any = None) -> Any:
        """Return the harmonised features without the batch column.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data; any patients.
        site : array-like of shape (n_patients,), optional
            The batch of each patient, in place of a column of X.

        Raises
        ------
        UnseenBatch
            A batch was not there at the fit, and `unseen` is ``"raise"``.
        """
        check_is_fitted(self, "support_")
        X = aligned(self, X)
        values, is_feature = self._read(X, reset=False)
        if self.batch is not None:
            labels = batch_labels(X, self.batch, site)
            codes = pd.Index(self.batches_).get_indexer(labels)
            unseen = labels[codes < 0]
            if len(unseen):
                meet_unseen(unseen, self.unseen, self.batches_, self.min_estimate)
            values = self._adjusted(values, codes, X, labels)
        if not isinstance(X, pd.DataFrame):
            return values
        return rebuild(X, values, is_feature, self.support_)

    def fit_transform(self, X: Any, y: Any = None, site: Any = None) -> Any:
        """Learn from these patients and return them harmonised.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
        y : ignored
        site : array-like of shape (n_patients,), optional
            The batch of each patient, in place of a column of X.
        """
        return self.fit(X, y, site=site).transform(X, site=site)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that leave, in the order of X.

        Parameters
        ----------
        input_features : array-like of str, optional
            The columns of X; only needed for an estimator fitted on an array.
        """
        check_is_fitted(self, "support_")
        return checked_names(self, input_features)[self.support_]

    def _read(self, X: Any, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        passed = {self.batch or SITE, SITE, *(self.covariates or ())}
        return read_features(
            self, X, reset=reset, passed=sorted(passed), allow_nan=True
        )

    def _refuse_single(self, counts: np.ndarray) -> None:
        self.mean_only_ = bool(self.mean_only)
        alone = [b for b, n in zip(self.batches_, counts, strict=True) if n == 1]
        if not alone or self.mean_only:
            return
        if self.single == "raise":
            raise InvalidInput(
                f"{len(alone)} batches have one patient, who has no spread: "
                f"{listed(alone)}. Pass single='mean_only' (or mean_only=True) to "
                "correct shifts only, or merge batches."
            )
        self.mean_only_ = True
        warnings.warn(
            f"ComBat corrects shifts only: one patient in {listed(alone)}.",
            SarcfeatWarning,
            stacklevel=3,
        )

    def _remember(self, values: np.ndarray) -> None:
        """Set what a fit without any correction leaves behind."""
        p = values.shape[1]
        self.mean_only_ = bool(self.mean_only)
        self.batches_, self.n_patients_ = [], {}
        self.confounding_ = None
        self.grand_mean_, self.scale_ = np.full(p, np.nan), np.full(p, np.nan)
        self.gamma_, self.delta_ = np.zeros((0, p)), np.ones((0, p))
        self._adjusts = np.zeros(p, dtype=bool)
        self.unadjusted_ = reasons([])

    def _learn(
        self, values: np.ndarray, names: np.ndarray, codes: np.ndarray, X: Any
    ) -> None:
        covariates = self._covariates.encode(X, len(values))
        reference = self._reference_code()
        self._refuse_confounded(codes, covariates, reference)
        why = unadjustable(values, codes, self.mean_only_)
        usable = why == ""
        model = fit_location_scale(
            values[:, usable],
            codes,
            covariates,
            reference=reference,
            parametric=self.parametric,
            mean_only=self.mean_only_,
        )
        solved = np.isfinite(model.gamma).all(axis=0) & np.isfinite(model.scale)
        why[np.flatnonzero(usable)[~solved]] = "the covariates leave no variation"
        self._adjusts = why == ""
        left = ~self._adjusts
        self.unadjusted_ = reasons(list(zip(names[left], why[left], strict=True)))
        self._model = LocationScale(
            model.grand_mean[solved],
            model.scale[solved],
            model.beta[:, solved],
            model.gamma[:, solved],
            model.delta[:, solved],
        )
        shape = (len(self.batches_), len(names))
        self.gamma_, self.delta_ = np.zeros(shape), np.ones(shape)
        self.gamma_[:, self._adjusts] = self._model.gamma
        self.delta_[:, self._adjusts] = self._model.delta
        self.grand_mean_[self._adjusts] = self._model.grand_mean
        self.scale_[self._adjusts] = self._model.scale

    def _refuse_confounded(
        self, codes: np.ndarray, covariates: np.ndarray, reference: int | None
    ) -> None:
        design = np.hstack([batch_design(codes, reference), covariates])
        if np.linalg.matrix_rank(design) < design.shape[1]:
            raise InvalidInput(
                f"The covariates {listed(self.covariates or ())} cannot be told apart "
                "from the batches (or from each other) in these "
                f"{len(codes)} patients. Leave a covariate out or merge batches."
            )

    def _reference_code(self) -> int | None:
        """Return the number of the batch that is left as it is."""
        if len(self.batches_) == 1:
            return 0
        return None if self.reference is None else self.batches_.index(self.reference)

    def _adjusted(
        self, values: np.ndarray, codes: np.ndarray, X: Any, labels: pd.Series
    ) -> np.ndarray:
        model = self._model
        if model is None or not self._adjusts.any():
            return values
        rows = codes >= 0
        new = sorted(labels[~rows].unique(), key=str)
        if self.unseen == "estimate" and new:
            codes = np.where(
                rows, codes, len(self.batches_) + pd.Index(new).get_indexer(labels)
            )
            rows = np.ones(len(values), dtype=bool)
        reference = self._reference_code()
        if reference is not None:  # it stays as it is, bit by bit
            rows &= codes != reference
        covariates = self._covariates.encode(X, len(values))
        if self.unseen == "estimate":
            model = with_new_batches(
                model,
                values[:, self._adjusts],
                codes,
                covariates,
                parametric=self.parametric,
                mean_only=self.mean_only_,
            )
        where = np.ix_(rows, self._adjusts)
        values = values.copy()
        values[where] = adjust(values[where], codes[rows], covariates[rows], model)
        return values

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that missing values may pass."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
