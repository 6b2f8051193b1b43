"""What the figures share: colours that colour-blind readers tell apart, and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sarcfeat.nomogram import pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "GREY",
    "TEXT",
    "close",
    "colours",
    "named",
    "new_axes",
    "p_sentence",
    "quiet",
    "time_axis",
]

# Okabe & Ito's palette, in the order in which groups take them.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#595959"
TEXT = 10  # points
DAYS_PER_YEAR = 365.25


def new_axes(
    size: tuple[float, float], *, layout: str = "constrained", **kwargs: Any
) -> Any:
    """Return the axes of a new figure whose layout makes room for every text."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=size, layout=layout, **kwargs)
    return axes


def close(figure: Any) -> None:
    """Let a figure go: pyplot keeps every figure alive until it is closed.

    Parameters
    ----------
    figure : Figure or Axes
    """
    import matplotlib.pyplot as plt

    plt.close(getattr(figure, "figure", figure))


def colours(n: int) -> list[str]:
    """Return a colour for each of n groups; past seven they come again."""
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def named(results: Any, name: str) -> dict[str, Any]:
    """Return results by name; one alone takes the name given."""
    if isinstance(results, Mapping):
        return {str(key): value for key, value in results.items()}
    return {name: results}


def p_sentence(test: str, p: float) -> str:
    """Write a p-value under the name of its test.

    Examples
    --------
    >>> p_sentence("Gray", 0.0401), p_sentence("Log-rank", 2e-5)
    ('Gray p = 0.040', 'Log-rank p < 0.001')
    """
    if p < 0.001:
        return f"{test} p < 0.001"
    return f"{test} p = {p:.3f}" if p < 0.1 else f"{test} p = {p:.2f}"


def quiet(ax: Axes) -> None:
    """Take away the frame that carries no information; make the text readable."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=TEXT)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_fontsize(TEXT + 1)


def time_axis(until: float, unit: str) -> tuple[list[float], list[str], str]:
    """Return tick positions, their texts and the label of an axis of time.

    Days over two years and more are shown as years; the positions stay in days.

    Examples
    --------
    >>> time_axis(1500, "days")
    ([0.0, 365.25, 730.5, 1095.75, 1461.0], ['0', '1', '2', '3', '4'], 'Time (years)')
    >>> time_axis(30, "months")[0]
    [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    """
    scale, shown = (1.0, unit)
    if unit == "days" and until >= 2 * DAYS_PER_YEAR:
        scale, shown = DAYS_PER_YEAR, "years"
    ticks = [tick for tick in pretty(0, until / scale, n=5) if tick * scale <= until]
    texts = [f"{tick:g}" for tick in ticks]
    return [tick * scale for tick in ticks], texts, f"Time ({shown})"
