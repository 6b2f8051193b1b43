"""Features of a lesion from a picture net: ResNet-18, ResNet-50, DenseNet-121."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.encoders.deep import DeepEncoder
from sarcfeat.encoders.lesion_pictures import lesion_slices
from sarcfeat.encoders.region import Region

__all__ = ["CNN2D"]

Floats = npt.NDArray[np.float64]

# What the published ImageNet weights were trained on: mean and standard deviation of
# the red, green and blue values in 0…1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)


class CNN2D(DeepEncoder):
    """Features of a lesion as a net trained on photographs sees it, slice by slice.

    A slice is a plane of the file's third axis. It is cut to the square around the
    lesion's outline, brought to `size` pixels, its grey values to 0…1, normalised as
    ImageNet's photographs were (mean 0.485, 0.456, 0.406; SD 0.229, 0.224, 0.225), and
    shown to the net; the features are its penultimate layer.

    Parameters
    ----------
    arch : {"resnet18", "resnet50", "densenet121"}
        512, 2,048 or 1,024 features.
    weights : path, "random" or None
        A state dict as torchvision publishes it (``.safetensors`` or ``.pth``); None:
        what ``SARCFEAT_WEIGHTS`` says (a file or a folder). ``"random"`` has learned
        nothing and is there to try things out: reports say so. Nothing is downloaded.
    random_state : int, optional
        With ``weights="random"``: the same number gives the same weights.
    slices : {"middle", "largest", "all"}
        The slice half way up the lesion, the one with most of it, or every one.
    pooling : {"mean", "max"}
        How the features of all slices become one vector.
    channels : {"grey", "neighbours", "phases"}
        What the net's three colours are: the slice three times; the slices below, at
        and above; or three phases of one examination, given to :meth:`encode` as three
        paths. In a store each phase is encoded by itself (``grey``), which gives
        512 × 3 = 1,536 features side by side, as the leiomyosarcoma system has them.
    size : int
        Pixels of the square.
    margin : float
        Tissue shown around the lesion, in mm.
    masked : bool
        Paint everything but the lesion black.
    window : (low, high), optional
        Grey values that become 0 and 1 (HU for CT); default: the range of the lesion.
    preprocess : Preprocess, list or path, optional
        Steps before all this; see :class:`~sarcfeat.encoders.Preprocess`.
    precision : {"auto", "float32", "bfloat16"}
        ``auto`` takes bfloat16 where the machine computes it and the features agree
        (cosine at least 0.999, in :attr:`notes`). What was taken is in the fingerprint.
    device : str
        ``auto`` takes the GPU where there is one.
    batch_size : int
        Pictures through a GPU at a time.
    label : int
        Which number in the mask is the lesion, unless :meth:`encode` is told.
    name : str, optional
        Name of the feature set; default `arch`.

    Attributes
    ----------
    notes : list of str
        What a report must say: random weights, precision.

    Notes
    -----
    The width is fixed: a feature that is 0 for everybody (a dead unit) stays, because
    which ones are dead can only be seen on a cohort. Put
    :class:`~sarcfeat.transform.DropConstant` in the pipeline: it learns them from the
    training fold and lists them in ``dropped_``.

    On a CPU the values are the same bits for any number of jobs.

    References
    ----------
    He K et al. Deep residual learning for image recognition. CVPR 2016.

    Examples
    --------
    >>> encoder = CNN2D("resnet18", weights="random", random_state=0)
    >>> encoder
    <CNN2D 'resnet18': random weights, 512 features>
    >>> encoder.feature_names[:2]
    ['f0001', 'f0002']
    """

    _WIDTHS = {"densenet121": 1024, "resnet18": 512, "resnet50": 2048}  # noqa: RUF012
    _DIMS = 2

    def __init__(
        self,
        arch: str = "resnet18",
        *,
        weights: str | PathLike[str] | None = None,
        random_state: int | None = None,
        slices: str = "middle",
        pooling: str = "mean",
        channels: str = "grey",
        size: int = 224,
        margin: float = 0.0,
        masked: bool = False,
        window: tuple[float, float] | None = None,
        preprocess: Any = None,
        precision: str = "auto",
        device: str = "auto",
        batch_size: int = 16,
        label: int = 1,
        name: str | None = None,
    ) -> None:
        self.slices = pick(slices, ("middle", "largest", "all"), "choice of slices")
        self.pooling = pick(pooling, ("mean", "max"), "pooling")
        self.channels = pick(channels, ("grey", "neighbours", "phases"), "channels")
        super().__init__(
            arch,
            weights=weights,
            random_state=random_state,
            channels=3,
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
        if self.channels == "phases":
            return 3, (
                "A store encodes each sequence by itself: use channels='grey' there, "
                "and take the phases side by side in store.matrix."
            )
        return 1, "Encode each image by itself, or pass channels='phases'."

    def _own_params(self) -> dict[str, Any]:
        return {
            "slices": self.slices,
            "pooling": self.pooling if self.slices == "all" else None,
            "channels": self.channels,
            "mean": list(IMAGENET_MEAN),
            "sd": list(IMAGENET_SD),
        }

    def _pictures(self, arrays: list[Floats], region: Region) -> Floats:
        pictures = lesion_slices(
            arrays,
            region.inside,
            region.image.GetSpacing(),
            slices=self.slices,
            channels=self.channels,
            size=self.size,
            margin=self.margin,
            masked=self.masked,
            window=self.window,
        )
        mean, sd = (np.reshape(v, (3, 1, 1)) for v in (IMAGENET_MEAN, IMAGENET_SD))
        pictures -= mean
        pictures /= sd
        return pictures

    def _pool(self, layer: Floats) -> Floats:
        return layer.mean(axis=0) if self.pooling == "mean" else layer.max(axis=0)
