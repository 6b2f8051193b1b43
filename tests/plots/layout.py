"""Does every text of a figure have its place, inside the figure and to itself?"""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.text import Text


def texts(figure):
    """Return the visible texts of a drawn figure with their boxes in pixels."""
    figure.canvas.draw()
    hidden = set(_beyond_the_view(figure))
    shown = [t for t in figure.findobj(Text) if t.get_visible() and t not in hidden]
    found = [t for t in shown if t.get_text().strip()]
    # A text's own box: an annotation's window extent would include its leader.
    return [(t, Text.get_window_extent(t)) for t in found]


def _beyond_the_view(figure):
    """Yield the labels of ticks outside their axis, which matplotlib does not draw."""
    for ax in figure.findobj(Axes):
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high:
                    yield from (tick.label1, tick.label2)


def assert_inside(figure):
    box = figure.bbox
    for text, extent in texts(figure):
        inside = (
            extent.x0 >= box.x0 - 1
            and extent.x1 <= box.x1 + 1
            and extent.y0 >= box.y0 - 1
            and extent.y1 <= box.y1 + 1
        )
        assert inside, f"{text.get_text()!r} leaves the figure: {extent}"


def assert_apart(figure):
    for (a, box_a), (b, box_b) in combinations(texts(figure), 2):
        across = min(box_a.x1, box_b.x1) - max(box_a.x0, box_b.x0)
        along = min(box_a.y1, box_b.y1) - max(box_a.y0, box_b.y0)
        touch = across > 0.5 and along > 0.5
        assert not touch, f"{a.get_text()!r} lies on {b.get_text()!r}"
