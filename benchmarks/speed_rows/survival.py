"""Concordance, its bootstrap, timeROC and Fine–Gray beside R and scikit-survival.

Outputs are compared before anything is timed; see :mod:`benchmarks.compared`. A peer
in R is timed inside R, over several runs where one is short.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.compared import (
    Row,
    beside_figure,
    beside_r,
    compared,
    installed,
    must_agree,
    seconds,
)
from benchmarks.r_peers import run_r
from sarcfeat.metrics import (
    bootstrap_concordance_difference,
    concordance,
    time_dependent_auc,
)
from sarcfeat.survival import fit_fine_gray

Floats = np.ndarray[Any, np.dtype[np.float64]]
R_RUNS = 10  # of what takes milliseconds


def cohort(n: int, seed: int = 0) -> dict[str, Floats]:
    """Simulate the events, times (whole days, so some are tied) and two risks."""
    rng = np.random.default_rng(seed)
    hazard = rng.normal(size=n)
    time = np.ceil(rng.exponential(900 * np.exp(-0.7 * hazard)))
    censored = np.ceil(rng.exponential(1800, n))
    return {
        "event": (time <= censored).astype(float),
        "time": np.minimum(time, censored),
        "a": hazard + rng.normal(size=n),
        "b": hazard + 2 * rng.normal(size=n),
    }


def c_index(quick: bool) -> list[Row]:
    """Harrell's c with its variance."""
    data = cohort(1000 if quick else 10_000)
    args = data["event"], data["time"], data["a"]
    found = concordance(*args)
    mine = seconds(lambda: concordance(*args))
    name = f"c-index with its variance, n={len(data['time']):,}"
    script = f"""
    work <- function() {{
      for (i in 1:{R_RUNS})
        r <- concordancefit(Surv(c(time), c(event)), c(a), reverse = TRUE)
      list(c = r$concordance, var = r$var)
    }}"""
    there = run_r(
        "survival", script, **{k: v[:, None] for k, v in data.items() if k != "b"}
    )
    if there is not None:
        there = there[0] / R_RUNS, there[1]
        must_agree("R's c", found.c_index, there[1]["c"], rtol=1e-10)
        must_agree("R's variance", found.se**2, there[1]["var"], rtol=1e-6)
    rows = [beside_r(f"{name}, R", mine, there, "survival", 1 / 1.5, 0.02)]
    theirs = None
    if installed("sksurv"):
        from sksurv.metrics import concordance_index_censored

        event = data["event"].astype(bool)

        def peer() -> Any:
            return concordance_index_censored(event, data["time"], data["a"])

        must_agree("scikit-survival's c", found.c_index, peer()[0], rtol=1e-3)
        theirs = seconds(peer, 3)
    note = "the peer gives no variance"
    rows.append(compared(name, mine, theirs, "scikit-survival", 4.0, note))
    return rows


def paired_bootstrap(quick: bool) -> Row:
    """Resample the difference of two c-indices."""
    data, resamples = cohort(300), 100 if quick else 1000
    args = data["event"], data["time"], data["a"], data["b"]

    def ours() -> Any:
        return bootstrap_concordance_difference(
            *args, n_bootstrap=resamples, random_state=0
        )

    script = f"""
    y <- Surv(c(time), c(event))
    one <- function(i) {{
      concordancefit(y[i], a[i], reverse = TRUE, std.err = FALSE)$concordance -
        concordancefit(y[i], b[i], reverse = TRUE, std.err = FALSE)$concordance
    }}
    work <- function() {{
      set.seed(1)
      n <- length(a)
      d <- replicate({resamples}, one(sample(n, replace = TRUE)))
      list(delta = one(1:n), se = sd(d))
    }}"""
    there = run_r("survival", script, **{k: v[:, None] for k, v in data.items()})
    found = ours()
    if there is not None:
        must_agree("R's difference", found.delta, there[1]["delta"], rtol=1e-9)
        # Two bootstraps with draws of their own.
        must_agree("R's bootstrap error", found.se, there[1]["se"], rtol=0.3)
    name = f"{resamples:,} paired bootstrap differences of c, n=300"
    return beside_r(name, seconds(ours), there, "survival", 3.0, 0.9)


def time_roc(quick: bool) -> Row:
    """Time-dependent AUC at three horizons with the iid errors."""
    data = cohort(200 if quick else 500)
    times = np.quantile(data["time"], [0.3, 0.5, 0.7]) + 0.5
    args = data["event"], data["time"], data["a"], times
    script = f"""
    work <- function() {{
      r <- timeROC(c(time), c(event), c(a), cause = 1, iid = TRUE,
        times = c({", ".join(map(repr, map(float, times)))}))
      list(auc = r$AUC, se = r$inference$vect_sd_1)
    }}"""
    there = run_r(
        "timeROC", script, **{k: v[:, None] for k, v in data.items() if k != "b"}
    )
    found = time_dependent_auc(*args)
    mine = seconds(lambda: time_dependent_auc(*args))
    name = f"time-dependent AUC with iid errors, n={len(data['time'])}, 3 horizons"
    if there is None:
        return beside_figure(name, mine, "timeROC", 5.0, 0.56)
    must_agree("timeROC's AUC", found.auc, there[1]["auc"], rtol=1e-6)
    must_agree("timeROC's error", found.se, there[1]["se"], rtol=1e-4)
    return compared(name, mine, there[0], "timeROC", 5.0)


def fine_gray(quick: bool) -> Row:
    """Fine and Gray's regression on five columns."""
    n = 500 if quick else 2000
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    time = np.ceil(rng.exponential(900 * np.exp(-0.5 * X[:, 0])))
    status = rng.choice([0.0, 1.0, 2.0], n, p=[0.3, 0.4, 0.3])
    script = """
    work <- function() {
      r <- crr(c(time), c(status), X, failcode = 1, cencode = 0)
      list(coef = r$coef, se = sqrt(diag(r$var)))
    }"""
    there = run_r("cmprsk", script, X=X, time=time[:, None], status=status[:, None])
    found = fit_fine_gray(X, status, time)
    if there is not None:
        must_agree("crr's coefficients", found.coef, there[1]["coef"], rtol=1e-4)
        must_agree("crr's errors", found.se, there[1]["se"], rtol=1e-4)
    mine = seconds(lambda: fit_fine_gray(X, status, time))
    name = f"Fine–Gray with robust errors, n={n:,}, 5 columns"
    return beside_r(name, mine, there, "cmprsk", 10.0, 0.67)


def rows(quick: bool) -> list[Row]:
    """Return the rows of survival models and their measures."""
    return [
        *c_index(quick),
        paired_bootstrap(quick),
        time_roc(quick),
        fine_gray(quick),
    ]
