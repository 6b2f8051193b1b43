"""Round numbers for an axis, exactly as R's ``pretty``."""

from __future__ import annotations

import math

from sarcfeat.exceptions import InvalidInput

__all__ = ["digits_within", "pretty"]

_EPS = math.ulp(1.0)
_ROUNDING = 1e-10
_BIAS = 1.5  # R's high.u.bias: prefer larger steps
_BIAS5 = 0.5 + 1.5 * _BIAS  # R's u5.bias: how much a step of 5 is preferred to 2
_SHRINK = 0.75  # R's shrink.sml


def _cell(low: float, high: float, n: int, min_n: int) -> float:
    """Return the step that would be used if it need not be round."""
    width = high - low
    size = max(abs(low), abs(high))
    unit = (
        1 + (1 / (1 + _BIAS) if _BIAS5 >= 1.5 * _BIAS + 0.5 else 1.5 / (1 + _BIAS5))
    ) * max(1, n)
    if size > 0 and width >= 3 * size * unit * _EPS:
        return width / max(n, 1)
    cell = size if size > 0 else 1.0
    if cell > 10:
        cell = 9 + cell / 10
    return cell * _SHRINK / max(min_n, 1)


def _unit(cell: float) -> float:
    """Return the round step, 1, 2, 5 or 10 times a power of ten, nearest to `cell`."""
    base = 10.0 ** math.floor(math.log10(cell))
    unit = base
    for factor, bias in ((2, _BIAS), (5, _BIAS5), (10, _BIAS)):
        if factor * base - cell >= bias * (cell - unit):
            break
        unit = factor * base
    return unit


def _widen(
    low: float, high: float, first: int, last: int, missing: int
) -> tuple[int, int]:
    """Add `missing` steps so that the axis has the fewest intervals wanted."""
    half, rest = divmod(missing, 2)
    if low == 0 and first == 0 and high != 0:
        return first, last + missing
    if high == 0 and last == 0 and low != 0:
        return first - missing, last
    if first >= 0:
        return first - half - rest, last + half
    return first - half, last + half + rest


def digits_within(low: float, high: float) -> int:
    """Return the decimals that tell a thousandth of a range, for `round`.

    Examples
    --------
    >>> digits_within(20.3786, 84.7492), digits_within(1e8, 2e9)
    (2, -6)
    """
    width = high - low
    return -math.floor(math.log10(width / 1000)) if width > 0 else 15


def pretty(low: float, high: float, n: int = 10) -> list[float]:
    """Return about `n` + 1 round, equally spaced numbers that cover a range.

    Parameters
    ----------
    low, high : float
        The range to cover, in the unit of the axis.
    n : int
        The number of intervals wished for.

    Returns
    -------
    list of float
        Multiples of 1, 2 or 5 times a power of ten; the first is at most `low` and
        the last at least `high`.

    Raises
    ------
    InvalidInput
        A limit that is not finite, or `low` above `high`.

    References
    ----------
    R Core Team, ``base::pretty`` (algorithm of R 4.2, ``src/appl/pretty.c``), which
    ``rms::nomogram`` uses for the ticks, and so for the points, of its axes.

    Examples
    --------
    >>> pretty(34, 81)
    [30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0]
    >>> pretty(0, 1, n=4)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    low, high = float(low), float(high)
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise InvalidInput(
            f"An axis needs two finite limits, the lower first; got {low} and {high}."
        )
    min_n = n // 3
    unit = _unit(_cell(low, high, n, min_n))
    first = math.floor(low / unit + _ROUNDING)
    last = math.ceil(high / unit - _ROUNDING)
    while first * unit > low + _ROUNDING * unit:
        first -= 1
    while last * unit < high - _ROUNDING * unit:
        last += 1
    if last - first < min_n:
        first, last = _widen(low, high, first, last, min_n - (last - first))
    # 3 * 0.1 is not 0.3 in binary: 15 digits give back the number that is meant.
    return [float(f"{k * unit:.15g}") + 0.0 for k in range(first, last + 1)]
