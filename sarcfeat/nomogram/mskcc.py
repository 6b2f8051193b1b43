"""The two nomograms of Memorial Sloan Kettering for sarcoma, exactly as published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.nomogram.published import PublishedNomogram, cubic_above

__all__ = ["MSKCC2002", "MSKCC2003"]

Floats = npt.NDArray[np.float64]


def _by_size(size_cm: Floats, middle: float, large: float, small: float) -> Floats:
    """Return the effect of size: up to 5 cm, over 5 to 10 cm, over 10 cm."""
    return np.select([size_cm <= 5, size_cm <= 10], [small, middle], large)


class MSKCC2002(PublishedNomogram):
    """Death of sarcoma by 12 years after surgery of a primary sarcoma (Kattan 2002).

    Inputs: ``age`` (years), ``size`` (largest diameter, cm), ``depth``, ``location``,
    ``histology`` and ``grade`` with the levels of ``effects``. ``predict`` is the
    probability of death of sarcoma by 12 years, between 0 and 1; higher is worse.
    It is meant for adults after complete resection of a localised primary sarcoma;
    `outside_population` marks who is not.

    Parameters
    ----------
    columns : mapping, optional
        Input → column of X; see :class:`PublishedNomogram`.
    levels : mapping, optional
        Input → words of X → levels of the nomogram.

    Attributes
    ----------
    columns_ : dict
        Input → column of X.

    References
    ----------
    Kattan MW, Leung DHY, Brennan MF. J Clin Oncol 2002;20:791-796. Coefficients as in
    the calculator of the Cleveland Clinic (ClevelandClinicQHS/riskcalc-website); they
    agree with the printed points at 60.05 points per unit.

    Examples
    --------
    >>> X = pd.DataFrame(
    ...     {"age": [60, 60], "size": [12, 12], "depth": "deep",
    ...      "location": "lower extremity", "histology": "mfh",
    ...      "grade": ["high", "low"]},
    ...     index=["P1", "P2"],
    ... )
    >>> MSKCC2002().fit(X).predict(X).round(3)
    array([0.619, 0.275])
    """

    numbers: ClassVar[Mapping[str, str]] = {"age": "years", "size": "cm"}
    effects: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "depth": {"deep": 0.0, "superficial": -0.48941318},
        "location": {
            "head and neck": 0.0,
            "lower extremity": -0.92503872,
            "retro-intra-abdominal": -0.36490333,
            "trunk": -0.50206697,
            "upper extremity": -1.0290006,
            "visceral": -0.57383052,
        },
        "histology": {
            "other": 0.0,
            "fibrosarcoma": -1.1026615,
            "leiomyosarcoma": -0.095052484,
            "liposarcoma": -0.44073869,
            "mfh": -0.24425099,
            "mpnst": 0.56271564,
            "synovial": 0.081272466,
        },
        # The grade chooses the baseline and adds nothing to the linear predictor.
        "grade": {"high": 0.0, "low": 0.0},
    }
    times_: ClassVar[tuple[float, ...]] = (12.0,)
    source: ClassVar[str] = "Kattan 2002, J Clin Oncol 20:791"
    baseline: ClassVar[Mapping[str, float]] = {"high": 0.5875453, "low": 0.8373887}

    def _linear_predictor(self, X: pd.DataFrame) -> Floats:
        size = _by_size(self._number("size", X), 0.0, 0.43366449, -0.73661411)
        # The spline is defined from 10 to 100 years; it is flat beyond them.
        log_age = np.log(np.clip(self._number("age", X), 10.0, 100.0))
        age = (
            0.29697501 * log_age
            + 0.4606532 * cubic_above(log_age, 3.2833593)
            - 1.2313568 * cubic_above(log_age, 3.925628)
            + 0.77070362 * cubic_above(log_age, 4.3095151)
        )
        named = (self._effect(n, X) for n in ("depth", "location", "histology"))
        return -0.12440647 + size + age + np.sum(list(named), axis=0)

    def _baseline(self, X: pd.DataFrame) -> Floats:
        grades = self._level("grade", X)
        return np.array([[self.baseline[grade]] for grade in grades], dtype=float)

    def outside_population(self, X: pd.DataFrame) -> pd.Series:
        """Return, for each patient, why the nomogram was not made for them, or "".

        The nomogram was made on adults (16 years and over, none above 100).
        """
        age = self._number("age", self._checked(X))
        reasons = np.where(age < 16, "younger than 16 years", "")
        reasons = np.where(age > 100, "older than 100 years", reasons)
        return pd.Series(reasons, index=X.index, name="outside_population")


class MSKCC2003(PublishedNomogram):
    """Death of sarcoma by 1, 2 and 3 years after a local recurrence (Kattan 2003).

    Inputs: ``age`` (years at recurrence), ``size`` (cm), ``depth``, ``location``,
    ``histology`` and ``grade``. ``predict`` is the probability of death of sarcoma by
    3 years; higher is worse. Its coefficients have one source only.

    Parameters
    ----------
    columns : mapping, optional
        Input → column of X; see :class:`PublishedNomogram`.
    levels : mapping, optional
        Input → words of X → levels of the nomogram.

    Attributes
    ----------
    columns_ : dict
        Input → column of X.

    References
    ----------
    Kattan MW, Heller G, Brennan MF. Stat Med 2003;22:3515-3525; coefficients as in the
    calculator of the Cleveland Clinic (ClevelandClinicQHS/riskcalc-website).

    Examples
    --------
    >>> X = pd.DataFrame(
    ...     {"age": [60], "size": [12], "depth": "deep", "location": "trunk",
    ...      "histology": "synovial", "grade": "high"}, index=["P1"],
    ... )
    >>> MSKCC2003().fit(X).predict_probability(X).columns.tolist()
    [1.0, 2.0, 3.0]
    """

    numbers: ClassVar[Mapping[str, str]] = {"age": "years", "size": "cm"}
    effects: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "depth": {"deep": 0.0, "superficial": -0.25283017},
        "location": {
            "head and neck": 0.0,
            "lower extremity": -0.96487627,
            "retro-intra-abdominal": -0.45219689,
            "trunk": -0.55362894,
            "upper extremity": -1.0460627,
            "visceral": -0.19709084,
        },
        "histology": {
            "fibrosarcoma": 0.0,
            "leiomyosarcoma": 1.256304,
            "liposarcoma": 0.86376689,
            "mfh": 0.84095501,
            "mpnst": 2.0887329,
            "other": 1.2993295,
            "synovial": 1.7930444,
        },
        "grade": {"high": 0.0, "low": -0.96882638},
    }
    times_: ClassVar[tuple[float, ...]] = (1.0, 2.0, 3.0)
    source: ClassVar[str] = "Kattan 2003, Stat Med 22:3515"
    baseline: ClassVar[tuple[float, ...]] = (0.9779854, 0.9512977, 0.9390208)

    def _linear_predictor(self, X: pd.DataFrame) -> Floats:
        years = self._number("age", X)
        age = (
            0.024251435 * years
            - 0.0000052683762 * cubic_above(years, 27.80384)
            + 0.000013633246 * cubic_above(years, 57.8137)
            - 0.0000083648697 * cubic_above(years, 76.71456)
        )
        size = _by_size(self._number("size", X), 0.74191358, 1.3331259, 0.0)
        named = (self._effect(name, X) for name in self.effects)
        return age + size + np.sum(list(named), axis=0)

    def _baseline(self, X: pd.DataFrame) -> Floats:
        return np.tile(np.array(self.baseline), (len(X), 1))
