import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from sarcfeat import MRMR, CoxPH, ZScore, make_y
from sarcfeat.evaluate import leakage_audit, nested_cv
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.plots import close, leakage

OPTIONS = {"n_repeats": 1, "n_bootstrap": 100, "random_state": 0, "progress": False}


@pytest.fixture(scope="module")
def wide():
    """Return 70 patients whose 250 columns know nothing of the outcome."""
    rng = np.random.default_rng(1)
    index = [f"P{i:02}" for i in range(70)]
    X = pd.DataFrame(rng.normal(size=(70, 250)), index=index).add_prefix("radiomics.f")
    return X, make_y(rng.random(70) < 0.7, rng.exponential(500, size=70))


@pytest.fixture(scope="module")
def audit(wide):
    chain = make_pipeline(ZScore(), MRMR(k=6), CoxPH())
    return leakage_audit(chain, *wide, **OPTIONS)


def test_selection_on_everybody_looks_like_skill(audit):
    honest, leaky, gap = audit.table["c_index"]
    assert abs(honest - 0.5) < 0.15
    assert leaky > 0.65
    assert gap == pytest.approx(leaky - honest)
    assert audit.optimism.ci_low > 0
    assert audit.outside == ("zscore", "mrmr")
    assert "zscore, mrmr saw all patients" in audit.table["how"][2]
    assert "optimism +0." in str(audit)


def test_the_folds_are_the_same(audit):
    both = [
        result.predictions[["patient", "repeat", "fold"]]
        for result in (audit.honest, audit.leaky)
    ]
    pd.testing.assert_frame_equal(*both)


def test_in_fold_is_plain_cross_validation(wide, audit):
    chain = make_pipeline(ZScore(), MRMR(k=6), CoxPH())
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    plain = nested_cv(
        {"a": chain}, *wide, n_repeats=1, random_state=seed, progress=False
    )
    np.testing.assert_array_equal(
        plain.predictions["risk"], audit.honest.predictions["risk"]
    )


def test_scaling_alone_costs_nothing(wide):
    X, y = wide
    few = X.iloc[:, :2]
    chain = make_pipeline(ZScore(), CoxPH())
    found = leakage_audit(chain, few, y, until="zscore", **OPTIONS)
    assert abs(found.optimism.delta) < 0.02


def test_a_chain_that_selects_nothing_is_constant_twice(wide):
    from sarcfeat import UnivariateCoxFilter

    chain = make_pipeline(UnivariateCoxFilter(1e-9), CoxPH())
    found = leakage_audit(chain, *wide, **OPTIONS)
    assert found.table["constant_folds"][:2].tolist() == [5, 5]
    assert found.table["c_index"].tolist() == [0.5, 0.5, 0.0]


def test_what_cannot_be_audited(wide):
    with pytest.raises(InvalidInput, match="Pipeline of at least two steps, not CoxPH"):
        leakage_audit(CoxPH(), *wide)
    chain = make_pipeline(ZScore(), CoxPH())
    with pytest.raises(InvalidInput, match="'coxph' is the last step"):
        leakage_audit(chain, *wide, until="coxph")
    with pytest.raises(UnknownName, match="Did you mean 'zscore'"):
        leakage_audit(chain, *wide, until="z_score")


def test_the_figure_says_the_optimism(audit):
    ax = leakage(audit)
    gap = audit.optimism
    assert ax.get_title(loc="left") == (
        f"Optimism {gap.delta:+.2f} ({gap.ci_low:+.2f} to {gap.ci_high:+.2f})"
    )
    assert "zscore, mrmr" in ax.get_xlabel()
    close(ax)
    with pytest.raises(InvalidInput, match="got NestedCV"):
        leakage(audit.honest)
