"""R's everyday tests: groups, correlations, tables of counts, agreement of readers.

The columns that R's calls read are not stated in the cases; they are the ones for which
every number of the open cases agrees.
"""

import numpy as np
import pandas as pd
from scipy.special import kolmogorov
from scipy.stats import hypergeom, norm

from sarcfeat.metrics import adjust_p
from sarcfeat.metrics.agreement import fleiss_kappa, kendall_w
from sarcfeat.metrics.contingency import chi_squared, fisher_exact, mcnemar
from sarcfeat.metrics.correlation import correlation
from sarcfeat.metrics.group_tests import (
    anova,
    bartlett,
    friedman,
    kolmogorov_smirnov,
    kruskal_wallis,
    mann_whitney,
    pairwise_mann_whitney,
    shapiro,
    t_test,
    tukey_hsd,
    wilcoxon,
)
from sarcfeat.metrics.kappa import agreement_table, credit, kappa
from tests.golden.harness import Verdict

RTOL, ATOL = 1e-8, 1e-12
TOLERANCE = {
    # As stated by the case: R's ptukey is an approximation.
    "tukey_hsd/p": (0, 1e-5),
    # Its quantile, which the limits of the intervals rest on, is found to 1e-4 in R.
    "tukey_hsd/lower": (1e-5, 1e-5),
    "tukey_hsd/upper": (1e-5, 1e-5),
    # SciPy's and R's polynomials for this p-value round their constants differently.
    "shapiro/*": (1e-7, 0),
}


def compute(case):
    frame = case.frame()
    return {
        "p_adjust": _adjusted(case),
        **_correlations(frame),
        **_means(frame),
        **_ranks(case, frame),
        **_tables(case, frame),
        **_readers(frame),
    }


def _adjusted(case):
    p = case.results["p_adjust"]["p"]
    methods = ("BH", "BY", "holm", "bonferroni", "hochberg")
    return {"p": p, **{method: adjust_p(p, method.lower()) for method in methods}}


def _by(frame, value, group):
    return {name: part[value] for name, part in frame.groupby(group)}


def _correlations(frame):
    rho = correlation(frame["a"], frame["c"], method="spearman")
    wide = correlation(
        frame["a"], frame["c"], method="spearman", interval="bonett-wright"
    )
    r = correlation(frame["a"], frame["d"])
    tau = correlation(frame["a"], frame["c"], method="kendall")
    return {
        "spearman_a_c": {
            "rho": rho.value,
            "p_t_approx": rho.p,
            "ci_fisher": [rho.ci_low, rho.ci_high],
            "ci_bonett_wright": [wide.ci_low, wide.ci_high],
        },
        "pearson_a_d": {"r": r.value, "p": r.p, "ci": [r.ci_low, r.ci_high]},
        "kendall_a_c": {"stat": tau.statistic, "p": tau.p, "tau": tau.value},
    }


def _means(frame):
    groups, two = _by(frame, "a", "g"), _by(frame, "a", "two")
    f, welch = anova(groups), anova(groups, equal_variance=False)
    tukey = tukey_hsd(groups)
    t = t_test(two[0], two[1])
    student = t_test(two[0], two[1], equal_variance=True)
    variances = bartlett(groups)
    normal = {name: shapiro(frame[name]) for name in "ab"}
    return {
        "anova_a_by_g": {"F": f.statistic, "df": f.df, "p": f.p},
        "welch_anova": {"stat": welch.statistic, "p": welch.p},
        "tukey_hsd": {
            "contrast": (tukey["a"] + "-" + tukey["b"]).tolist(),
            "diff": tukey["difference"],
            "lower": tukey["ci_low"],
            "upper": tukey["ci_high"],
            "p": tukey["p"],
        },
        "t_welch_a_by_two": {
            "stat": t.statistic,
            "p": t.p,
            "df": t.df[0],
            "ci": t.ci,
        },
        "t_equal_a_by_two": {"stat": student.statistic, "p": student.p},
        "shapiro": {k: {"stat": v.statistic, "p": v.p} for k, v in normal.items()},
        "bartlett_a_g": {"stat": variances.statistic, "p": variances.p},
    }


def _ranks(case, frame):
    b, two = _by(frame, "b", "g"), _by(frame, "b", "two")
    a = _by(frame, "a", "two")
    kruskal = kruskal_wallis(b)
    pairs = pairwise_mann_whitney(b, exact=False)
    repeated = friedman(frame[["r1", "r2", "r3"]])
    default = mann_whitney(two[0], two[1])
    plain = mann_whitney(two[0], two[1], exact=False, continuity=False)
    signed = wilcoxon(frame["r2"], frame["r3"])
    smirnov = _smirnov(case, a[0], a[1])
    names = (pairs["a"] + pairs["b"]).tolist()
    return {
        "kruskal_b_by_g": {"stat": kruskal.statistic, "p": kruskal.p},
        "pairwise_wilcox_bh": dict(zip(names, pairs["p_adjusted"], strict=True)),
        "friedman_r1_r2_r3": {
            "stat": repeated.statistic,
            "p": repeated.p,
            "df": repeated.df[0],
        },
        "mann_whitney_b_by_two": {
            "W": default.statistic,
            "p_default": default.p,
            "p_normal_nocorr": plain.p,
        },
        "wilcoxon_signed_r2_r3": {"stat": signed.statistic, "p": signed.p},
        "ks_two": smirnov,
    }


def _smirnov(case, first, second):
    """Compare ours with the limit itself, and R's p-value with R's own series for it.

    R ends the series when a term is below 1e-6, for small distances after one term.
    """
    found = kolmogorov_smirnov(first, second)
    x = found.statistic * np.sqrt(len(first) * len(second) / (len(first) + len(second)))
    if x < 1:
        term = np.exp(-((np.pi / x) ** 2) / 8)
        as_r = 1 - np.sqrt(2 * np.pi) / x * term
    else:
        k = np.arange(1, 101)
        terms = 2 * (-1.0) ** (k - 1) * np.exp(-2 * (k * x) ** 2)
        as_r = terms[: 1 + np.argmax(np.abs(terms) <= 1e-6)].sum()
    theirs = case.results["ks_two"]["p"]
    ok = np.isclose(found.p, kolmogorov(x), rtol=1e-9)
    ok = ok and np.isclose(as_r, theirs, rtol=1e-8, atol=1e-12)
    verdict = Verdict(bool(ok), f"ours {found.p}, R's series {as_r}, R {theirs}")
    return {"stat": found.statistic, "p": verdict}


def _tables(case, frame):
    three = pd.crosstab(frame["cat1"], frame["cat2"])
    two = pd.crosstab(frame["two"], frame["cat2"])
    independent = chi_squared(three)
    yates, plain = chi_squared(two), chi_squared(two, continuity=False)
    high = frame[["r1", "r2"]] >= 3
    changed = mcnemar(high["r1"], high["r2"])
    # Where nobody changes R has 0 / 0, and ours a p of 1.
    known = 1.0 if (high["r1"] != high["r2"]).any() else np.nan
    return {
        "chisq_cat1_cat2": {
            "stat": independent.statistic,
            "p": independent.p,
            "df": independent.df,
        },
        "chisq_two_cat2_yates": {"stat": yates.statistic, "p": yates.p},
        "chisq_two_cat2_nocorr": {"stat": plain.statistic, "p": plain.p},
        "fisher_two_cat2": _fisher(case, two.to_numpy()),
        "fisher_cat1_cat2_p": fisher_exact(three).p,
        "mcnemar": {"stat": changed.statistic * known, "p": changed.p * known},
    }


def _fisher(case, table):
    """Compare ours with the exact root, and R's numbers with R's own root finder.

    ``fisher.test`` stops its search within 1.2e-4 of the root, so its odds ratio is not
    the exact one to more digits; the same search, stopped by the same rule, gives its
    numbers to all digits, and gone on with, ours.
    """
    found = fisher_exact(table)
    ours = np.array([found.odds_ratio, found.ci_low, found.ci_high])
    theirs = case.results["fisher_two_cat2"]
    stopped = _fisher_as_r(table, np.finfo(float).eps ** 0.25)
    exact = _fisher_as_r(table, 1e-14)
    same = np.allclose(ours, exact, rtol=1e-8)
    # R's Inf is null in the file.
    reported = [
        np.inf if v is None else v for v in (theirs["or_cond_mle"], *theirs["ci"])
    ]
    ok = same and np.allclose(stopped, reported, rtol=1e-8)
    verdict = Verdict(ok, f"ours {ours}, root {exact}, R's search {stopped}")
    return {"p": found.p, "or_cond_mle": verdict, "ci": verdict}


def _fisher_as_r(table, tol):
    x = int(table[0, 0])
    m, n, k = table[:, 0].sum(), table[:, 1].sum(), table[0].sum()

    support = np.arange(max(0, k - n), min(k, m) + 1)
    ways = hypergeom(m + n, m, k).logpmf(support)

    def pmf(odds):
        log = ways + support * np.log(odds)
        p = np.exp(log - log.max())
        return p / p.sum()

    def mean(odds):
        if odds == 0:
            return float(support[0])
        return float((pmf(odds) * support).sum())

    def tail(odds, upper):
        if odds == 0:
            return float(support[0] >= x if upper else support[0] <= x)
        return float(pmf(odds)[support >= x if upper else support <= x].sum())

    def search(f, goal, above):
        if above:
            return _zeroin(lambda t: f(t) - goal, 0.0, 1.0, tol)
        eps = np.finfo(float).eps
        return 1 / _zeroin(lambda t: f(1 / t) - goal, eps, 1.0, tol)

    return np.array(_three_roots(x, support, mean, tail, search))


def _three_roots(x, support, mean, tail, search):
    """Return the odds ratio and its limits; at the end of the support one is open."""
    lowest, highest = x == support[0], x == support[-1]
    odds = 0.0 if lowest else np.inf if highest else 1.0
    if not (lowest or highest or mean(1.0) == x):
        odds = search(mean, x, mean(1.0) > x)
    low, high = 0.0, np.inf
    if not highest:
        high = search(lambda t: tail(t, False), 0.025, tail(1.0, False) < 0.025)
    if not lowest:
        low = search(lambda t: tail(t, True), 0.025, tail(1.0, True) > 0.025)
    return [odds, low, high]


def _zeroin(f, a, b, tol):
    """Brent's search as R's ``uniroot`` does it (R_zeroin2), step by step."""
    fa, fb = f(a), f(b)
    c, fc = a, fa
    for _ in range(1001):
        previous = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        least = 2 * np.finfo(float).eps * abs(b) + tol / 2
        step = (c - b) / 2
        if abs(step) <= least or fb == 0:
            return b
        if abs(previous) >= least and abs(fa) > abs(fb):
            cb = c - b
            if a == c:
                t1 = fb / fa
                p, q = cb * t1, 1 - t1
            else:
                q, t1, t2 = fa / fc, fb / fc, fb / fa
                p = t2 * (cb * q * (q - t1) - (b - a) * (t1 - 1))
                q = (q - 1) * (t1 - 1) * (t2 - 1)
            if p > 0:
                q = -q
            else:
                p = -p
            if p < 0.75 * cb * q - abs(least * q) / 2 and p < abs(previous * q / 2):
                step = p / q
        if abs(step) < least:
            step = least if step > 0 else -least
        a, fa = b, fb
        b += step
        fb = f(b)
        if fb * fc > 0:
            c, fc = a, fa
    return b


def _readers(frame):
    r1, r2 = frame["r1"], frame["r2"]
    kinds = {"unweighted": "none", "equal": "linear", "squared": "quadratic"}
    irr = {}
    for name, weights in kinds.items():
        found = kappa(r1, r2, weights=weights)
        z = np.sign(found.value) * norm.isf(found.p / 2)
        irr[name] = {"kappa": found.value, "z": z, "p": found.p}
    plain, weighted = kappa(r1, r2), kappa(r1, r2, weights="quadratic")
    half = norm.ppf(0.975) * _psych_error(r1, r2)
    readings = frame[["r1", "r2", "r3"]]
    fleiss, w = fleiss_kappa(readings), kendall_w(readings)
    return {
        "kappa_psych": {
            "unweighted": plain.value,
            "weighted_quadratic": weighted.value,
            # psych cuts the limits at 1.
            "ci": np.clip(
                [
                    [plain.lower, plain.value, plain.upper],
                    [weighted.value - half, weighted.value, weighted.value + half],
                ],
                -1,
                1,
            ),
        },
        "kappa_irr": irr,
        "fleiss_kappa": {"kappa": fleiss.value, "z": fleiss.statistic, "p": fleiss.p},
        "kendall_w": {"W": w.value, "chisq": w.statistic, "p": w.p},
    }


def _psych_error(first, second):
    """Return psych's standard error of weighted kappa.

    psych takes the margin times the sum of the weights for the mean weight of a
    category of the first reader, where Fleiss, Cohen and Everitt have the weights
    times the margin; ours is theirs, so psych's interval is rebuilt here.
    """
    first, second = np.asarray(first), np.asarray(second)
    table = agreement_table(first, second, np.unique([first, second]))
    w, n = credit(len(table), "quadratic"), table.sum()
    p = table / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, chance = (w * p).sum(), (w * np.outer(rows, columns)).sum()
    mean = (w @ columns)[:, None] + (rows * w.sum(axis=1))[None, :]
    spread = (p * (w * (1 - chance) - mean * (1 - observed)) ** 2).sum()
    centre = observed * chance - 2 * chance + observed
    # With many categories the slip makes it negative; psych takes 0 then.
    return np.sqrt(max(spread - centre**2, 0.0) / (n * (1 - chance) ** 4))
