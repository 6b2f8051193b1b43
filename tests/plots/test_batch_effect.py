import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from sarcfeat import ComBat
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.plots import batch_effect
from sarcfeat.plots.batch_effect import f_by_batch
from tests.plots.layout import assert_apart, assert_inside


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    names = [f"radiomics.t1.f{i}" for i in range(20)]
    index = [f"p{i}" for i in range(90)]
    X = pd.DataFrame(rng.normal(size=(90, 20)), columns=names, index=index)
    X["site"] = np.repeat(["Bordeaux", "Lyon", "Nantes"], [40, 30, 20])
    X.loc[X["site"] == "Lyon", names] += 2
    return X


def test_f_is_that_of_analysis_of_variance(cohort):
    X, batch = cohort.drop(columns="site").to_numpy().copy(), cohort["site"].to_numpy()
    theirs = f_oneway(*(X[batch == b] for b in np.unique(batch))).statistic
    np.testing.assert_allclose(f_by_batch(X, batch), theirs)
    X[5, 0] = np.nan
    there = np.arange(90) != 5
    one = f_oneway(*(X[there & (batch == b), 0] for b in np.unique(batch))).statistic
    assert f_by_batch(X, batch)[0] == pytest.approx(one)


def test_centres_come_together_and_f_falls(cohort):
    after = ComBat().fit_transform(cohort)
    axes = batch_effect(cohort, after)
    spread = []
    for ax in axes[:2]:
        centres = np.array([c.get_offsets()[0] for c in ax.collections[1::2]])
        assert len(centres) == 3
        spread.append(np.ptp(centres[:, 0]))
    assert spread[1] < spread[0] / 5
    points = axes[2].lines[0]
    assert (points.get_ydata() < points.get_xdata()).mean() > 0.9
    assert "20 → 0 of 20" in axes[2].get_title(loc="left")
    labels = [t.get_text() for t in axes[0].get_legend().get_texts()]
    assert labels == ["Bordeaux", "Lyon", "Nantes"]
    assert_inside(axes[0].figure)
    assert_apart(axes[0].figure)
    plt.close(axes[0].figure)


def test_batches_as_an_array_and_missing_values(cohort):
    after = ComBat().fit_transform(cohort)
    before = cohort.drop(columns="site")
    before.iloc[3, 2] = np.nan
    before["radiomics.t1.f5"] = 1.0
    axes = batch_effect(before, after, cohort["site"])
    assert axes[2].get_title(loc="left").endswith("of 19")
    plt.close(axes[0].figure)


def test_what_cannot_be_drawn_is_refused(cohort):
    after = ComBat().fit_transform(cohort)
    with pytest.raises(UnknownName, match="'site'"):
        batch_effect(cohort, after, "sit")
    with pytest.raises(InvalidInput, match="others than `before`: p0"):
        batch_effect(cohort, after.iloc[1:])
    with pytest.raises(InvalidInput, match="one batch only, 'Lyon'"):
        batch_effect(cohort, after, ["Lyon"] * 90)
    with pytest.raises(InvalidInput, match="each of the 90 patients"):
        batch_effect(cohort, after, ["Lyon"] * 8)
    with pytest.raises(InvalidInput, match="two features that vary"):
        batch_effect(cohort[["radiomics.t1.f0", "site"]], after)
