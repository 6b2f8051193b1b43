"""What a net is fed: patients by number, loaded when their turn comes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from sarcfeat.nets.ahead import loaded

__all__ = ["Arrays", "Data", "predict"]


class Data(Protocol):
    """Patients that a net can be fed, of which few are in memory at a time.

    Where it has ``prefetch = True``, the next batch is loaded in a thread while the
    net works on the last. Where it has ``mark()``, a text that tells these inputs from
    others, a checkpoint of others is refused.
    """

    def __len__(self) -> int:
        """Return the number of patients."""
        ...

    def load(self, rows: npt.NDArray[np.intp], rng: np.random.Generator | None) -> Any:
        """Return the inputs of some patients.

        A tensor; or a tuple or dict of inputs, which become the net's arguments.
        Whatever is drawn (augmentation, a sample of tiles) is drawn from `rng`, so
        that the same generator gives the same inputs; None means: the patient as it
        is, all of it.
        """
        ...


class Arrays:
    """Patients that are rows of arrays in memory.

    Parameters
    ----------
    arrays : array-like
        One argument of the net each, of equal length.

    Examples
    --------
    >>> len(Arrays(np.zeros((5, 2))))
    5
    """

    def __init__(self, *arrays: npt.ArrayLike) -> None:
        self._arrays = tuple(
            torch.as_tensor(np.array(array, dtype=np.float32)) for array in arrays
        )

    def __len__(self) -> int:
        return len(self._arrays[0])

    def load(self, rows: npt.NDArray[np.intp], rng: np.random.Generator | None) -> Any:
        """Return the rows of every array; nothing is drawn."""
        return tuple(array[torch.as_tensor(rows)] for array in self._arrays)


def call(module: torch.nn.Module, inputs: Any, device: torch.device) -> torch.Tensor:
    """Run a net on inputs of any of the kinds that :meth:`Data.load` may return."""
    inputs = moved(inputs, device)
    if isinstance(inputs, dict):
        return module(**inputs)
    if isinstance(inputs, tuple):
        return module(*inputs)
    return module(inputs)


def moved(inputs: Any, device: torch.device) -> Any:
    """Return inputs on a device."""
    if isinstance(inputs, dict):
        return {key: moved(value, device) for key, value in inputs.items()}
    if isinstance(inputs, tuple | list):
        return type(inputs)(moved(value, device) for value in inputs)
    return inputs.to(device) if hasattr(inputs, "to") else inputs


def predict(
    module: torch.nn.Module,
    data: Data,
    *,
    batch_size: int = 32,
    device: str = "auto",
    precision: str = "float32",
) -> torch.Tensor:
    """Return the net's outputs for every patient, in evaluation mode.

    They do not depend on `batch_size` beyond rounding.

    Examples
    --------
    >>> net = torch.nn.Linear(2, 1)
    >>> predict(net, Arrays(np.zeros((5, 2)))).shape
    torch.Size([5, 1])
    """
    place = torch_device(device)
    was_training = module.training
    module.to(place).eval()
    try:
        with torch.inference_mode(), autocast(place, precision):
            every = np.arange(len(data))
            asked = [
                (every[start : start + batch_size], None)
                for start in range(0, len(data), batch_size)
            ]
            parts = [
                call(module, inputs, place).float().cpu()
                for inputs in loaded(data, asked)
            ]
    finally:
        module.train(was_training)
    return torch.cat(parts).clone()


def torch_device(device: str) -> torch.device:
    """Return the device meant; ``auto`` is the GPU where there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context of mixed precision, which does nothing for float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
