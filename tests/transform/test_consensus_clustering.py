import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from sarcfeat.estimators import CoxPH
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.survival import make_y
from sarcfeat.transform import ConsensusClustering, ZScore
from sarcfeat.transform._consensus import cluster_consensus, consensus_cdf
from sarcfeat.transform._groupings import (
    cut_trees,
    distances,
    first_seen,
    kmeans_groups,
    tree,
)

ALGORITHMS = ("hierarchical", "kmeans", "pam")


@pytest.fixture(scope="module")
def truth():
    return np.repeat([0, 1, 2], [14, 18, 10])


@pytest.fixture(scope="module")
def X(truth):
    rng = np.random.default_rng(3)
    values = 1.5 * rng.normal(size=(3, 25))[truth] + rng.normal(size=(42, 25))
    index = [f"patient-{i}" for i in range(42)]
    return pd.DataFrame(values, index=index).add_prefix("radiomics.t1.f")


def quick(**more):
    return ConsensusClustering(
        **{"k": 3, "n_resamples": 300, "random_state": 0, **more}
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("distance", ["pearson", "spearman", "euclidean"])
def test_finds_the_groups_of_the_data(X, truth, algorithm, distance):
    fitted = quick(k="auto", algorithm=algorithm, distance=distance).fit(X)
    assert fitted.k_ == 3
    assert adjusted_rand_score(truth, fitted.labels_) == 1
    assert adjusted_rand_score(truth, fitted.predict(X)) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_same_bits_for_any_n_jobs(X, algorithm, share):
    one, two = (
        quick(algorithm=algorithm, feature_fraction=share, n_jobs=n, max_k=4).fit(X)
        for n in (None, 2)
    )
    for k, matrix in one.consensus_.items():
        assert np.array_equal(matrix, two.consensus_[k])
    assert np.array_equal(one.labels_, two.labels_)


def test_consensus_is_together_over_drawn_together(X):
    """Count once more, resample by resample, from the same draws."""
    from sarcfeat.transform._consensus import _sampled

    fitted = quick(n_resamples=40, max_k=3).fit(X)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    rows = _sampled(np.random.default_rng([seed, 0]), 40, 42, 33)
    assert all(len(set(row)) == 33 for row in rows)
    far = distances(X.to_numpy(), X.to_numpy(), "pearson")
    together, drawn = np.zeros((42, 42)), np.zeros((42, 42))
    for row in rows:
        merges = tree(far[np.ix_(row, row)], "average")[None, :, :2].astype(int)
        label = cut_trees(merges, [3])[0, 0]
        drawn[np.ix_(row, row)] += 1
        together[np.ix_(row, row)] += label[:, None] == label
    np.testing.assert_array_equal(fitted.consensus_[3], together / drawn)


def test_every_patient_every_time_is_plain_clustering(X):
    fitted = quick(n_resamples=3, fraction=1.0, max_k=4).fit(X)
    assert set(np.unique(fitted.consensus_[4])) == {0.0, 1.0}
    assert (fitted.table_["pac"] == 0).all()


def test_trees_are_cut_as_scipy_does():
    from scipy.cluster.hierarchy import cut_tree

    rng = np.random.default_rng(0)
    trees = [
        tree(distances(v, v, "euclidean"), "average") for v in rng.random((5, 9, 3))
    ]
    ours = cut_trees(np.stack(trees)[:, :, :2].astype(int), [2, 5, 8])
    for Z, labels in zip(trees, ours, strict=True):
        theirs = cut_tree(Z, [2, 5, 8])
        for j in range(3):
            assert np.array_equal(first_seen(labels[j]), theirs[:, j])


def test_kmeans_ends_where_no_single_move_helps(X):
    values = X.to_numpy()
    rows = np.tile(np.arange(42), (20, 1))
    labels = kmeans_groups(values, rows, 4, np.random.default_rng(0))

    def spread(label):
        return sum(
            ((values[label == g] - values[label == g].mean(axis=0)) ** 2).sum()
            for g in np.unique(label)
        )

    for label in labels:
        assert len(np.unique(label)) == 4
        for i in range(42):
            for g in range(4):
                other = label.copy()
                other[i] = g
                if len(np.unique(other)) == 4:
                    assert spread(other) >= spread(label) - 1e-9


def test_tables_describe_the_groups(X):
    fitted = quick().fit(X)
    assert fitted.table_["k"].tolist() == [2, 3, 4, 5, 6]
    area = fitted.table_["area"].to_numpy()
    assert fitted.table_["delta_area"][2] == pytest.approx(
        (area[2] - area[1]) / area[1]
    )
    assert consensus_cdf(fitted.consensus_[3])[-1] == 1
    of_three = fitted.groups_[fitted.groups_["k"] == 3]
    assert of_three["size"].tolist() == np.bincount(fitted.labels_).tolist()
    np.testing.assert_allclose(
        of_three["consensus"], cluster_consensus(fitted.consensus_[3], fitted.labels_)
    )
    inside = fitted.labels_ == 0
    matrix = fitted.consensus_[3][np.ix_(inside, inside)]
    expected = (matrix.sum(axis=1) - 1) / (inside.sum() - 1)
    np.testing.assert_allclose(fitted.item_consensus_[inside, 0], expected)


def test_a_new_patient_joins_the_centroid_it_correlates_with(X, truth):
    fitted = quick().fit(X)
    new = pd.DataFrame(3 * fitted.centroids_ + 7, columns=X.columns)
    assert fitted.predict(new).tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.diag(fitted.transform(new)), 0, atol=1e-12)
    r = np.corrcoef(X.iloc[5], fitted.centroids_[1])[0, 1]
    assert fitted.transform(X).iloc[5, 1] == pytest.approx(1 - r)


def test_stands_in_a_pipeline_with_the_site_passed_by(X, truth):
    rng = np.random.default_rng(0)
    y = make_y(rng.random(42) < 0.8, rng.exponential(1 + 2.0 * truth))
    frame = X.assign(site="A")
    step = quick(output="onehot", drop="first")
    out = make_pipeline(ZScore(), clone(step)).fit(frame).transform(frame)
    assert list(out.columns) == ["consensus.group_1", "consensus.group_2", "site"]
    model = make_pipeline(ZScore(), step, CoxPH()).fit(X, y)
    assert len(np.unique(model.predict(X))) == 3


def test_no_feature_is_one_group():
    X = pd.DataFrame({"site": ["A", "B", "A"]}, index=["x", "y", "z"])
    with pytest.warns(NothingSelected, match="all patients are one group"):
        fitted = quick().fit(X)
    assert fitted.predict(X).tolist() == [0, 0, 0]
    assert list(fitted.transform(X).columns) == ["site"]


def test_too_few_patients_is_said(X):
    with pytest.raises(InvalidInput, match="n_samples=3: a resample of 2 of them"):
        quick().fit(X.iloc[:3])


def test_the_callers_array_is_not_changed(X):
    before = X.copy()
    quick(algorithm="kmeans").fit(X).transform(X)
    pd.testing.assert_frame_equal(X, before)
