import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InvalidInput, OutsideRange
from sarcfeat.nomogram import Nomogram, Variable

AGE = Variable.numeric("age", 0.02, low=20, high=80, label="Age", unit="years")
GRADE = Variable.coded("grade3", 0.6, levels=(0, 1))
TISSUE = Variable.categories("tissue", {"lipo": 0.0, "LMS": 0.3, "UPS": 0.9})
PATIENTS = pd.DataFrame(
    {"age": [20.0, 80.0, 50.0], "grade3": [0, 1, 1], "tissue": ["lipo", "UPS", "LMS"]},
    index=["low", "high", "middle"],
)


def make(**changed):
    parts = {
        "variables": [AGE, GRADE, TISSUE],
        "center": 1.7,
        "times": [730, 1826],
        "baseline_survival": [0.8, 0.6],
        "max_time": 3000,
        "lp_range": (-1.2, 1.5),
    }
    return Nomogram(**{**parts, **changed})


def test_points_are_100_times_effect_over_the_widest_axis():
    points = make().points(PATIENTS)
    assert points["low"] == pytest.approx(0.0, abs=1e-12)
    assert points["high"] == pytest.approx(100 * (1.2 + 0.6 + 0.9) / 1.2)
    assert points["middle"] == pytest.approx(100 * (0.6 + 0.6 + 0.3) / 1.2)


def test_points_table_adds_up_to_points():
    nomogram = make()
    table = nomogram.points_table().set_index(["variable", "value"])["points"]
    read = table["Age (years)", 50] + table["grade3", 1] + table["tissue", "LMS"]
    assert read == pytest.approx(nomogram.points(PATIENTS)["middle"])
    assert table.max() == pytest.approx(100)
    assert table.groupby("variable").min().tolist() == [0, 0, 0]


def test_probability_is_the_cox_formula_and_the_tables_agree():
    nomogram = make()
    lp = 0.02 * 50 + 0.6 + 0.3 - 1.7
    expected = [1 - s ** np.exp(lp) for s in (0.8, 0.6)]
    predicted = nomogram.predict(PATIENTS)
    assert predicted.loc["middle"].tolist() == pytest.approx(expected)
    assert predicted.columns.tolist() == [730, 1826]
    total = nomogram.total_points_table()
    points = nomogram.points(PATIENTS)["middle"]
    read = np.interp(points, total.index, total[730])
    assert read == pytest.approx(expected[0], abs=0.01)
    assert total[730].is_monotonic_increasing
    assert nomogram.total_points_table([1826]).columns.tolist() == [1826]


def test_probability_axis_is_the_inverse_of_predict():
    nomogram = make()
    axis = nomogram.probability_axis(1826, [0.2, 0.5, 0.999])
    assert axis["probability"].tolist() == [0.2, 0.5]  # no patient comes to 0.999
    lp = nomogram.lp_at_zero_points + axis["total_points"] / nomogram.points_per_lp
    assert (1 - 0.6 ** np.exp(lp)).tolist() == pytest.approx([0.2, 0.5])


def test_total_axis_ends_with_the_worst_training_patient():
    assert make().total_ticks()[-1] >= 100 * (1.5 + 1.7 - 0.4) / 1.2
    reach = make(lp_range=None)
    assert reach.total_ticks()[-1] >= reach.points(PATIENTS)["high"]
    assert make(variables=[AGE]).total_ticks()[-1] == 100


def test_values_off_the_axis_warn_and_are_not_clipped():
    X = PATIENTS.assign(age=[20.0, 120.0, 50.0])
    with pytest.warns(OutsideRange, match=r"'age' of 1 patients .*20 to 80.*: high"):
        points = make().points(X)
    assert points["high"] == pytest.approx(100 * (2.0 + 0.6 + 0.9) / 1.2)


def test_columns_go_by_name_for_a_frame_and_by_order_for_an_array():
    nomogram = make(variables=[AGE, GRADE])
    shuffled = PATIENTS[["tissue", "grade3", "age"]]
    array = PATIENTS[["age", "grade3"]].to_numpy()
    by_name, by_order = nomogram.predict(shuffled), nomogram.predict(array)
    assert np.array_equal(by_name.to_numpy(), by_order.to_numpy())
    with pytest.raises(InvalidInput, match="lacks 1 of them: grade3"):
        nomogram.predict(PATIENTS[["age"]])
    with pytest.raises(InvalidInput, match=r"2 variables .*shape \(3, 1\)"):
        nomogram.predict(array[:, :1])


def test_a_horizon_beyond_the_follow_up_is_refused_or_marked():
    with pytest.raises(InvalidInput, match=r"1826 lies beyond .* 1500 days"):
        make(max_time=1500)
    flagged = make(max_time=1500, beyond="flag")
    assert flagged.late_times == (1826.0,)
    with pytest.raises(InvalidInput, match="no horizon 365; it has 730, 1826"):
        flagged.probability_axis(365)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times": []}, "at least one horizon"),
        ({"baseline_survival": [0.8, 1.2]}, r"lies in \[0, 1\]; got \[1.2\]"),
        ({"times": [-1, 5]}, "a time above 0"),
        ({"center": float("nan")}, "finite number"),
        ({"variables": [AGE, AGE]}, "share a name: .*age"),
    ],
)
def test_refuses_what_cannot_be_right(changed, message):
    with pytest.raises(InvalidInput, match=message):
        make(**changed)


def test_nothing_selected_gives_everyone_the_baseline():
    empty = make(variables=[], center=0.0, lp_range=(0.0, 0.0))
    X = pd.DataFrame(index=["p1", "p2"])
    assert empty.predict(X)[730].tolist() == pytest.approx([0.2, 0.2])
    assert empty.points(X).tolist() == [0.0, 0.0]
    assert len(empty.points_table()) == 0
    assert empty.total_points_table().index.tolist() == [0.0]
    assert Nomogram.from_json(empty.to_json()) == empty


@pytest.mark.parametrize("survival", [0.0, 1.0])
def test_certain_survival_is_no_error(survival):
    nomogram = make(baseline_survival=[survival, survival])
    assert (nomogram.predict(PATIENTS) == 1 - survival).all(axis=None)
    assert nomogram.probability_axis(730).empty


def test_json_brings_every_number_back_exactly(tmp_path):
    odd = dataclasses.replace(make(), center=0.1 + 0.2, baseline_survival=(1 / 3, 0.1))
    file = tmp_path / "nomogram.json"
    text = odd.to_json(file)
    for back in (Nomogram.from_json(text), Nomogram.from_json(file)):
        assert back == odd
        assert back.predict(PATIENTS).equals(odd.predict(PATIENTS))
        assert back.points(PATIENTS).equals(odd.points(PATIENTS))
    assert json.loads(text)["schema_version"] == 2


def test_a_document_of_the_first_version_is_read():
    parts = json.loads(make().to_json())
    for name in ("kind", "uncertainty", "note"):
        del parts[name]
    for variable in parts["variables"]:
        for name in ("knots", "curve", "columns", "limits"):
            del variable[name]
    old = Nomogram.from_json(json.dumps({**parts, "schema_version": 1}))
    assert old.predict(PATIENTS).equals(make().predict(PATIENTS))
    with pytest.warns(OutsideRange, match="20 to 80"):  # the ends of the axis
        old.predict(PATIENTS.assign(age=90.0))


def test_json_of_something_else_is_refused(tmp_path):
    parts = json.loads(make().to_json())
    with pytest.raises(InvalidInput, match=r"version 9 .* reads versions 1 and 2"):
        Nomogram.from_json(json.dumps({**parts, "schema_version": 9}))
    with pytest.raises(InvalidInput, match="is not a nomogram"):
        Nomogram.from_json("{}")
    file = tmp_path / "broken.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"broken.json is not JSON"):
        Nomogram.from_json(file)
    del parts["variables"][0]["label"]
    with pytest.raises(InvalidInput, match="part of a variable"):
        Nomogram.from_json(json.dumps(parts))
