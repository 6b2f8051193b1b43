"""DenseNet-121 for pictures and for volumes."""

from __future__ import annotations

from typing import Any

from torch import nn

from sarcfeat._validation import missing_dependency

__all__ = ["densenet121"]


def densenet121(
    *,
    spatial_dims: int = 3,
    channels: int = 2,
    n_outputs: int | None = None,
    dropout: float = 0.0,
) -> Any:
    """Build a DenseNet-121: blocks of 6, 12, 24 and 16 layers, growth 32.

    Parameters
    ----------
    spatial_dims : {2, 3}
        Pictures or volumes.
    channels : int
        Channels of a picture, or sequences of a volume.
    n_outputs : int, optional
        Width of the last layer; without it the net ends at the penultimate one (1,024
        numbers after ReLU, averaged over the picture or volume).
    dropout : float
        Share of what each dense layer drops in training.

    Returns
    -------
    torch.nn.Module
        Takes (batch, channels, [depth,] height, width). In two dimensions the weights
        are torchvision's, up to the names of the keys
        (:func:`~sarcfeat.nets.monai_keys`).

    References
    ----------
    Huang G et al. Densely connected convolutional networks. CVPR 2017.

    Examples
    --------
    >>> net = densenet121(spatial_dims=2, channels=3, n_outputs=1000)
    >>> sum(p.numel() for p in net.parameters())
    7978856
    """
    try:
        from monai.networks.nets import DenseNet121
    except ImportError as error:
        raise missing_dependency("monai", "deep") from error
    net = DenseNet121(
        spatial_dims=spatial_dims,
        in_channels=channels,
        out_channels=n_outputs or 1,
        dropout_prob=dropout,
    )
    if n_outputs is None:
        net.class_layers.out = nn.Identity()
    return net
