"""Groups of patients that hold over resamples, and the group of a new patient."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.transform._consensus import (
    cluster_consensus,
    consensus_curves,
    consensus_matrices,
    final_groups,
    item_consensus,
)
from sarcfeat.transform._groupings import distances
from sarcfeat.transform.frame import (
    aligned,
    checked_names,
    input_names,
    read_features,
)

__all__ = ["ConsensusClustering"]

LINKAGES = {"average", "complete", "single", "ward"}


class ConsensusClustering(ClusterMixin, TransformerMixin, BaseEstimator):
    """Group patients by how often they fall together when the cohort is resampled.

    Many times a share of the patients (and of the features) is drawn and clustered; the
    consensus of two patients is the share of their joint draws in which they were
    together, and the final groups are a tree over that consensus. A new patient belongs
    to the group with the nearest centroid, so the step stands in a Pipeline and learns
    on the training patients only. Standardise the features first (``ZScore``).

    Parameters
    ----------
    k : int or "auto"
        How many groups. ``"auto"`` takes the k from 2 to `max_k` with the smallest
        share of ambiguous pairs (PAC: together in more than 10 % and less than 90 % of
        their joint draws), the larger k where two are equal.
    n_resamples : int
        How many resamples.
    fraction, feature_fraction : float
        Share of the patients, and of the features, in each; rounded down.
    algorithm : {"hierarchical", "kmeans", "pam"}
        How a resample is clustered; ``"kmeans"`` uses Euclidean distances whatever
        `distance` is.
    distance : {"pearson", "spearman", "euclidean"}
        Between patients; the correlations are taken from 1.
    inner_linkage, final_linkage : {"average", "complete", "single", "ward"}
        Of the trees over resamples and over the consensus.
    max_k : int
        Consensus is counted for every k from 2 to this (or to `k` if that is larger),
        for the curves and for ``"auto"``.
    output : {"distance", "onehot"}
        What ``transform`` gives: the distance to each centroid, or 1 for the group of
        the patient and 0 for the others.
    drop : {"first"} or None
        Leave out the first column of ``output="onehot"``, as a regression needs.
    name : str
        The feature set of the columns given: ``<name>.group_0`` …
    passthrough : sequence of str
        Columns of a frame that pass untouched and count for nothing.
    random_state : int, RandomState or None
    n_jobs : int, optional
        Joblib workers; the result is the same, bit for bit, for any.

    Attributes
    ----------
    k_ : int
        The number of groups.
    labels_ : ndarray of int, shape (n_patients,)
        The consensus group of each training patient, numbered from 0 by first member.
    labels_by_k_ : dict of int to ndarray
        The same for each k.
    consensus_ : dict of int to ndarray of shape (n_patients, n_patients)
        The consensus for each k.
    table_ : DataFrame
        ``k, area, delta_area, pac``: area under the distribution of the consensus, its
        relative gain, the share of ambiguous pairs.
    groups_ : DataFrame
        ``k, group, size, consensus``: the mean consensus within each group.
    item_consensus_ : ndarray of shape (n_patients, k_)
        Mean consensus of each patient with the others of each group.
    centroids_ : ndarray of shape (k_, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    sarcfeat.plots.consensus : The heatmap, the distributions, the gain, the tracking.

    Notes
    -----
    ``predict`` on the training patients gives the nearest centroid, which for a patient
    between two groups may differ from ``labels_``. Rows in another order are drawn
    otherwise; the consensus then differs within its sampling error.

    References
    ----------
    Monti et al., Machine Learning 2003; Wilkerson & Hayes, Bioinformatics 2010
    (R's ConsensusClusterPlus, golden case ``consensus_cluster``); PAC: Șenbabaoğlu et
    al., Sci Rep 2014. Nearest centroid by correlation for new patients: Crombé et al.
    2024.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centre = np.repeat(rng.normal(size=(3, 20)) * 2, [10, 12, 8], axis=0)
    >>> X = pd.DataFrame(centre + rng.normal(size=(30, 20))).add_prefix("r.f")
    >>> groups = ConsensusClustering("auto", n_resamples=100, random_state=0).fit(X)
    >>> groups.k_, np.bincount(groups.labels_).tolist()
    (3, [10, 12, 8])
    >>> groups.set_params(output="onehot").transform(X.iloc[[0, 29]])
       consensus.group_0  consensus.group_1  consensus.group_2
    0                1.0                0.0                0.0
    29               0.0                0.0                1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "k": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "fraction": [Interval(Real, 0, 1, closed="right")],
        "feature_fraction": [Interval(Real, 0, 1, closed="right")],
        "algorithm": [StrOptions({"hierarchical", "kmeans", "pam"})],
        "distance": [StrOptions({"pearson", "spearman", "euclidean"})],
        "inner_linkage": [StrOptions(LINKAGES)],
        "final_linkage": [StrOptions(LINKAGES)],
        "max_k": [Interval(Integral, 2, 120, closed="both")],
        "output": [StrOptions({"distance", "onehot"})],
        "drop": [StrOptions({"first"}), None],
        "name": [str],
        "passthrough": ["array-like"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        k: int | str = 3,
        *,
        n_resamples: int = 1000,
        fraction: float = 0.8,
        feature_fraction: float = 1.0,
        algorithm: str = "hierarchical",
        distance: str = "pearson",
        inner_linkage: str = "average",
        final_linkage: str = "average",
        max_k: int = 6,
        output: str = "distance",
        drop: str | None = None,
        name: str = "consensus",
        passthrough: Sequence[str] = ("site",),
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.k = k
        self.n_resamples = n_resamples
        self.fraction = fraction
        self.feature_fraction = feature_fraction
        self.algorithm = algorithm
        self.distance = distance
        self.inner_linkage = inner_linkage
        self.final_linkage = final_linkage
        self.max_k = max_k
        self.output = output
        self.drop = drop
        self.name = name
        self.passthrough = passthrough
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> ConsensusClustering:
        """Find the groups of these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Without missing values.
        y : ignored

        Returns
        -------
        ConsensusClustering
            The fitted step itself.

        Raises
        ------
        InvalidInput
            Too few patients or features for what was asked.

        Warns
        -----
        NothingSelected
            The frame has no feature; all patients are one group.
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, min_samples=2
        )
        self._passed = input_names(self)[~is_feature]
        if not values.shape[1]:
            return self._one_group(len(values))
        ks, n_sampled, n_features = self._sizes(values)
        self.consensus_ = consensus_matrices(
            values,
            ks,
            n_resamples=self.n_resamples,
            n_sampled=n_sampled,
            n_features=n_features,
            algorithm=self.algorithm,
            distance=self._metric,
            inner_linkage=self.inner_linkage,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            n_jobs=self.n_jobs,
        )
        self.table_ = consensus_curves(self.consensus_)
        labels = {
            k: final_groups(matrix, k, self.final_linkage)
            for k, matrix in self.consensus_.items()
        }
        self.groups_ = _groups_table(self.consensus_, labels)
        self.k_ = _least_ambiguous(self.table_) if self.k == "auto" else int(self.k)
        self.labels_by_k_ = labels
        self.labels_ = labels[self.k_]
        self.item_consensus_ = item_consensus(self.consensus_[self.k_], self.labels_)
        self.centroids_ = np.stack(
            [values[self.labels_ == group].mean(axis=0) for group in range(self.k_)]
        )
        return self

    @property
    def _metric(self) -> str:
        return "euclidean" if self.algorithm == "kmeans" else self.distance

    def _sizes(self, values: np.ndarray) -> tuple[list[int], int, int]:
        """Return every k to count, and the patients and features of a resample."""
        n, p = values.shape
        # A share such as 0.7 of 10 must not lose a patient to rounding.
        n_sampled = int(n * self.fraction + 1e-9)
        n_features = int(p * self.feature_fraction + 1e-9)
        least = 2 if self.k == "auto" else int(self.k)
        if n_sampled < least:
            raise InvalidInput(
                f"n_samples={n}: a resample of {n_sampled} of them "
                f"(fraction={self.fraction:g}) cannot make {least} groups. Ask for "
                "fewer groups or a larger fraction."
            )
        fewest = 1 if self._metric == "euclidean" else 2
        if n_features < fewest:
            raise InvalidInput(
                f"n_features={p}: a resample has {n_features} of them "
                f"(feature_fraction={self.feature_fraction:g}), and {self._metric} "
                f"distances need at least {fewest}."
            )
        most = self.max_k if self.k == "auto" else max(self.max_k, int(self.k))
        return list(range(2, min(most, n_sampled) + 1)), n_sampled, n_features

    def _one_group(self, n: int) -> ConsensusClustering:
        warnings.warn(
            "X has no feature to cluster by: all patients are one group, and the step "
            "passes no column on.",
            NothingSelected,
            stacklevel=3,
        )
        self.k_, self.labels_ = 1, np.zeros(n, dtype=np.intp)
        self.consensus_, self.labels_by_k_ = {}, {}
        self.table_ = consensus_curves({})
        self.groups_ = _groups_table({}, {})
        self.item_consensus_ = np.full((n, 1), np.nan)
        self.centroids_ = np.empty((1, 0))
        return self

    def _to_centroids(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "centroids_")
        X = aligned(self, X)
        values, _ = read_features(self, X, reset=False, passed=self.passthrough)
        if not values.shape[1]:
            return np.zeros((len(values), 1))
        return distances(values, self.centroids_, self._metric)

    def predict(self, X: Any) -> np.ndarray:
        """Return the group whose centroid is nearest to each patient.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data.

        Returns
        -------
        ndarray of int, shape (n_patients,)
        """
        return self._to_centroids(X).argmin(axis=1)

    def transform(self, X: Any) -> Any:
        """Return distances to the centroids, or the group as indicator columns.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data.

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, n_columns_out)
            Frame in, frame out, with the columns of `passthrough` after the groups.
        """
        values = self._to_centroids(X)
        if self.output == "onehot":
            values = np.eye(values.shape[1])[values.argmin(axis=1)]
        values = values[:, self._shown()]
        if not isinstance(X, pd.DataFrame):
            return values
        names = self.get_feature_names_out()[: values.shape[1]]
        found = pd.DataFrame(values, index=X.index, columns=list(names))
        return pd.concat([found, X[list(self._passed)]], axis=1)

    def _shown(self) -> np.ndarray:
        if self.k_ == 1:
            return np.arange(0)
        first = 1 if self.output == "onehot" and self.drop == "first" else 0
        return np.arange(first, self.k_)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that ``transform`` gives.

        Parameters
        ----------
        input_features : array-like of str, optional
            The columns of X, only compared with those of the fit.
        """
        check_is_fitted(self, "centroids_")
        checked_names(self, input_features)
        kind = "group" if self.output == "onehot" else "distance"
        names = [f"{self.name}.{kind}_{group}" for group in self._shown()]
        return np.asarray([*names, *self._passed], dtype=object)


def _least_ambiguous(table: pd.DataFrame) -> int:
    """Return the largest of the k that share the smallest PAC."""
    least = table["pac"] <= table["pac"].min() + 1e-12
    return int(table["k"][least].max())


def _groups_table(
    consensus: dict[int, np.ndarray], labels: dict[int, np.ndarray]
) -> pd.DataFrame:
    rows = [
        (k, group, int((labels[k] == group).sum()), float(value))
        for k in consensus
        for group, value in enumerate(cluster_consensus(consensus[k], labels[k]))
    ]
    return pd.DataFrame(rows, columns=["k", "group", "size", "consensus"])
