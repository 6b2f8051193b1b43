"""Nets: modules, survival losses and the one training loop; all that imports torch.

The estimators and encoders that need torch import this stage when they are used, never
when they are imported.
"""

from sarcfeat._validation import missing_dependency

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise missing_dependency("torch", "deep") from error

from sarcfeat.nets.attention import (
    AttentionPool,
    BagNet,
    MeanPool,
    QueryPool,
    Ragged,
    TileStream,
)
from sarcfeat.nets.bags import Bags, bytes_per_tile
from sarcfeat.nets.batches import event_balanced, shuffled
from sarcfeat.nets.data import Arrays, Data, predict
from sarcfeat.nets.densenet import densenet121
from sarcfeat.nets.losses import (
    CoxLoss,
    LogisticHazardLoss,
    Loss,
    hazard_cuts,
    survival_of_hazard,
)
from sarcfeat.nets.recipe import Recipe
from sarcfeat.nets.resnet import resnet
from sarcfeat.nets.train import Epoch, Trained, fit
from sarcfeat.nets.weights import (
    draw_weights,
    load_net,
    load_weights,
    monai_keys,
    read_weights,
    save_net,
)

__all__ = [
    "Arrays",
    "AttentionPool",
    "BagNet",
    "Bags",
    "CoxLoss",
    "Data",
    "Epoch",
    "LogisticHazardLoss",
    "Loss",
    "MeanPool",
    "QueryPool",
    "Ragged",
    "Recipe",
    "TileStream",
    "Trained",
    "bytes_per_tile",
    "densenet121",
    "draw_weights",
    "event_balanced",
    "fit",
    "hazard_cuts",
    "load_net",
    "load_weights",
    "monai_keys",
    "predict",
    "read_weights",
    "resnet",
    "save_net",
    "shuffled",
    "survival_of_hazard",
]
