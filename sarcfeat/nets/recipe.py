"""How a net is trained: every choice in one place, as plain JSON values."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput

__all__ = ["Recipe"]

_CHOICES = {
    "optimizer": ("adamw", "adam", "sgd"),
    "schedule": ("constant", "cosine", "onecycle"),
    "precision": ("float32", "bfloat16"),
}

# One cycle, as Smith & Topin and torch's OneCycleLR: up for 30 %, from 1/25, to ~0.
_RISE, _FROM, _TO = 0.3, 1 / 25, 1e-5


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training run.

    Parameters
    ----------
    epochs : int
        Times that each patient is seen, at most.
    batch_size : int
        Patients in memory at a time; decides memory, and what batch normalisation
        sees.
    step_size : int, optional
        Patients per step of the optimiser; default everybody, one step an epoch. The
        gradient of a step is the same however many batches it is accumulated over;
        that of everybody is the likelihood's own, with fewer the rest of the risk sets
        is as it was predicted last.
    balanced : bool
        Spread the events evenly over batches and steps.
    optimizer : {"adamw", "adam", "sgd"}
        ``sgd`` is with Nesterov momentum.
    lr, weight_decay, momentum : float
        Learning rate (the highest one of a schedule), decay, momentum of ``sgd``.
    schedule : {"constant", "cosine", "onecycle"}
        How the learning rate moves over the whole run.
    clip : float, optional
        Largest norm of a gradient.
    patience : int, optional
        Stop after this many epochs without a better validation loss.
    device : str
        ``auto`` takes the GPU where there is one.
    precision : {"float32", "bfloat16"}
        ``bfloat16`` computes the net in mixed precision; the loss is always double.
    deterministic : bool
        Ask the GPU for algorithms that give the same bits (the CPU's always do).
    random_state : int
        Same number, same bits, whatever was trained before.

    Examples
    --------
    >>> Recipe(schedule="cosine", lr=0.1).rate(0.5)
    0.05
    """

    epochs: int = 100
    batch_size: int = 32
    step_size: int | None = None
    balanced: bool = True
    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.9
    schedule: str = "constant"
    clip: float | None = None
    patience: int | None = None
    device: str = "auto"
    precision: str = "float32"
    deterministic: bool = True
    random_state: int = 0

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            pick(getattr(self, name), known, name)
        for name in ("epochs", "batch_size", "step_size", "patience"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise InvalidInput(f"{name} is {value!r}; expected a count from 1.")
        if not self.lr > 0:
            raise InvalidInput(f"lr is {self.lr!r}; expected a number above 0.")

    def rate(self, progress: float) -> float:
        """Return the learning rate when `progress` (0 to 1) of the run is done."""
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * progress)) / 2
        if self.schedule == "onecycle":
            return self.lr * _one_cycle(progress)
        return self.lr

    def mark(self) -> dict[str, Any]:
        """Return what decides the weights, for a checkpoint to be held against."""
        told = asdict(self)
        del told["device"]
        return told


def _one_cycle(progress: float) -> float:
    if progress < _RISE:
        low, share = _FROM, 1 - progress / _RISE
    else:
        low, share = _TO * _FROM, (progress - _RISE) / (1 - _RISE)
    return low + (1 - low) * (1 + math.cos(math.pi * share)) / 2
