"""What an encoder is, and what it gives back: one named vector per item."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput

__all__ = ["Encoded", "Encoder"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """The features of one lesion on one image.

    Parameters
    ----------
    names : list of str
        Feature names, in an order that depends on the encoder's parameters only.
    values : ndarray of float64, shape (n_features,)
        One value per name; NaN where a feature is undefined (`warnings` names it).
    warnings : list of str
        What a reader of the numbers should know, in plain sentences.

    Examples
    --------
    >>> encoded = Encoded(["original_firstorder_Mean"], np.array([3.5]))
    >>> encoded.to_series()["original_firstorder_Mean"]
    np.float64(3.5)
    """

    names: list[str]
    values: npt.NDArray[np.float64]
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.names) != len(self.values):
            raise InvalidInput(
                f"{len(self.names)} names for {len(self.values)} values; "
                "expected one value per name."
            )

    def to_series(self) -> pd.Series:
        """Return the values as a Series indexed by feature name."""
        return pd.Series(self.values, index=self.names, dtype="float64")


@runtime_checkable
class Encoder(Protocol):
    """What the store asks of an encoder; :class:`Radiomics` is one."""

    name: str

    @property
    def version(self) -> str:
        """Versions of the libraries whose change could change a value."""
        ...

    @property
    def params(self) -> dict[str, Any]:
        """Everything that decides the values, as plain JSON types."""
        ...

    @property
    def feature_names(self) -> list[str] | None:
        """Names known before running, in the order of the values."""
        ...

    def fingerprint(self) -> dict[str, Any]:
        """Identity of the encoder: name, version, params, weights_sha256, code."""
        ...

    def encode(
        self,
        image_path: str | PathLike[str],
        mask_path: str | PathLike[str],
        *,
        label: int | None = None,
    ) -> Encoded:
        """Turn one image and one mask into one vector."""
        ...

    def describe_feature(self, name: str) -> dict[str, str | None]:
        """Say what a feature is: image_filter, family, ibsi, unit."""
        ...
