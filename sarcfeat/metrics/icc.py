"""Agreement between repeated readings: the intraclass correlation coefficient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import f as f_distribution

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput

__all__ = ["ICC", "icc"]

FORMS = ("ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)")


@dataclass(frozen=True)
class ICC:
    """Intraclass correlations with interval and F test, one value a feature.

    Every field but `k` is an array over the features (a number where one feature was
    given).

    Attributes
    ----------
    value, lower, upper : float or ndarray
        The coefficient and its confidence limits. Not clipped: a coefficient may be
        negative, and is NaN where nothing varies.
    n : int or ndarray of int
        Patients that have every reading of the feature.
    k : int
        Readings a patient.
    f, df1, df2, p : float or ndarray
        Test of the hypothesis that the coefficient is 0.
    """

    value: Any
    lower: Any
    upper: Any
    n: Any
    k: int
    f: Any
    df1: Any
    df2: Any
    p: Any


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of the two-way layout patients x readings, arrays over features."""

    rows: np.ndarray
    within: np.ndarray
    columns: np.ndarray
    error: np.ndarray
    n: np.ndarray
    k: int


def mean_squares(values: np.ndarray) -> MeanSquares:
    """Split the variation of readings into patients, readings and what is left.

    A patient without every (finite) reading of a feature is left out for that feature.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_readings, n_features)
    """
    k = values.shape[1]
    complete = np.isfinite(values).all(axis=1)
    n = complete.sum(axis=0)
    kept = np.where(complete[:, None, :], values, 0.0)
    # Differences are taken first, from one reading of the same patient and from one
    # patient, so that identical readings and constant features give exact zeros.
    first = np.take_along_axis(kept[:, 0, :], complete.argmax(axis=0)[None, :], axis=0)
    apart = kept - kept[:, :1, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(complete, kept[:, 0, :] - first, 0.0) + apart.mean(axis=1)
        rows = np.where(complete, level - level.sum(axis=0) / n, 0.0)
        inside = apart - apart.mean(axis=1, keepdims=True)
        shift = inside.sum(axis=0) / n
        left = np.where(complete[:, None, :], inside - shift, 0.0)
        return MeanSquares(
            rows=k * (rows**2).sum(axis=0) / (n - 1.0),
            within=(inside**2).sum(axis=(0, 1)) / (n * (k - 1.0)),
            columns=n * (shift**2).sum(axis=0) / (k - 1.0),
            error=(left**2).sum(axis=(0, 1)) / ((n - 1.0) * (k - 1.0)),
            n=n,
            k=k,
        )


def satterthwaite(ms: MeanSquares, single: np.ndarray) -> np.ndarray:
    """Return the degrees of freedom of the interval of an agreement coefficient.

    McGraw and Wong's ``v``, with both coefficients multiplied by ``1 - ICC`` so that it
    stays finite at perfect agreement.
    """
    a = ms.k * single / ms.n
    b = (1 - single) + ms.k * single * (ms.n - 1) / ms.n
    columns, error = a * ms.columns, b * ms.error
    below = columns**2 / (ms.k - 1) + error**2 / ((ms.n - 1) * (ms.k - 1))
    return (columns + error) ** 2 / below


def _ratio_form(
    ms: MeanSquares, noise: np.ndarray, df2: np.ndarray, tail: float, average: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value and limits of the one-way and the consistency coefficients."""
    df1 = ms.n - 1.0
    m = 1 if average else ms.k
    low = noise * f_distribution.ppf(1 - tail, df1, df2)
    high = noise / f_distribution.ppf(1 - tail, df2, df1)

    def coefficient(level: np.ndarray) -> np.ndarray:
        top = ms.rows - level
        return top / ms.rows if m == 1 else top / (ms.rows + (m - 1) * level)

    return coefficient(noise), coefficient(low), coefficient(high)


def _agreement_form(
    ms: MeanSquares, tail: float, average: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value and limits of ICC(A,1), stepped up to ICC(A,k) where asked."""
    n, k = ms.n, ms.k
    between = ms.columns - ms.error
    value = (ms.rows - ms.error) / (ms.rows + (k - 1) * ms.error + k * between / n)
    v = satterthwaite(ms, value)
    low = f_distribution.ppf(1 - tail, n - 1.0, v)
    high = f_distribution.ppf(1 - tail, v, n - 1.0)
    noise = k * ms.columns + (k * n - k - n) * ms.error
    lower = n * (ms.rows - low * ms.error) / (low * noise + n * ms.rows)
    upper = n * (high * ms.rows - ms.error) / (noise + n * high * ms.rows)
    perfect = (value == 1) & ~np.isfinite(v)
    lower, upper = np.where(perfect, 1.0, lower), np.where(perfect, 1.0, upper)
    if not average:
        return value, lower, upper
    stepped = (ms.rows - ms.error) / (ms.rows + between / n)
    return stepped, _spearman_brown(lower, k), _spearman_brown(upper, k)


def _spearman_brown(single: np.ndarray, k: int) -> np.ndarray:
    return k * single / (1 + (k - 1) * single)


def icc(values: Any, *, form: str = "ICC(A,1)", level: float = 0.95) -> ICC:
    """Say how far repeated readings of the same patients agree, feature by feature.

    Parameters
    ----------
    values : array-like, shape (n_patients, n_readings[, n_features])
        NaN (or infinity) where a reading is missing: the patient is then left out for
        that feature, and `n` counts those who stay.
    form : {"ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)"}
        McGraw and Wong's name: ``1`` one-way (readers differ from patient to patient),
        ``A`` two-way absolute agreement, ``C`` two-way consistency (a reader may be
        systematically higher); then one reading, or the mean of the `k` readings.
        Shrout and Fleiss call ICC(A,1) "2,1" and ICC(C,1) "3,1".
    level : float
        Level of the confidence interval.

    Returns
    -------
    ICC

    Raises
    ------
    InvalidInput
        Fewer than two readings, or an array of another shape.
    UnknownName
        `form` is none of the six.

    Notes
    -----
    Equal to R's irr and psych. Where these two differ the textbook is followed, as in
    psych: the F test has ``(n - 1)(k - 1)`` denominator degrees of freedom (irr takes
    those of the interval for agreement), and the interval of ICC(A,k) is that of
    ICC(A,1) stepped up by Spearman and Brown.

    References
    ----------
    McGraw KO, Wong SP. Forming inferences about some intraclass correlation
    coefficients. Psychol Methods 1996;1:30-46.

    Examples
    --------
    >>> first = [9, 6, 8, 7, 10, 6]
    >>> second = [2, 1, 4, 1, 5, 2]
    >>> agreement = icc(list(zip(first, second)), form="ICC(C,1)")
    >>> f"{agreement.value:.2f} ({agreement.lower:.2f} to {agreement.upper:.2f})"
    '0.75 (-0.02 to 0.96)'
    """
    pick(form, FORMS, "form of ICC")
    array = np.asarray(values, dtype=float)
    if array.ndim not in (2, 3) or array.shape[1] < 2:
        raise InvalidInput(
            "ICC needs an array (patients, readings) or (patients, readings, features) "
            f"with two readings or more; got shape {array.shape}."
        )
    if not 0 < level < 1:
        raise InvalidInput(f"level must lie between 0 and 1; got {level}.")
    kind, unit = re.findall(r"[1ACk]", form.removeprefix("ICC"))
    tail = (1 - level) / 2
    ms = mean_squares(array if array.ndim == 3 else array[:, :, None])
    noise = ms.within if kind == "1" else ms.error
    df1 = ms.n - 1.0
    df2 = ms.n * (ms.k - 1.0) if kind == "1" else df1 * (ms.k - 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "A":
            found = _agreement_form(ms, tail, unit == "k")
        else:
            found = _ratio_form(ms, noise, df2, tail, unit == "k")
        f = ms.rows / noise
    p = f_distribution.sf(f, df1, df2)
    fields = (*found, ms.n, f, df1, df2, p)
    if array.ndim == 2:
        fields = tuple(field[0].item() for field in fields)
    value, lower, upper, n, f, df1, df2, p = fields
    return ICC(value, lower, upper, n, ms.k, f, df1, df2, p)
