"""ResNet-18 and ResNet-50 for pictures, laid out as torchvision's."""

from __future__ import annotations

from typing import Any

from sarcfeat._validation import missing_dependency, pick

__all__ = ["resnet"]

_DEPTHS = ("resnet18", "resnet50")


def resnet(name: str, *, channels: int = 3, n_outputs: int | None = None) -> Any:
    """Build a two-dimensional ResNet whose weights are named as torchvision's.

    MONAI's own defaults are those of a three-dimensional ResNet and do not match:
    here the first convolution steps by 2 and the shortcuts carry no bias.

    Parameters
    ----------
    name : {"resnet18", "resnet50"}
    channels : int
        Channels of a picture.
    n_outputs : int, optional
        Width of the last layer; without it the net ends at the penultimate one (512
        or 2,048 numbers, averaged over the picture).

    Returns
    -------
    torch.nn.Module
        Takes (batch, channels, height, width).

    References
    ----------
    He K et al. Deep residual learning for image recognition. CVPR 2016.

    Examples
    --------
    >>> net = resnet("resnet18", n_outputs=1000)
    >>> sum(p.numel() for p in net.parameters())
    11689512
    """
    pick(name, _DEPTHS, "ResNet")
    try:
        from monai.networks import nets
    except ImportError as error:
        raise missing_dependency("monai", "deep") from error
    return getattr(nets, name)(
        spatial_dims=2,
        n_input_channels=channels,
        conv1_t_stride=2,
        bias_downsample=False,
        shortcut_type="B",
        feed_forward=n_outputs is not None,
        num_classes=n_outputs or 1,
    )
