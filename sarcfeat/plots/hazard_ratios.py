"""The hazard ratios of a table of Cox models as a forest, on a log scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["hazard_ratios"]

_MODELS = {"univariable": "", "multivariable": "multi_", "firth": "firth_"}
_NAMES = {"hazard_ratio": "hr", "feature": "variable"}
_WIDEST = 4.0  # decades either side of 1 that are drawn


def _rows(table: Any, model: str | None) -> tuple[pd.DataFrame, str]:
    """Return ``label, hr, ci_low, ci_high, p`` and which model they are of."""
    found = getattr(table, "table", table)
    if not isinstance(found, pd.DataFrame):
        raise InvalidInput(
            "plots.hazard_ratios draws an evaluate.cox_table or a table of hazard "
            f"ratios (a model's summary_); got {type(found).__name__}."
        )
    if found.index.name in _NAMES:
        found = found.reset_index()
    found = found.rename(columns=_NAMES)
    if model is None:
        model = "multivariable" if "multi_hr" in found else "univariable"
        # A fitted model's own table is of that model, whatever it holds.
        model = "" if "coef" in found else model
    prefix = _MODELS[pick(model, _MODELS, "model")] if model else ""
    needed = ["variable", *(f"{prefix}{end}" for end in ("hr", "ci_low", "ci_high"))]
    missing = [name for name in needed if name not in found]
    if missing:
        raise InvalidInput(f"The table has no {listed(missing)}: no {model} model.")
    level = found["level"] if "level" in found else pd.Series([""] * len(found))
    rows = pd.DataFrame(
        {
            "label": [
                f"{v}: {word}" if word else str(v)
                for v, word in zip(found["variable"], level, strict=True)
            ],
            "hr": found[f"{prefix}hr"].astype(float).to_numpy(),
            "low": found[f"{prefix}ci_low"].astype(float).to_numpy(),
            "high": found[f"{prefix}ci_high"].astype(float).to_numpy(),
        }
    )
    rows["firth"] = _firth(found) if "firth_hr" in found and prefix != "firth_" else ""
    if f"{prefix}p" in found:
        rows["p"] = found[f"{prefix}p"].astype(float).to_numpy()
    return rows[rows["hr"].notna()].reset_index(drop=True), model


def _firth(found: pd.DataFrame) -> list[str]:
    """Write Firth's ratio, which stands beside one without a finite estimate."""
    numbers = found[["firth_hr", "firth_ci_low", "firth_ci_high"]].to_numpy(dtype=float)
    return [f"; Firth {h:.1f} ({low:.1f}–{high:.0f})" for h, low, high in numbers]


def _text(row: Any) -> str:
    if np.isnan(row.low):
        return "1 (reference)"
    if np.isinf(row.high):
        # No finite estimate: complete separation.
        return ("infinite" if np.isinf(row.hr) else "0, no finite estimate") + row.firth
    p = getattr(row, "p", float("nan"))
    said = "" if np.isnan(p) else "  p < 0.001" if p < 0.001 else f"  p = {p:.3f}"
    return f"{row.hr:.2f} ({row.low:.2f}–{row.high:.2f}){said}"


def hazard_ratios(
    table: Any,
    *,
    model: str | None = None,
    ax: Axes | None = None,
    xlabel: str = "",
) -> Axes:
    """Draw each hazard ratio with its interval, on a log scale, reference levels at 1.

    Parameters
    ----------
    table : CoxTable, or DataFrame
        From :func:`~sarcfeat.evaluate.cox_table`, or a fitted model's ``summary_``.
    model : {"multivariable", "univariable", "firth"}, optional
        Which ratios of a ``CoxTable``; the multivariable where there are any.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    xlabel : str
        Name of the axis.

    Returns
    -------
    Axes
        A ratio without a finite estimate is said in words and has no dot; the table's
        notes (fewer than ten events a variable) stand below the axis.

    Raises
    ------
    InvalidInput
        No table of hazard ratios, or none of that model.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> table = pd.DataFrame({"variable": ["size"], "hr": [2.1], "ci_low": [1.3],
    ...                       "ci_high": [3.3], "p": [0.002]})
    >>> ax = hazard_ratios(table)
    >>> ax.texts[0].get_text()
    '2.10 (1.30–3.30)  p = 0.002'
    >>> plt.close(ax.figure)
    """
    rows, which = _rows(table, model)
    if rows.empty:
        raise InvalidInput(f"The table has no {which or 'known'} hazard ratio.")
    attrs = getattr(getattr(table, "table", table), "attrs", {})
    own = attrs.get("notes", getattr(table, "notes", []))
    whose = "Alone" if which == "univariable" else "of the"
    notes = [n for n in own if "events per" in n and whose in n]
    n = len(rows)
    ax = new_axes((7.4, 1.3 + 0.42 * n + 0.3 * len(notes))) if ax is None else ax
    ax.set_xscale("log")
    ax.axvline(1, color=GREY, lw=1, ls="--", zorder=0)
    finite = rows[np.isfinite(rows["high"]) & rows["low"].notna()]
    at = finite.index.to_numpy()
    ax.hlines(at, finite["low"], finite["high"], color=COLOURS[0], lw=2)
    ax.plot(finite["hr"], at, "s", color=COLOURS[0], ms=6)
    reference = rows[rows["low"].isna()]
    ax.plot(reference["hr"], reference.index, "s", mfc="white", mec=GREY, ms=6)
    for row in rows.itertuples():
        ax.annotate(
            _text(row),
            (1.02, row.Index),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            fontsize=TEXT,
            annotation_clip=False,
        )
    _ticks(ax, finite)
    ax.set_ylim(n - 0.5, -0.5)
    ax.set_yticks(np.arange(n), rows["label"])
    ends = "\n".join(_folded(note) for note in notes)
    level = f"({100 * float(attrs.get('level', 0.95)):g} % CI)"
    name = xlabel or f"Hazard ratio{', ' if which else ''}{which} {level}"
    ax.set_xlabel(f"{name}\n{ends}" if ends else name)
    quiet(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def _folded(note: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(note, 70))


def _ticks(ax: Axes, finite: pd.DataFrame) -> None:
    """Place ticks at 0.5, 1, 2, … over what is drawn, written out in full."""
    from matplotlib.ticker import NullLocator

    ends = np.r_[1.0, finite[["hr", "low", "high"]].to_numpy(dtype=float).ravel()]
    ends = ends[np.isfinite(ends) & (ends > 0)]
    low = max(ends.min() / 1.15, 10**-_WIDEST)
    high = min(ends.max() * 1.15, 10**_WIDEST)
    ax.set_xlim(low, high)
    wide = np.log10(high / low)
    steps = (1.0,) if wide > 2.5 else (1.0, 3.0) if wide > 1.3 else (1.0, 2.0, 5.0)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [s * 10.0**k for k in powers for s in steps if low <= s * 10.0**k <= high]
    if len(ticks) < 3:
        ticks = [
            t for t in (0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2) if low <= t <= high
        ]
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
