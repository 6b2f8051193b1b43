"""The nomogram as one HTML page that computes without any network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from sarcfeat.nomogram.nomogram import Nomogram
    from sarcfeat.nomogram.variable import Variable

__all__ = ["render"]


@cache
def _template() -> jinja2.Template:
    """Load the page's template; everything put into it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sarcfeat.nomogram", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("calculator.html.j2")


def _plain(value: Any) -> str:
    """Write a value as a form shows it: 60, not 60.0."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _field(variable: Variable, start: Any) -> dict[str, Any]:
    """Return what the page needs to know about one variable."""
    values = variable.values
    return {
        "label": variable.label,
        "unit": variable.unit,
        "discrete": variable.discrete,
        "low": _plain(values[0]),
        "high": _plain(values[-1]),
        "options": [_plain(value) for value in values],
        "start": _plain(float(start) if variable.coefficient is not None else start),
        "coefficient": variable.coefficient,
        "effects": list(variable.effects),
        "lowest": variable.lowest,
    }


def render(nomogram: Nomogram, title: str, values: dict[str, Any]) -> str:
    """Return the calculator's HTML.

    Parameters
    ----------
    nomogram : Nomogram
    title : str
        Heading of the page.
    values : dict
        Variable → value shown first.

    Returns
    -------
    str
        A page with no reference to anything outside itself.
    """
    fields = [_field(v, values.get(v.name, v.start)) for v in nomogram.variables]
    horizons = [
        {"label": f"{time:g} {nomogram.time_unit}", "late": time in nomogram.late_times}
        for time in nomogram.times
    ]
    numbers = {
        "fields": fields,
        "center": nomogram.center,
        "baseline": list(nomogram.baseline_survival),
        "pointsPerLp": nomogram.points_per_lp,
        "document": nomogram.to_dict(),
    }
    return _template().render(
        title=title,
        fields=fields,
        horizons=horizons,
        event=nomogram.event,
        max_time=nomogram.max_time,
        time_unit=nomogram.time_unit,
        numbers=numbers,
    )
