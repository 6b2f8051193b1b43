"""Units that change between hospitals: a distribution that lies a power of ten off."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import UnitMismatch

__all__ = ["Alarm", "scale_alarms", "warn_scales"]

LEAST_PATIENTS = 8
SAMPLE = 24
NEAR = 0.15
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


def warn_scales(X: pd.DataFrame, batch: str = "site") -> list[str]:
    """Warn of features whose units seem to differ between batches; return the notes."""
    alarms = scale_alarms(X, batch)
    if not alarms:
        return []
    names = {alarm.feature for alarm in alarms}
    text = (
        f"{len(names)} features differ by a power of ten between values of {batch!r}, "
        f"as if in other units: {listed(alarms, 3)}. Bring them to one unit before "
        "anything is fitted; harmonisation would only hide it."
    )
    warnings.warn(text, UnitMismatch, stacklevel=4)
    return [text]


def scale_alarms(X: pd.DataFrame, batch: str = "site") -> list[Alarm]:
    """Find the features whose distribution is 10^k times that of another batch.

    Medians of log10 of the absolute values differ by a whole number (±0.15), the
    ranges from the 10th to the 90th percentile do not touch, and they are about
    equally wide. Batches of fewer than 8 patients are left out.
    """
    sites = X[batch].astype(str).to_numpy()
    names, counts = np.unique(sites, return_counts=True)
    large = names[counts >= LEAST_PATIENTS]
    if len(large) < 2:
        return []
    reference = str(names[np.argmax(counts)])
    rows = {str(site): np.flatnonzero(sites == site) for site in large}
    numeric = [name for name, kind in X.dtypes.items() if kind == np.float64]
    values = X[numeric].to_numpy()
    # A few patients of each batch tell which columns are worth a closer look.
    some = {
        site: at[np.linspace(0, len(at) - 1, min(SAMPLE, len(at))).astype(int)]
        for site, at in rows.items()
    }
    medians = np.array([_quantiles(values[at])[1] for at in some.values()])
    spread = np.fmax.reduce(medians, axis=0) - np.fmin.reduce(medians, axis=0)
    alarms = []
    for column in np.flatnonzero(spread >= 1 - 4 * NEAR):
        held = {site: _quantiles(values[at, column, None]) for site, at in rows.items()}
        for site in rows:
            power = _power(held[site][:, 0], held[reference][:, 0])
            if power:
                here, there = 10 ** held[site][1, 0], 10 ** held[reference][1, 0]
                name = str(numeric[column])
                alarms.append(Alarm(name, site, reference, power, here, there))
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
