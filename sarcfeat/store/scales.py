"""Units that change between hospitals: a distribution that lies a power of ten off."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import UnitMismatch

__all__ = ["Alarm", "scale_alarms", "warn_scales"]

LEAST_PATIENTS = 8
SAMPLE = 24
NEAR = 0.15
SCREEN = 0.5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Alarm:
    """A feature that is a power of ten larger or smaller in one batch.

    Attributes
    ----------
    feature, batch, reference : str
        The reference is the batch with the most patients.
    power : int
        Of ten: 1 for mm where the others have cm.
    median, reference_median : float
        Of the absolute values.
    """

    feature: str
    batch: str
    reference: str
    power: int
    median: float
    reference_median: float

    def __str__(self) -> str:
        """Return it in words."""
        return (
            f"{self.feature} is ×1e{self.power} at {self.batch} (median "
            f"{self.median:.3g}) compared with {self.reference} "
            f"({self.reference_median:.3g})"
        )


def warn_scales(
    batch: pd.Series[Any], names: Sequence[str], values: Floats
) -> list[str]:
    """Warn of features whose units seem to differ between batches; return the notes."""
    alarms = scale_alarms(batch, names, values)
    if not alarms:
        return []
    n = len({alarm.feature for alarm in alarms})
    text = (
        f"{n} features differ by a power of ten between values of {batch.name!r}, as "
        f"if in other units: {listed(alarms, 3)}. Bring them to one unit before "
        "anything is fitted; harmonisation would only hide it."
    )
    warnings.warn(text, UnitMismatch, stacklevel=4)
    return [text]


def scale_alarms(
    batch: pd.Series[Any], names: Sequence[str], values: Floats
) -> list[Alarm]:
    """Find the features whose distribution is 10^k times that of another batch.

    Medians of log10 of the absolute values differ by a whole number (±0.15), the
    ranges from the 10th to the 90th percentile do not touch, and they are about
    equally wide. Batches of fewer than 8 patients are left out.
    """
    sites = batch.astype(str).to_numpy()
    known, counts = np.unique(sites, return_counts=True)
    large = [str(site) for site in known[counts >= LEAST_PATIENTS]]
    if len(large) < 2:
        return []
    reference = str(known[np.argmax(counts)])
    rows = {site: np.flatnonzero(sites == site) for site in large}
    # A few patients of each batch tell which columns are worth a closer look.
    some = [
        at[np.linspace(0, len(at) - 1, min(SAMPLE, len(at))).astype(int)]
        for at in rows.values()
    ]
    medians = np.array([_quantiles(values[at])[1] for at in some])
    spread = np.fmax.reduce(medians, axis=0) - np.fmin.reduce(medians, axis=0)
    suspects = np.flatnonzero(spread >= SCREEN)
    held = {site: _quantiles(values[np.ix_(at, suspects)]) for site, at in rows.items()}
    alarms = []
    for at, column in enumerate(suspects):
        there = held[reference][:, at]
        for site in large:
            here = held[site][:, at]
            power = _power(here, there)
            if power:
                sizes = float(10 ** here[1]), float(10 ** there[1])
                alarms.append(
                    Alarm(str(names[int(column)]), site, reference, power, *sizes)
                )
    return alarms


def _quantiles(values: Floats) -> Floats:
    """Return the 10th, 50th and 90th percentile of log10 |x|; NaN without values."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        logs = np.log10(np.where(size > 0, size, np.nan))
    logs = np.where(np.isfinite(logs), logs, np.nan)
    ordered = np.sort(logs, axis=0)
    known = np.isfinite(ordered).sum(axis=0)
    last = np.maximum(known - 1, 0)
    at = np.rint(np.array([0.1, 0.5, 0.9])[:, None] * last).astype(int)
    found: Floats = np.take_along_axis(ordered, at, axis=0)
    found[:, known < LEAST_PATIENTS] = np.nan
    return found


def _power(here: Floats, there: Floats) -> int:
    """Return k where one distribution is 10^k times the other, else 0."""
    shift = here[1] - there[1]
    if not np.isfinite(shift):
        return 0
    power = int(np.rint(shift))
    apart = here[0] > there[2] or here[2] < there[0]
    widths = here[2] - here[0], there[2] - there[0]
    alike = abs(widths[0] - widths[1]) <= 0.5 * max(widths) + 0.1
    return power if apart and alike and abs(shift - power) <= NEAR else 0
