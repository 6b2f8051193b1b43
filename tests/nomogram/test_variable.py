import numpy as np
import pytest

from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import Variable


def test_numeric_takes_round_ticks_over_the_range():
    age = Variable.numeric("age", -0.02, low=21, high=80, unit="years")
    assert age.values == tuple(range(20, 81, 5))
    assert age.effects == tuple(-0.02 * v for v in range(20, 81, 5))
    assert age.lowest == pytest.approx(-1.6)
    assert age.width == pytest.approx(1.2)
    assert age.title == "age (years)"


def test_coded_keeps_only_its_levels():
    grade = Variable.coded("grade", 0.5, levels=(3, 1, 2), start=2.2)
    assert grade.values == (1.0, 2.0, 3.0)
    assert grade.start == 2.0
    assert grade.outside(np.array([1.0, 2.5])).tolist() == [False, True]


def test_categories_add_their_effect_and_name_the_unknown():
    tissue = Variable.categories("histology", {"lipo": 0.0, "UPS": 0.4})
    assert tissue.effect_of(["UPS", "lipo"], ["p1", "p2"]).tolist() == [0.4, 0.0]
    message = "Patient p2: 'histology' is 'UPs'.*lipo, UPS.*Did you mean 'UPS'"
    with pytest.raises(InvalidInput, match=message):
        tissue.effect_of(["lipo", "UPs"], ["p1", "p2"])


def test_a_missing_value_names_the_patient():
    age = Variable.numeric("age", 0.1, low=0, high=1)
    with pytest.raises(InvalidInput, match=r"'age' is missing .* 1 patients: p2"):
        age.effect_of([0.5, np.nan], ["p1", "p2"])


def test_refuses_an_axis_without_values_or_with_infinite_effects():
    with pytest.raises(InvalidInput, match="0 values and 0 effects"):
        Variable.categories("x", {})
    with pytest.raises(InvalidInput, match="not finite"):
        Variable.numeric("x", np.inf, low=0, high=1)


def test_comes_back_from_its_dictionary():
    age = Variable.numeric("age", 0.1 / 3, low=0, high=1 / 3, start=0.1)
    assert Variable.from_dict(age.to_dict()) == age
