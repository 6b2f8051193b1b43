"""The search for a cut against what R's maxstat prints, and under the null."""

from io import StringIO

import numpy as np
import pytest
from scipy.stats import kstest

from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.survival import logrank, maximally_selected_logrank
from sarcfeat.survival.maximally_selected import (
    lausen_1994,
    lausen_schumacher,
    logrank_scores,
)
from tests.survival.cohorts import cohort

# Survival (months), death and mean gene expression of 40 patients with diffuse large
# B-cell lymphoma (Alizadeh et al., Nature 2000), the example of R's maxstat.
LYMPHOMA = np.loadtxt(
    StringIO(
        """
77.4 0 .24797368421052629
3.4 1 -.006894736842105214
71.3 1 .13755263157894748
69.6 0 .37128947368421067
51.2 0 .025710526315789479
3.2 1 .098131578947368403
8.3 1 -.0033157894736842589
102.4 0 .21497368421052634
89.8 0 .12815789473684219
88.1 0 .22039473684210523
27.1 1 .11644736842105267
4.1 1 -.052368421052631529
23.7 1 .017657894736842074
59 0 -.071210526315789377
56.6 0 .16268421052631529
15.5 1 -.06197368421052625
2.4 1 .073342105263158042
2.9 1 .1860526315789475
80.4 0 .087842105263157777
4.6 1 -.15892105263157899
8.2 1 .040236842105263036
129.9 0 .028000000000000042
32.5 1 -.05107894736842105
11.8 1 .13826315789473687
5.1 1 -.012552631578947395
90.2 0 -.042078947368421139
83.8 0 .26339473684210518
71.3 0 .29178947368421077
12.3 1 -.057210526315789448
69.1 0 .16936842105263161
68.8 0 .0099736842105262943
1.3 1 .15063157894736842
12.67 1 .06463157894736847
72.03 0 .31247368421052629
91.33 0 .096289473684210522
53.73 0 -.040578947368421096
31.47 1 -.074473684210526275
39.6 1 .015631578947368486
9.45 1 -.046868421052631462
22.3 1 .06705263157894735
"""
    )
)


def test_the_statistic_cut_and_p_are_those_that_maxstat_prints():
    time, event, expression = LYMPHOMA.T
    found = maximally_selected_logrank(event, time, expression)
    assert found.statistic == pytest.approx(3.1772, abs=5e-5)
    # R's cut is the highest value of the low group, ours lies above it.
    assert expression[expression < found.cut].max() == pytest.approx(0.1860526)
    assert not found.higher_is_worse
    # R prints these at M = 3.171, of scores mapped to whole numbers.
    below = found.search["n_low"].to_numpy()
    assert lausen_schumacher(3.171) == pytest.approx(0.03611, abs=1e-5)
    assert lausen_1994(3.171, 40, below) == pytest.approx(0.02435, abs=1e-5)
    by_chance = maximally_selected_logrank(
        event, time, expression, method="permutation", random_state=0
    )
    assert by_chance.p_value == pytest.approx(0.0102, abs=0.006)  # condMC


def test_the_formulas_give_the_printed_values():
    # R: sapply(seq(0.5, 4, by = 0.5), maxstat::pLausen92).
    printed = [1.0, 0.967882898076573, 0.819678995766699, 0.463872768757117]
    printed += [0.189802453892004, 0.0578438845691903, 0.0133240079314344]
    found = [lausen_schumacher(b) for b in np.arange(0.5, 4, 0.5)]
    np.testing.assert_allclose(found, printed, rtol=1e-12)
    # Table 2 of Lausen and Schumacher 1992.
    table = {(0.25, 0.75): 2.829, (0.4, 0.6): 2.560, (0.1, 0.9): 3.054}
    for shares, quantile in table.items():
        assert lausen_schumacher(quantile, *shares) == pytest.approx(0.05, abs=1e-4)
    # Page 489 of Lausen, Sauerbrei and Schumacher 1994.
    assert lausen_1994(2.5, 20, np.arange(5, 16)) == pytest.approx(0.073, abs=5e-4)


def test_scores_without_ties_are_the_numerators_of_the_logrank():
    _, event, time = cohort(60, 1)
    for ties in ("maxstat", "logrank"):
        marks = logrank_scores(event, time, ties)
        assert marks.sum() == pytest.approx(0, abs=1e-9)
        group = np.arange(60) % 3 == 0
        test = logrank(event, time, group)
        assert marks[group].sum() == pytest.approx(test.observed[1] - test.expected[1])


def test_scores_at_ties_are_the_logranks_when_asked():
    _, event, time = cohort(80, 1, tied=True)
    group = np.arange(80) % 2 == 0
    test = logrank(event, time, group)
    marks = logrank_scores(event, time, "logrank")
    assert marks[group].sum() == pytest.approx(test.observed[1] - test.expected[1])


def test_contal_takes_the_cut_of_the_largest_logrank_numerator():
    _, event, time = cohort(50, 2)
    score = np.random.default_rng(0).normal(size=50)
    found = maximally_selected_logrank(event, time, score, method="contal-oquigley")
    gaps = []
    for cut in found.search["cut"]:
        test = logrank(event, time, score >= cut)
        gaps.append(abs(test.observed[1] - test.expected[1]))
    assert found.search["cut"][int(np.argmax(gaps))] == found.cut
    k = len(np.unique(time[event]))
    inner = [1 - sum(1 / (k - j + 1) for j in range(1, i + 1)) for i in range(1, k + 1)]
    spread = np.sqrt(np.square(inner).sum() / (k - 1))
    assert found.statistic == pytest.approx(max(gaps) / spread / np.sqrt(k - 1))


def test_the_corrected_p_is_larger_and_the_same_seed_gives_the_same():
    _, event, time = cohort(60, 1)
    score = np.random.default_rng(3).normal(size=60)
    for method in ("lausen-schumacher", "lausen-1994", "permutation"):
        one, two = (
            maximally_selected_logrank(
                event, time, score, method=method, n_permutations=99, random_state=1
            )
            for _ in range(2)
        )
        assert one.p_value == two.p_value > one.p_naive
    counts = one.search[["n_low", "n_high"]]
    assert counts.to_numpy().min() >= 6
    assert (counts.sum(axis=1) == 60).all()


@pytest.mark.slow
def test_a_useless_score_is_rarely_significant_once_corrected():
    rng = np.random.default_rng(11)
    p = {m: [] for m in ("permutation", "lausen-schumacher", "contal-oquigley")}
    naive = []
    for seed in range(300):
        time, end = rng.exponential(size=100), rng.exponential(2, size=100)
        score = rng.normal(size=100)
        for method, values in p.items():
            found = maximally_selected_logrank(
                time <= end,
                np.minimum(time, end),
                score,
                method=method,
                n_permutations=199,
                random_state=seed,
            )
            values.append(found.p_value)
        naive.append(found.p_naive)
    assert kstest(p["permutation"], "uniform").pvalue > 0.01
    assert np.mean(np.array(naive) < 0.05) > 0.25
    for method in ("lausen-schumacher", "contal-oquigley"):
        assert np.mean(np.array(p[method]) < 0.05) < 0.07


def test_what_cannot_be_cut_is_refused():
    _, event, time = cohort(40, 1)
    with pytest.raises(InvalidInput, match="1 of 40 patients have no finite score"):
        maximally_selected_logrank(event, time, np.r_[np.nan, np.arange(39)])
    with pytest.raises(InvalidInput, match="the score has 1 distinct values"):
        maximally_selected_logrank(event, time, np.ones(40))
    with pytest.raises(InvalidInput, match="min_share must lie between"):
        maximally_selected_logrank(event, time, np.arange(40), min_share=0.7)
    with pytest.raises(NoEvents, match="None of the 40 patients"):
        maximally_selected_logrank(np.zeros(40), time, np.arange(40))
