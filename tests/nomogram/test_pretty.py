import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import pretty

# Printed by R 4.2: pretty(c(low, high), n = n).
FROM_R = [
    (34, 81, 10, [30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85]),
    (10, 99, 10, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
    (1, 51, 10, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55]),
    (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    (1, 10, 5, [0, 2, 4, 6, 8, 10]),
    (0, 156.3, 10, [0, 20, 40, 60, 80, 100, 120, 140, 160]),
]


@pytest.mark.parametrize(("low", "high", "n", "ticks"), FROM_R)
def test_equals_r(low, high, n, ticks):
    assert pretty(low, high, n) == ticks


@given(
    st.floats(-1e6, 1e6, allow_subnormal=False),
    st.floats(1e-6, 1e6, allow_subnormal=False),
    st.integers(2, 20),
)
@settings(max_examples=200, deadline=None)
def test_covers_the_range_with_equal_round_steps(low, width, n):
    high = low + width
    ticks = np.array(pretty(low, high, n))
    steps = np.diff(ticks)
    slack = 1e-9 * max(abs(low), abs(high))
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert np.allclose(steps, steps[0], rtol=1e-6, atol=slack)
    mantissa = steps[0] / 10 ** np.floor(np.log10(steps[0]) + 1e-9)
    if slack < 1e-9 * width:  # else the step is lost in the digits of the ends
        assert np.isclose(mantissa, [1, 2, 5, 10], rtol=1e-5).any()


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_a_single_value_gets_an_axis_around_it(value):
    ticks = pretty(value, value)
    assert ticks[0] <= value <= ticks[-1]
    assert len(ticks) > 1


@pytest.mark.parametrize(("low", "high"), [(1, 0), (0, np.inf), (np.nan, 1)])
def test_refuses_no_range(low, high):
    with pytest.raises(InvalidInput, match="two finite limits"):
        pretty(low, high)
