"""The classical transformers and the LASSO beside the packages people use.

Outputs are compared before anything is timed; see :mod:`benchmarks.compared`.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.compared import (
    beside_r,
    compared,
    installed,
    must_agree,
    seconds,
)
from benchmarks.r_peers import run_r
from benchmarks.table import row
from sarcfeat import MRMR, ComBat, LassoCox, UnivariateCoxFilter, make_y
from sarcfeat.metrics import icc
from sarcfeat.transform import ConsensusClustering

Row = dict[str, Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def survival(n: int, p: int) -> tuple[Floats, Any]:
    """Simulate p features of n patients, ten of which matter."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    time = rng.exponential(np.exp(-0.4 * X[:, :10].sum(axis=1)))
    censored = rng.exponential(2 * np.median(time), n)
    return X, make_y(time <= censored, np.minimum(time, censored))


def consensus(quick: bool) -> Row:
    """Resample 225 patients with 152 features, K 2 to 6."""
    resamples = 200 if quick else 10_000
    rng = np.random.default_rng(0)
    X = rng.normal(size=(225, 152))
    X[:75, :50] += 1
    X[75:150, 50:100] += 1

    def ours(many: int = resamples) -> Any:
        return ConsensusClustering(
            3, n_resamples=many, fraction=0.6, max_k=6, random_state=0, n_jobs=2
        ).fit(X)

    script = f"""
    work <- function() {{
      pdf(NULL)
      r <- ConsensusClusterPlus(X, maxK = 6, reps = {resamples}, pItem = 0.6, seed = 1,
        clusterAlg = "hc", distance = "pearson", innerLinkage = "average",
        finalLinkage = "average")
      list(labels = r[[3]]$consensusClass)
    }}"""
    mine = seconds(ours, 1 if not quick else 3)
    found = run_r("ConsensusClusterPlus", script, X=X.T)
    if found is not None:
        labels = found[1]["labels"].ravel().astype(int)
        # The same groups under other numbers.
        same = pd.crosstab(labels, ours().labels_).to_numpy()
        must_agree("consensus clustering", same.max(axis=1).sum(), len(X), rtol=0.02)
    name = f"consensus clustering, {resamples} resamples of 225 x 152, K 2 to 6"
    return beside_r(
        name, mine, found, "ConsensusClusterPlus", 30, None if quick else 290.0
    )


def mrmr(quick: bool) -> Row:
    """Select 25 of 7,000 features of 200 patients by F and correlation (FCQ)."""
    n, p, k = (100, 400, 10) if quick else (200, 7000, 25)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    X = pd.DataFrame(rng.normal(size=(n, p)) + 0.5 * y[:, None] * (np.arange(p) < 20))
    X.columns = [f"f{j}" for j in range(p)]
    selector = MRMR(k, relevance="f", redundancy="correlation", scheme="quotient")
    name = f"mRMR, {k} of {p} features, {n} patients"
    mine = seconds(lambda: selector.fit(X, y))
    if not installed("mrmr"):
        return compared(name, mine, None, "mrmr-selection", 100)
    from mrmr import mrmr_classif

    chosen: list[str] = []

    def theirs() -> None:
        chosen[:] = mrmr_classif(X, pd.Series(y), K=k, n_jobs=1, show_progress=False)

    peer = seconds(theirs, 1)
    if chosen != selector.fit(X, y).selected_:
        raise SystemExit("mRMR: mrmr-selection chose other features; nothing reported.")
    return compared(name, mine, peer, "mrmr-selection", 100, "the same choice")


def agreement(quick: bool) -> Row:
    """ICC(A,1) with its interval of 5,502 features, 60 patients, 2 readers."""
    p = 60 if quick else 5502
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 1, p)) + 0.4 * rng.normal(size=(60, 2, p))
    name = f"ICC of {p} features, 60 patients, 2 readings"
    mine = seconds(lambda: icc(values))
    if not installed("pingouin"):
        return compared(name, mine, None, "pingouin", 500)
    import pingouin

    long = pd.DataFrame({"patient": np.repeat(np.arange(60), 2), "reader": [0, 1] * 60})
    found: list[float] = []

    def theirs() -> None:
        found.clear()
        for j in range(p):
            table = pingouin.intraclass_corr(
                long.assign(value=values[:, :, j].ravel()), "patient", "reader", "value"
            )
            kind = table.set_index("Type")["ICC"]
            found.append(kind["ICC(A,1)" if "ICC(A,1)" in kind else "ICC2"])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = seconds(theirs, 1)
    must_agree("ICC", icc(values).value, found, rtol=1e-8)
    return compared(name, mine, peer, "pingouin", 500, "the same coefficients")


def univariate_cox(quick: bool) -> list[Row]:
    """One Cox model for each of 5,000 features of 300 patients."""
    n, p = (150, 200) if quick else (300, 5000)
    X, y = survival(n, p)
    selector = UnivariateCoxFilter(alpha=1.0)
    mine = seconds(lambda: selector.fit(X, y))
    coef = selector.table_["coef"]
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    found: list[float] = []

    def loop() -> None:
        found.clear()
        for j in range(p):
            model = CoxPHSurvivalAnalysis(ties="efron").fit(X[:, j : j + 1], y)
            found.append(model.coef_[0])

    peer = seconds(loop, 1)
    must_agree("univariate Cox", coef, found, rtol=1e-5, atol=1e-7)
    script = """
    work <- function() {
      y <- Surv(target[1, ], target[2, ]); none <- coxph.control()
      list(coef = apply(X, 2, function(x) coxph.fit(matrix(x), y, NULL, NULL, NULL,
        none, NULL, "efron", NULL)$coefficients))
    }"""
    target = np.array([y["time"], y["event"].astype(float)])
    by_r = run_r("survival", script, X=X, target=target)
    if by_r is not None:
        must_agree("univariate Cox", coef, by_r[1]["coef"], rtol=1e-5, atol=1e-7)
    name = f"univariate Cox of {p} features, {n} patients"
    return [
        compared(f"{name}, beside a loop", mine, peer, "scikit-survival", 50),
        beside_r(
            f"{name}, beside R's bare fit",
            mine,
            by_r,
            "survival::coxph.fit",
            1,
            None if quick else 0.5,
        ),
    ]


def violation(X: Floats, y: Any, coef: Floats, lam: float) -> float:
    """Return the largest departure from the LASSO's conditions, over lambda."""
    scale = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / scale
    risk = np.exp(Z @ (coef * scale))
    event, time = y["event"], y["time"]
    at_risk = time[None, :] >= time[event][:, None]
    means = (at_risk * risk) @ Z / (at_risk @ risk)[:, None]
    slope = (Z[event] - means).sum(axis=0) / len(y)
    inside = np.maximum(np.abs(slope) - lam, 0)
    return float(np.where(coef == 0, inside, np.abs(slope - lam * np.sign(coef))).max())


def lasso_cox(quick: bool) -> list[Row]:
    """Ten-fold LASSO-Cox cross-validation, 300 patients, 5,000 features."""
    n, p = (120, 300) if quick else (300, 5000)
    X, y = survival(n, p)
    fold = np.random.default_rng(0).permutation(n) % 10
    model = LassoCox(cv=fold, tol=1e-3)
    parallel = LassoCox(cv=fold, tol=1e-3, n_jobs=2)
    mine = seconds(lambda: model.fit(X, y), 1)
    shared = seconds(lambda: parallel.fit(X, y), 1)
    off = max(
        violation(X, y, model.coef_path_[:, k], lam) / lam
        for k, lam in enumerate(model.lambdas_)
    )
    if off > 1e-3 * (1 + 1e-6) or not np.array_equal(model.cvm_, parallel.cvm_):
        raise SystemExit(f"LASSO-Cox: {off:.1e} lambda from its conditions.")
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    rows = [np.arange(n), *(np.flatnonzero(fold != k) for k in range(10))]

    def coxnet() -> None:
        for train in rows:
            CoxnetSurvivalAnalysis(
                l1_ratio=1.0, n_alphas=100, alpha_min_ratio=0.01, max_iter=10**6
            ).fit(Z[train], y[train])

    peer = seconds(coxnet, 1)
    script = """
    work <- function() {
      fit <- cv.glmnet(X, survival::Surv(target[1, ], target[2, ]), family = "cox",
        foldid = target[3, ] + 1)
      list(lambda = fit$lambda, cvm = fit$cvm)
    }"""
    target = np.array([y["time"], y["event"].astype(float), fold.astype(float)])
    by_r = run_r("glmnet", script, X=X, target=target)
    if by_r is not None:
        # Past the minimum of the curve glmnet's default tolerance shows.
        size = min(len(model.cvm_), int(np.argmin(by_r[1]["cvm"])) + 5)
        must_agree(
            "LASSO-Cox", model.cvm_[:size], by_r[1]["cvm"].ravel()[:size], rtol=1e-2
        )
    name = f"LASSO-Cox, ten folds, {n} patients, {p} features"
    figure = None if quick else 33.0
    conditions = f"ours {off:.0e} lambda from the conditions"
    return [
        beside_r(name, mine, by_r, "cv.glmnet", 4, figure),
        beside_r(f"{name}, two workers", shared, by_r, "cv.glmnet", 4, figure),
        row(
            f"{name}, beside looser paths",
            mine,
            peer=peer,
            peer_name="Coxnet's eleven paths at its default tolerance",
            ratio=peer / mine,
            unit="s",
            note=conditions,
        ),
    ]


def combat(quick: bool) -> list[Row]:
    """Harmonise 225 patients of three sites."""
    found = []
    for parametric, p, figure, target in [
        (False, 1000, 9.4, 20),
        (True, 7000, 0.45, 3),
    ]:
        p = 100 if quick else p
        rng = np.random.default_rng(0)
        site = rng.integers(0, 3, 225)
        X = rng.normal(size=(225, p)) + rng.normal(size=(3, p))[site]

        def ours(
            X: Floats = X, site: Any = site, parametric: bool = parametric
        ) -> Floats:
            return ComBat(parametric=parametric).fit_transform(X, site=site)

        script = f"""
        work <- function() list(X = ComBat(X, as.integer(site[1, ]),
          par.prior = {"TRUE" if parametric else "FALSE"}))"""
        by_r = run_r("sva", script, X=X.T, site=site.astype(float))
        if by_r is not None:
            must_agree("ComBat", ours().T, by_r[1]["X"], rtol=1e-6, atol=1e-8)
        kind = "parametric" if parametric else "non-parametric"
        found.append(
            beside_r(
                f"ComBat, {kind}, {p} features of 225 patients",
                seconds(ours),
                by_r,
                "sva",
                target,
                None if quick else figure,
            )
        )
    return found


def rows(quick: bool) -> list[Row]:
    """Time every transformer beside its peers."""
    return [
        consensus(quick),
        mrmr(quick),
        agreement(quick),
        *univariate_cox(quick),
        *lasso_cox(quick),
        *combat(quick),
    ]
