"""The published nomograms against the numbers that were printed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sarcfeat import make_y
from sarcfeat.exceptions import InvalidInput, OutsideRange
from sarcfeat.nomogram import (
    MSKCC2002,
    MSKCC2003,
    Gronchi2013,
    sarculator_groups,
    semantic_mri_risk,
)

CHECK = {
    "age": 60.0,
    "size": 12.0,
    "depth": "deep",
    "location": "lower extremity",
    "histology": "mfh",
    "grade": "high",
}
RETROPERITONEAL = {
    "age": 50.0,
    "size": 20.0,
    "fnclcc": "3",
    "histology": "ups",
    "multifocal": "no",
    "resection": "complete",
}
POINTS_PER_UNIT = 60.05


def patients(base=CHECK, **changed):
    """Return one row a value of the one changed input."""
    n = max((len(values) for values in changed.values()), default=1)
    frame = pd.DataFrame({name: [value] * n for name, value in base.items()})
    for name, values in changed.items():
        frame[name] = values
    return frame.set_axis([f"P{i}" for i in range(n)])


def test_the_printed_check_patient_of_2002():
    X = patients(grade=["high", "low"])
    found = MSKCC2002().fit(X).predict(X)
    np.testing.assert_allclose(found, [0.619, 0.275], atol=5e-4)


@pytest.mark.parametrize(
    ("name", "values", "points"),
    [
        ("size", [4, 8, 12], [0, 44, 70]),
        ("size", [5, 10, 10.001], [0, 44, 70]),
        ("depth", ["superficial", "deep"], [0, 29]),
        (
            "location",
            [
                "upper extremity",
                "lower extremity",
                "visceral",
                "trunk",
                "retro-intra-abdominal",
                "head and neck",
            ],
            [0, 6, 27, 31, 39, 61],
        ),
        (
            "histology",
            [
                "fibrosarcoma",
                "liposarcoma",
                "mfh",
                "leiomyosarcoma",
                "synovial",
                "other",
                "mpnst",
            ],
            [0, 39, 50, 60, 70, 65, 100],
        ),
    ],
)
def test_the_printed_points_of_2002(name, values, points):
    # The points of another source (a page that prints them) against the formula.
    X = patients(**{name: values})
    lp = MSKCC2002().fit(X).linear_predictor(X)
    # The histology of the page is printed to the nearest point or two.
    np.testing.assert_allclose(
        (lp - lp[0]) * POINTS_PER_UNIT, points, atol=2 if name == "histology" else 1
    )


def test_the_printed_points_of_age():
    age = np.array([20.0, 40, 60, 80])
    X = patients(age=age)
    points = MSKCC2002().fit(X).linear_predictor(X) * POINTS_PER_UNIT
    printed = 0.00208 * age**2 + 0.70703 * age - 12.394
    np.testing.assert_allclose(points - points[0], printed - printed[0], atol=4)


def test_2003_follows_its_formula_by_hand():
    X = patients(age=[25.0], histology=["fibrosarcoma"], location=["head and neck"])
    lp = 0.024251435 * 25 + 1.3331259
    found = MSKCC2003().fit(X).predict_probability(X).loc["P0"]
    expected = 1 - np.array([0.9779854, 0.9512977, 0.9390208]) ** np.exp(lp)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.is_monotonic_increasing


@pytest.mark.parametrize(
    ("name", "effects"),
    [
        ("grade", {"high": 0, "low": -0.96882638}),
        ("depth", {"deep": 0, "superficial": -0.25283017}),
        (
            "location",
            {
                "head and neck": 0,
                "lower extremity": -0.96487627,
                "retro-intra-abdominal": -0.45219689,
                "trunk": -0.55362894,
                "upper extremity": -1.0460627,
                "visceral": -0.19709084,
            },
        ),
        (
            "histology",
            {
                "fibrosarcoma": 0,
                "leiomyosarcoma": 1.256304,
                "liposarcoma": 0.86376689,
                "mfh": 0.84095501,
                "mpnst": 2.0887329,
                "other": 1.2993295,
                "synovial": 1.7930444,
            },
        ),
        ("size", {5.0: 0, 9.9: 0.74191358, 10.5: 1.3331259}),
    ],
)
def test_every_level_of_2003(name, effects):
    X = patients(**{name: list(effects)})
    lp = MSKCC2003().fit(X).linear_predictor(X)
    np.testing.assert_allclose(lp - lp[0], list(effects.values()), atol=1e-12)


def test_the_spline_of_age_of_2003():
    age = np.array([25.0, 40, 60, 80])
    base = {**CHECK, "size": 4.0, "histology": "fibrosarcoma"}
    X = patients({**base, "location": "head and neck"}, age=age)
    bent = (
        0.024251435 * age
        - 0.0000052683762 * np.maximum(age - 27.80384, 0) ** 3
        + 0.000013633246 * np.maximum(age - 57.8137, 0) ** 3
        - 0.0000083648697 * np.maximum(age - 76.71456, 0) ** 3
    )
    found = MSKCC2003().fit(X).linear_predictor(X)
    np.testing.assert_allclose(found, bent, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("fnclcc", {"1": 0, "2": 75, "3": 100}),
        (
            "histology",
            {
                "solitary fibrous tumour": 0,
                "mpnst": 5,
                "dedifferentiated liposarcoma": 7.5,
                "leiomyosarcoma": 20,
                "other": 21.75,
                "ups": 25.5,
                "well-differentiated liposarcoma": 41.75,
            },
        ),
        ("multifocal", {"no": 0, "yes": 26.75}),
        ("resection", {"complete": 0, "incomplete": 15}),
        ("age", {50: 0, 10: 14, 30: 6.75, 60: 2.5, 70: 12, 80: 23.75, 90: 36}),
        ("size", {10: 0, 12: 6, 14: 11, 16: 15.5, 20: 21.5, 30: 26, 40: 24.75}),
    ],
)
def test_the_digitised_points_of_gronchi(name, points):
    X = patients(RETROPERITONEAL, **{name: list(points)})
    found = Gronchi2013().fit(X).points(X)
    np.testing.assert_allclose(found - found[0], list(points.values()), atol=1e-9)


@pytest.mark.parametrize(
    ("model", "base"),
    [
        (MSKCC2002(), CHECK),
        (MSKCC2003(), CHECK),
        (Gronchi2013(), RETROPERITONEAL),
    ],
)
def test_higher_is_worse_and_nothing_is_learned_from_outcomes(model, base):
    X = patients(base, size=[11.0, 12.0, 20.0] if "fnclcc" in base else [3, 8, 12])
    y = make_y([1, 1, 0], [100, 50, 10])
    first = clone(model).fit(X).predict(X)
    second = make_pipeline(clone(model)).fit(X, y).predict(X)
    np.testing.assert_array_equal(first, second)
    assert np.all(np.diff(first) > 0)
    survival = clone(model).fit(X).predict_survival_function(X)
    assert ((survival >= 0) & (survival <= 1)).all()


def test_columns_and_words_of_the_user_are_found():
    X = patients(depth=[1, 0]).add_prefix("clinical.")
    X = X.rename(columns={"clinical.size": "clinical.size_cm"})
    model = MSKCC2002(
        columns={"size": "clinical.size_cm"},
        levels={"depth": {1: "deep", 0: "superficial"}},
    )
    plain = patients(depth=["deep", "superficial"])
    np.testing.assert_array_equal(
        model.fit(X).predict(X), MSKCC2002().fit(plain).predict(plain)
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"histology": ["mfh", "UPS"]}, "'UPS' for patient P1.*'mfh'"),
        ({"age": [60, np.nan]}, "'age' is nan for patient P1.*Impute"),
        ({"size": [-1.0, 4]}, "'size' is -1.0 for patient P0.*cm"),
        ({"age": ["old", "young"]}, "'age' is not numeric.*years"),
    ],
)
def test_what_the_formula_cannot_take_is_refused_by_patient(changed, words):
    X = patients(**changed)
    with pytest.raises(InvalidInput, match=words):
        MSKCC2002().fit(X).predict(X)


@pytest.mark.parametrize("model", [MSKCC2002(), MSKCC2003(), Gronchi2013()])
def test_millimetres_are_no_centimetres(model):
    base = RETROPERITONEAL if isinstance(model, Gronchi2013) else CHECK
    with pytest.warns(OutsideRange, match=r"'size' is above 50.*in cm: are these mill"):
        model.fit(patients(base)).predict(patients(base, size=[12.0, 85.0]))
    with pytest.raises(
        InvalidInput, match=r"'size' is 120\.0.*expected cm, 100 at most"
    ):
        model.predict(patients(base, size=[120.0]))
    with pytest.raises(InvalidInput, match=r"'age' is 730\.0.*expected years, 120"):
        model.predict(patients(base, age=[730.0]))


def test_a_missing_column_or_an_unknown_input_is_named():
    X = patients()
    with pytest.raises(InvalidInput, match=r"needs 'depth'.*columns="):
        MSKCC2002().fit(X.drop(columns="depth"))
    with pytest.raises(InvalidInput, match=r"no input 'sizes'.*'size'"):
        MSKCC2002(columns={"sizes": "size"}).fit(X)
    with pytest.raises(InvalidInput, match="DataFrame; got ndarray"):
        MSKCC2002().fit(X.to_numpy())
    model = MSKCC2002().fit(X)
    with pytest.raises(InvalidInput, match="lacks"):
        model.predict(X.drop(columns="age"))


def test_children_are_outside_the_population_of_2002():
    X = patients(age=[12.0, 40, 101])
    marked = MSKCC2002().fit(X).outside_population(X)
    assert marked.tolist() == [
        "younger than 16 years",
        "",
        "older than 100 years",
    ]


def test_gronchi_is_flagged_and_refuses_sizes_that_were_not_read():
    X = patients(RETROPERITONEAL, size=[20.0, 40.0])
    model = Gronchi2013().fit(X)
    assert model.approximate
    np.testing.assert_allclose(model.points(X), [176, 100 + 25.5 + 55 - 1.25])
    np.testing.assert_allclose(
        model.predict_survival_function(X)[0, 0], np.interp(176, [173, 184], [0.2, 0.1])
    )
    small = patients(RETROPERITONEAL, size=[4.0])
    with pytest.raises(InvalidInput, match=r"patient P0.*10 cm or more"):
        model.predict(small)


def test_sarculator_groups_at_their_limits():
    X = pd.Series([0.5, 0.51, 0.5101, 0.66, 0.661, np.nan], index=list("abcdef"))
    assert sarculator_groups(X).fillna("?").tolist() == [
        "high risk",
        "high risk",
        "intermediate risk",
        "intermediate risk",
        "low risk",
        "?",
    ]
    with pytest.raises(InvalidInput, match=r"66 for patient b.*not percent"):
        sarculator_groups(pd.Series([0.2, 66], index=["a", "b"]))


def test_semantic_risk_needs_two_of_three_signs():
    found = semantic_mri_risk(
        pd.Series([1, 1, 0, 1, 0], index=list("abcde")),
        pd.Series([1, 0, 0, np.nan, np.nan], index=list("abcde")),
        pd.Series([1, 0, 0, 0, 0], index=list("abcde")),
    )
    assert found.fillna("?").to_dict() == {
        "a": "high",
        "b": "low",
        "c": "low",
        "d": "?",
        "e": "low",
    }
    with pytest.raises(InvalidInput, match="patients 1"):
        semantic_mri_risk([0, 2], [0, 0], [0, 0])
