"""One row for each patient at risk at each landmark time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput

__all__ = ["landmark_rows"]


def landmark_rows(
    patient: npt.ArrayLike,
    measured: npt.ArrayLike,
    time: npt.ArrayLike,
    landmarks: Sequence[float],
) -> pd.DataFrame:
    """Choose the rows that describe each patient at risk at each landmark.

    Parameters
    ----------
    patient : array-like of shape (n_rows,)
        Whom a row belongs to.
    measured : array-like of float, shape (n_rows,)
        When its values became known.
    time : array-like of float, shape (n_rows,)
        The patient's event or end of follow-up.
    landmarks : sequence of float

    Returns
    -------
    DataFrame
        ``row`` (number of the row in use: the last one measured by then),
        ``landmark``; one for each patient still at risk then.

    Raises
    ------
    InvalidInput
        The rows of a patient disagree on when he was followed.

    Examples
    --------
    >>> landmark_rows(["a", "a", "b"], [0, 5, 0], [20, 20, 8], [0, 10])
       row  landmark
    0    0       0.0
    1    2       0.0
    2    1      10.0
    """
    frame = pd.DataFrame(
        {
            "patient": np.asarray(patient),
            "measured": np.asarray(measured, dtype=float),
            "time": np.asarray(time, dtype=float),
        }
    )
    ends = frame.groupby("patient")["time"].nunique()
    if (ends > 1).any():
        name = ends.index[ends > 1][0]
        found = sorted(frame.loc[frame["patient"] == name, "time"].unique().tolist())
        raise InvalidInput(
            f"The rows of patient {name} end at different times: {found}. Give every "
            "row the patient's own event and end of follow-up; the landmarks cut them."
        )
    order = frame.sort_values(["measured"], kind="stable")
    parts = []
    for landmark in landmarks:
        known = order[(order["measured"] <= landmark) & (order["time"] > landmark)]
        last = known.groupby("patient", sort=False).tail(1).index.to_numpy()
        rows = np.sort(last)
        parts.append(pd.DataFrame({"row": rows, "landmark": float(landmark)}))
    return pd.concat(parts, ignore_index=True)
