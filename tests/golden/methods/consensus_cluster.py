"""R's ConsensusClusterPlus: what follows from its matrices exactly, the rest by draw.

R's draws cannot be repeated, so its matrices are compared with ours within the error
of its own sampling, and its groups with those of its matrices, exactly. With more
groups than the data have, the last cut turns on a few draws; so without R's matrices
its groups have to agree with ours as well as those of our own runs with other seeds
agree among themselves.
"""

import re

import numpy as np
from sklearn.metrics import adjusted_rand_score

from sarcfeat.transform import ConsensusClustering
from sarcfeat.transform._consensus import (
    cluster_consensus,
    consensus_curves,
    final_groups,
)
from sarcfeat.transform._groupings import cut_trees, distances, first_seen, tree
from tests.golden.harness import Verdict, several

RTOL, ATOL = 1e-8, 1e-12
UNREAD = {"order_K2": "the leaves of a tree over R's draws, whose matrix is not given"}
ALGORITHMS = {"hc": "hierarchical", "km": "kmeans", "pam": "pam"}
LINKAGES = {"ward.D2": "ward"}
SEEDS = (0, 1, 2)
MORE_SEEDS = (3, 4, 5)  # where R's matrices are not given


def compute(case):
    X = case.frame(index_col=0).T.to_numpy(dtype=float)
    ks, given = several(case.results["K"]), _given(case)
    runs = [_run(case, X, seed) for seed in (SEEDS if given else SEEDS + MORE_SEEDS)]
    matrices = given or runs[0].consensus_
    labels = {
        k: final_groups(matrices[k], k, _called(case, "finalLinkage")) for k in ks
    }
    curves = consensus_curves({k: matrices[k] for k in ks})
    found = {
        "K": ks,
        "cluster": {f"K{k}": _same_groups(case, k, labels, given, runs) for k in ks},
        "cdf_area": curves["area"],
        "delta_area": curves["delta_area"],
        "cluster_consensus": {
            "k": [k for k in ks for _ in range(k)],
            "cluster": [c + 1 for k in ks for c in range(k)],
            "value": np.concatenate(
                [cluster_consensus(matrices[k], labels[k]) for k in ks]
            ),
        },
    }
    if given:
        found["order_K2"] = _leaf_order(case, labels[2])
    else:
        _loosen(case, found, runs)
    if "full_hclust" in case.results:
        found["full_hclust"] = _full_tree(case, X)
    return found


def _called(case, key):
    name = re.search(rf"{key}='([\w.]+)'", case.expected["call"]).group(1)
    return LINKAGES.get(name, name)


def _given(case):
    """Return R's own consensus matrices, where the case has them."""
    files = {k: case.folder / f"consensus_K{k}.csv" for k in several(case.results["K"])}
    if not all(path.is_file() for path in files.values()):
        return {}
    return {k: case.frame(path.name).to_numpy(dtype=float) for k, path in files.items()}


def _run(case, X, seed):
    return ConsensusClustering(
        "auto",
        max_k=max(several(case.results["K"])),
        n_resamples=case.params["reps"],
        fraction=case.params["pItem"],
        feature_fraction=float(
            re.search(r"pFeature=([\d.]+)", case.expected["call"]).group(1)
        ),
        algorithm=ALGORITHMS[_called(case, "clusterAlg")],
        distance=_called(case, "distance"),
        inner_linkage=_called(case, "innerLinkage"),
        final_linkage=_called(case, "finalLinkage"),
        random_state=seed,
    ).fit(X)


def _same_groups(case, k, labels, given, runs):
    theirs = np.array(case.results["cluster"][f"K{k}"])
    ours = [
        final_groups(r.consensus_[k], k, _called(case, "finalLinkage")) for r in runs
    ]
    agreement = max(adjusted_rand_score(theirs, label) for label in ours)
    # How well each of our runs agrees with the one of the others that is nearest.
    among = min(
        max(adjusted_rand_score(a, b) for j, b in enumerate(ours) if j != i)
        for i, a in enumerate(ours)
    )
    known = k == runs[0].k_ and among == 1
    least = 1.0 if known else 0.0 if given else min(0.95, among)
    if agreement < least - 1e-12:
        return Verdict(False, f"ARI {agreement:.3f} with R, {among:.3f} among ours")
    if given:
        if not np.array_equal(labels[k] + 1, theirs):
            return Verdict(False, "other groups from R's own consensus matrix")
        return _within_draws(case, given[k], runs, k)
    return Verdict(True, "")


def _within_draws(case, theirs, runs, k):
    """Compare consensus: 0.06, or five standard errors of the two samples."""
    ours = np.mean([run.consensus_[k] for run in runs], axis=0)
    n, reps = len(ours), case.params["reps"]
    m = int(n * case.params["pItem"] + 1e-9)
    joint = reps * m * (m - 1) / (n * (n - 1))
    p = np.clip(ours, 1 / joint, 1 - 1 / joint)
    error = np.sqrt(p * (1 - p) / joint * (1 + 1 / len(runs)))
    off = np.abs(ours - theirs)
    wrong = off > np.maximum(0.06, 5 * error)
    return Verdict(
        not wrong.any(), f"{wrong.sum()} consensus entries differ by up to {off.max()}"
    )


def _loosen(case, found, runs):
    """Judge a case without R's matrices by the tolerances that it states for draws."""
    area = case.results["cdf_area"]
    off = np.abs(np.array([run.table_["area"] for run in runs]) - area).min(axis=0)
    found["cdf_area"] = Verdict(off.max() <= 0.01, f"areas differ by {off.max():.3g}")
    gain = np.abs(np.array(found["delta_area"]) - case.results["delta_area"]).max()
    # Two areas, each within 0.01, over an area of about one half.
    found["delta_area"] = Verdict(gain <= 0.03, f"gains differ by {gain:.3g}")
    # R's groups in our consensus: the means that R has in its own.
    ours = [
        np.mean([cluster_consensus(run.consensus_[k], label) for run in runs], axis=0)
        for k in several(case.results["K"])
        for label in [np.array(case.results["cluster"][f"K{k}"]) - 1]
    ]
    theirs = np.array(case.results["cluster_consensus"]["value"], dtype=float)
    off = np.abs(np.concatenate(ours) - theirs)
    found["cluster_consensus"]["value"] = Verdict(
        bool((off[~np.isnan(theirs)] <= 0.06).all()),
        f"consensus within groups differs by {np.nanmax(off):.3g}",
    )


def _leaf_order(case, label):
    """Accept R's order of leaves if our groups lie in it side by side.

    Ties (consensus 1) leave the order within a group open.
    """
    order = np.array(case.results["order_K2"]) - 1
    changes = int((np.diff(label[order]) != 0).sum())
    return Verdict(changes == 1, f"the groups change {changes} times in R's order")


def _full_tree(case, X):
    distance = distances(X, X, _called(case, "distance"))
    Z = tree(distance, _called(case, "innerLinkage"))
    n, merges = len(X), Z[:, :2].astype(int)
    ks = several(case.results["K"])
    cut = cut_trees(merges[None], ks)[0]
    signed = np.where(merges < n, -(merges + 1), merges - n + 1)
    rows = [sorted(row, key=lambda v: (v > 0, abs(v))) for row in signed.tolist()]
    leaves = []
    for a, b in rows:
        parts = [[-v] if v < 0 else leaves[v - 1] for v in (a, b)]
        leaves.append(parts[0] + parts[1])
    labels = zip(ks, cut, strict=True)
    return {
        "height": Z[:, 2],
        "merge": rows,
        "order": leaves[-1],
        "cut": {f"K{k}": first_seen(label) + 1 for k, label in labels},
    }
