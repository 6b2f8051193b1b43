"""The nomogram as one HTML page that computes without any network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from sarcfeat.nomogram.pretty import digits_within
from sarcfeat.nomogram.uncertainty import z_value

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


def _words(variable: Variable) -> str:
    """Return what kind of values the script has to expect."""
    if variable.named:
        return "levels"
    return "spline" if variable.knots else "number"


def _shown(variable: Variable) -> tuple[Any, Any]:
    """Return the ends of a measured quantity with few digits.

    They are rounded inwards: nobody is warned of a value that the page itself shows.
    """
    low, high = variable.reach
    if variable.discrete:
        return low, high
    digits = digits_within(low, high)
    step = 10.0**-digits
    inner = round(low, digits), round(high, digits)
    bottom = inner[0] if inner[0] >= low else round(low + step, digits)
    return bottom, inner[1] if inner[1] <= high else round(high - step, digits)


def _field(variable: Variable, start: Any) -> dict[str, Any]:
    """Return what the page needs to know about one variable."""
    values = variable.values
    low, high = _shown(variable)
    return {
        "label": variable.label,
        "unit": variable.unit,
        "discrete": variable.discrete,
        "kind": _words(variable),
        "low": _plain(variable.reach[0]),
        "high": _plain(variable.reach[1]),
        "shown_low": _plain(low),
        "shown_high": _plain(high),
        "options": [_plain(value) for value in values],
        "values": list(values),
        "start": _plain(start if variable.named else float(start)),
        "weights": list(variable.weights),
        "knots": list(variable.knots),
        "lowest": variable.lowest,
    }


def _outcomes(nomogram: Nomogram) -> list[dict[str, Any]]:
    """Return the heading of each probability, and whether it is extrapolated."""
    if nomogram.kind == "logistic":
        return [{"text": f"Probability of {nomogram.event}", "late": False}]
    words = "Cumulative incidence" if nomogram.kind == "incidence" else "Probability"
    unit = nomogram.time_unit
    return [
        {
            "text": f"{words} of {nomogram.event} by {time:g} {unit}",
            "late": time in nomogram.late_times,
        }
        for time in nomogram.times
    ]


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
    known = nomogram.uncertainty
    document = nomogram.to_dict()
    numbers = {
        "fields": fields,
        "center": nomogram.center,
        "baseline": list(nomogram.baseline_survival),
        "logistic": nomogram.kind == "logistic",
        "pointsPerLp": nomogram.points_per_lp,
        "uncertainty": None if known is None else known.to_dict(),
        "z": z_value(0.95),
        "document": document,
    }
    return _template().render(
        title=title,
        fields=fields,
        outcomes=_outcomes(nomogram),
        max_time=nomogram.max_time,
        time_unit=nomogram.time_unit,
        note=nomogram.note,
        interval=known is not None,
        numbers=numbers,
    )
