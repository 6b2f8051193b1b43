import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sarcfeat.estimators import LassoCox
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots import lasso_path
from tests.nomogram.cohort import simulated
from tests.plots.layout import assert_apart, assert_inside


@pytest.fixture(scope="module")
def lasso():
    X, y = simulated(120)
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.normal(size=(120, 6)), index=X.index).add_prefix("noise")
    return LassoCox(cv=4, random_state=0, n_lambda=40).fit(X.join(noise), y)


def test_paths_are_the_coefficients_against_log_lambda(lasso):
    paths, _ = lasso_path(lasso)
    drawn = [
        line for line in paths.lines if len(line.get_xdata()) == len(lasso.lambdas_)
    ]
    ever = lasso.coef_path_[np.any(lasso.coef_path_ != 0, axis=1)]
    assert len(drawn) == len(ever)
    np.testing.assert_allclose(drawn[0].get_xdata(), np.log(lasso.lambdas_))
    ours = sorted(line.get_ydata()[-1] for line in drawn)
    np.testing.assert_allclose(ours, np.sort(ever[:, -1]))
    kept = int((lasso.coef_ != 0).sum())
    assert paths.get_title(loc="left").startswith(f"{kept} of 9 features kept")


def test_the_curve_has_error_bars_and_both_lambdas(lasso):
    paths, curve = lasso_path(lasso)
    points = curve.containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata(), lasso.cvm_)
    bars = curve.containers[0].lines[2][0].get_segments()
    lengths = [segment[1, 1] - segment[0, 1] for segment in bars]
    np.testing.assert_allclose(lengths, 2 * lasso.cvsd_)
    marked = {np.log(lasso.lambda_min_), np.log(lasso.lambda_1se_)}
    for ax in (paths, curve):
        upright = {
            line.get_xdata()[0] for line in ax.lines if line.get_label().startswith("λ")
        }
        assert upright == marked


def test_the_number_of_features_stands_on_top(lasso):
    paths, _ = lasso_path(lasso)
    (top,) = paths.child_axes
    at = np.searchsorted(-np.log(lasso.lambdas_), -top.get_xticks())
    written = [int(label.get_text()) for label in top.get_xticklabels()]
    assert written == lasso.nonzero_[at].tolist()


def test_every_text_has_its_place(lasso):
    figure = lasso_path(lasso)[0].figure
    assert_inside(figure)
    assert_apart(figure)


def test_draws_where_it_is_told(lasso):
    _, (left, right) = plt.subplots(1, 2)
    assert lasso_path(lasso, ax=(left, right)) == (left, right)


def test_refuses_a_model_that_is_not_fitted_or_not_cross_validated(lasso):
    with pytest.raises(InvalidInput, match="LassoCox lacks lambdas_"):
        lasso_path(LassoCox())
