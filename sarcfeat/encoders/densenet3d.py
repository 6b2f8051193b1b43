"""Features of a lesion from a volume net: DenseNet-121 in three dimensions."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.encoders.deep import DeepEncoder
from sarcfeat.encoders.lesion_pictures import lesion_box
from sarcfeat.encoders.region import Region
from sarcfeat.exceptions import InvalidInput

__all__ = ["DenseNet3D"]

Floats = npt.NDArray[np.float64]


class DenseNet3D(DeepEncoder):
    """Features of a lesion in three dimensions, from one or two sequences at once.

    The lesion is masked, cut to its box and brought to a cube of `size`³, its grey
    values to 0…1; the features are the 1,024 of the net's penultimate layer.

    Parameters
    ----------
    arch : {"densenet121"}
    channels : int
        Sequences that are looked at together (2: T1 and T2). :meth:`encode` takes as
        many paths. A store encodes each sequence by itself: use ``channels=1`` there,
        or hand it what :meth:`encode_many` gives (see the notes).
    weights : path, "random" or None
        A state dict of this net with its keys named as torchvision's DenseNet-121 or
        as MONAI's; None: what ``SARCFEAT_WEIGHTS`` says.
    random_state : int, optional
        With ``weights="random"``.
    size : int
        Voxels along each side of the cube.
    margin, masked, window, preprocess, precision, device, batch_size, label, name
        As of :class:`~sarcfeat.encoders.CNN2D`; here `masked` is True by default.

    Notes
    -----
    Two sequences at once belong to no single image of a store. They enter it as a
    table: ``found = encoder.encode_many(items)``, a frame of ``found[i].to_series()``
    with a column ``patient``, and
    ``store.import_features(frame, extractor=name, format="wide")``.

    References
    ----------
    Huang G et al. Densely connected convolutional networks. CVPR 2017; the image
    branch of Bozzo et al., 2024 (T1 and T2 of a sarcoma, masked, cropped, 64³).

    Examples
    --------
    >>> DenseNet3D(weights="random", random_state=0)
    <DenseNet3D 'densenet121': random weights, 1024 features>
    """

    _WIDTHS = {"densenet121": 1024}  # noqa: RUF012
    _DIMS = 3

    def __init__(
        self,
        arch: str = "densenet121",
        *,
        channels: int = 2,
        weights: str | PathLike[str] | None = None,
        random_state: int | None = None,
        size: int = 64,
        margin: float = 0.0,
        masked: bool = True,
        window: tuple[float, float] | None = None,
        preprocess: Any = None,
        precision: str = "auto",
        device: str = "auto",
        batch_size: int = 4,
        label: int = 1,
        name: str | None = None,
    ) -> None:
        if not isinstance(channels, int) or channels < 1:
            raise InvalidInput(f"channels is {channels!r}; expected a count from 1.")
        self.channels = channels
        super().__init__(
            arch,
            weights=weights,
            random_state=random_state,
            channels=channels,
            size=size,
            margin=margin,
            masked=masked,
            window=window,
            preprocess=preprocess,
            precision=precision,
            device=device,
            batch_size=batch_size,
            label=label,
            name=name,
        )

    def _n_images(self) -> tuple[int, str]:
        return self.channels, (
            "Pass that many paths to encode; in a store, which encodes each sequence "
            "by itself, use channels=1, or import what encode_many gives."
        )

    def _own_params(self) -> dict[str, Any]:
        return {"channels": self.channels}

    def _pictures(self, arrays: list[Floats], region: Region) -> Floats:
        return lesion_box(
            arrays,
            region.inside,
            region.image.GetSpacing(),
            size=self.size,
            margin=self.margin,
            masked=self.masked,
            window=self.window,
        )[None]
