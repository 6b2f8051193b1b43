"""Where a training run stands: one file, whole or not there, without pickle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sarcfeat.exceptions import InvalidInput
from sarcfeat.nets.recipe import Recipe
from sarcfeat.nets.weights import read_tensors, refuse_misfit, write_tensors

__all__ = ["Standing", "mark_of"]

State = dict[str, torch.Tensor]


@dataclass
class Standing:
    """All that a training run needs to go on as if it had never stopped.

    Parameters
    ----------
    epoch : int
        Epochs done.
    history : list of dict
        Rows of epoch, split, metric, value.
    best_epoch : int
        The epoch whose weights count; 0 before the first.
    best_loss : float
        Its validation loss.
    best : dict of str to Tensor
        Its weights.
    cache : Tensor or None
        The last prediction of every training patient.
    hooks : list
        What the hooks asked to keep, as JSON values.
    """

    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")
    best: State = field(default_factory=dict)
    cache: torch.Tensor | None = None
    hooks: list[Any] = field(default_factory=list)

    def save(
        self,
        path: Path,
        module: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        mark: dict[str, Any],
    ) -> None:
        """Write the standing, the weights and the optimiser's memory to one file."""
        tensors = {f"module.{k}": v for k, v in module.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for number, memory in optimizer.state_dict()["state"].items():
            for name, value in memory.items():
                if value is not None:
                    tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
        if self.cache is not None:
            tensors["cache"] = self.cache
        told = {
            "mark": mark,
            "epoch": self.epoch,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "hooks": self.hooks,
        }
        write_tensors(path, tensors, told)

    @classmethod
    def load(
        cls,
        path: Path,
        module: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        mark: dict[str, Any],
    ) -> Standing:
        """Read a file back into the net and the optimiser; refuse another run's."""
        tensors, told = read_tensors(path)
        weights = _under(tensors, "module.")
        refuse_misfit(module.state_dict(), weights, f"of the checkpoint {path}")
        _refuse_other(path, told["mark"], mark)
        module.load_state_dict(weights)
        memory: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in _under(tensors, "optimizer.").items():
            number, name = key.split(".", 1)
            memory.setdefault(int(number), {})[name] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": memory, "param_groups": groups})
        return cls(
            epoch=told["epoch"],
            history=told["history"],
            best_epoch=told["best_epoch"],
            best_loss=told["best_loss"],
            best=_under(tensors, "best."),
            cache=tensors.get("cache"),
            hooks=told["hooks"],
        )


def mark_of(
    module: torch.nn.Module,
    recipe: Recipe,
    loss: Any,
    patients: dict[str, tuple[Any, Any]],
) -> dict[str, Any]:
    """Return what decides the weights of a run, for a checkpoint to know it by.

    Parameters
    ----------
    module : Module
        Its layers count (dropout, too), not its weights: they go on from the file.
    recipe : Recipe
    loss : Loss
    patients : dict of str to (Data, y)
        Those trained on and, where there are any, those who decide when to stop.
    """
    told = {**recipe.mark(), "loss": repr(loss), "layers": _hash(repr(module).encode())}
    for name, (data, y) in patients.items():
        told[f"y of {name}"] = _hash(np.asarray(y).tobytes())
        if hasattr(data, "mark"):
            told[f"inputs of {name}"] = data.mark()
    return told


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _under(tensors: State, prefix: str) -> State:
    found = {k: v for k, v in tensors.items() if k.startswith(prefix)}
    return {k.removeprefix(prefix): v for k, v in found.items()}


def _refuse_other(path: Path, there: dict[str, Any], now: dict[str, Any]) -> None:
    differ = [
        f"{key} {there.get(key)!r}, now {now.get(key)!r}"
        for key in sorted({*there, *now})
        if there.get(key) != now.get(key)
    ]
    if differ:
        raise InvalidInput(
            f"{path} is the checkpoint of another run: {'; '.join(differ)}. Train into "
            "another folder, or remove the file."
        )
