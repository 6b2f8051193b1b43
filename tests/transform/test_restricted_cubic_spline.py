"""Restricted cubic splines against Hmisc 4.8 and rms 6.5 of R 4.2."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.transform import RestrictedCubicSpline
from sarcfeat.transform.spline_basis import (
    default_knots,
    spline_basis,
    turning_points,
)

LONG = np.array([*range(150), 20, 20, 33.5]) ** 1.1
HEAP = np.r_[np.zeros(20), np.arange(1, 81)]


@pytest.mark.parametrize(
    ("values", "n_knots", "knots"),
    [
        # x <- c(0:149, 20, 20, 33.5)^1.1; rcspline.eval(x, nk=3, knots.only=TRUE)
        (LONG, 3, [19.9546583909503, 112.1127863154105, 218.3242307070307]),
        (
            LONG,
            4,
            [9.31097250736499, 74.26353190452518, 151.18283227370335, 232.00355358577],
        ),
        (
            LONG,
            7,
            [
                4.34550864041086,
                35.81118351636270,
                72.20477266770187,
                112.11278631541047,
                153.38302013302965,
                195.69972836373714,
                238.87101725847464,
            ],
        ),
        # rcspline.eval((1:40)^1.3, nk=4, knots.only=TRUE): the fifth from each end
        (
            np.arange(1, 41) ** 1.3,
            4,
            [8.10328298346381, 32.78529636184287, 70.31410942978273, 105.485617857007],
        ),
        # rcspline.eval(c(rep(0, 20), 1:80), nk=4): many at the limit of detection
        (HEAP, 4, [1.0, 5.9, 41.0, 76.0]),
        # rcspline.eval(c(rep(0, 20), 1:80, rep(90, 15)), nk=5)
        (np.r_[HEAP, np.full(15, 90)], 5, [1.0, 5.85, 40.5, 75.15, 80.0]),
    ],
)
def test_knots_are_those_of_hmisc(values, n_knots, knots):
    np.testing.assert_allclose(default_knots(values, n_knots), knots, rtol=1e-12)


def test_columns_are_those_of_rms():
    # rcspline.eval(c(-5, 12, 30.25, 77, 140), knots=c(5, 20, 45.5, 100), inclx=TRUE)
    expected = [
        [-5.0, 0.0, 0.0],
        [12.0, 0.038005540166205, 0.0],
        [30.25, 1.783762119113574, 0.119323060941828],
        [77.0, 35.320252865384148, 15.436323159419558],
        [140.0, 114.892105263158044, 57.526869806094197],
    ]
    X = pd.DataFrame({"age": [row[0] for row in expected]}, index=list("abcde"))
    spline = RestrictedCubicSpline(knots={"age": [5, 20, 45.5, 100]})
    made = spline.fit_transform(X)
    assert made.columns.tolist() == ["age", "age'", "age''"]
    assert made.index.equals(X.index)
    np.testing.assert_allclose(made, expected, rtol=1e-13)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0.1, 10), min_size=2, max_size=6),
    st.lists(st.floats(-3, 3), min_size=6, max_size=6),
)
def test_a_curve_is_smooth_and_straight_beyond_its_knots(gaps, coef):
    knots = np.cumsum([0.0, *gaps])
    coef = np.array(coef[: len(knots) - 1])
    beyond = knots[-1] + np.array([0.0, 1.0, 2.0, 3.0])
    below = knots[0] - np.array([3.0, 2.0, 1.0, 0.0])
    for x in (below, beyond):
        curve = spline_basis(x, knots) @ coef
        np.testing.assert_allclose(np.diff(curve, 2), 0, atol=1e-7)
    for knot in knots:
        near = spline_basis(knot + np.array([-1e-6, 0, 1e-6]), knots) @ coef
        assert abs(near[0] + near[2] - 2 * near[1]) < 1e-8


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_turning_points_are_where_the_curve_turns(coef):
    knots = (1.0, 4.0, 6.0, 11.0, 20.0)
    grid = np.linspace(1, 20, 4001)
    steps = np.diff(spline_basis(grid, knots) @ np.array(coef))
    if np.abs(steps).min() < 1e-9:  # flat somewhere: no clear turn to compare with
        return
    turned = grid[1:-1][np.sign(steps[1:]) != np.sign(steps[:-1])]
    np.testing.assert_allclose(turning_points(coef, knots), turned, atol=0.01)


def test_knots_come_from_the_fit_and_only_the_columns_asked_bend():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.uniform(20, 80, 60),
            "male": rng.integers(0, 2, 60),
            "size": rng.gamma(4, 2, 60),
            "site": "Lyon",
        }
    )
    every = RestrictedCubicSpline(n_knots=3).fit(X)
    assert list(every.knots_) == ["age", "size"]  # "male" has two values only
    assert every.terms_["size"] == ["size", "size'"]
    one = RestrictedCubicSpline(["age"], n_knots=3).fit(X)
    new = one.transform(X.assign(age=X["age"] + 500))
    assert one.get_feature_names_out().tolist() == new.columns.tolist()
    assert new.columns.tolist() == ["age", "age'", "male", "size", "site"]
    assert one.knots_["age"] == every.knots_["age"]
    array = X[["age", "size"]].to_numpy()
    by_place = RestrictedCubicSpline([1], n_knots=3).fit(array)
    assert by_place.transform(array).shape == (60, 3)
    assert by_place.knots_ == {"x1": every.knots_["size"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": ["agee"]}, "'agee', which X lacks. Did you mean 'age'"),
        ({"columns": ["site"]}, "'site' holds no numbers"),
        ({"knots": {"age": [1, 1, 2]}}, "knots of 'age' are .*ascending"),
        ({"columns": ["size"]}, "'size', 1 patients, the first p3.*before the spline"),
    ],
)
def test_refuses_by_name(settings, message):
    X = pd.DataFrame({"age": np.arange(20.0), "size": np.arange(20.0), "site": "L"})
    X.index = [f"p{i}" for i in range(20)]
    X.loc["p3", "size"] = np.nan
    with pytest.raises(InvalidInput, match=message):
        RestrictedCubicSpline(**settings).fit(X)


def test_a_column_that_cannot_bend_is_said():
    X = pd.DataFrame({"grade": [1.0, 2, 3] * 10})
    with pytest.warns(SarcfeatWarning, match="'grade' has 3 distinct values"):
        spline = RestrictedCubicSpline(["grade"]).fit(X)
    assert spline.transform(X).equals(X)
