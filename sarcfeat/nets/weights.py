"""Weights of a net: read without running code, renamed, checked, drawn, saved."""

from __future__ import annotations

import json
import os
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from sarcfeat._validation import listed
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput, UntrustedFile

__all__ = [
    "draw_weights",
    "load_net",
    "load_weights",
    "monai_keys",
    "read_weights",
    "save_net",
]

State = dict[str, torch.Tensor]

_TORCH = (".pth", ".pt", ".ckpt", ".tar")
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_HEADS = ("fc.", "class_layers.out.")
_COUNTER = "num_batches_tracked"  # old files lack it, and evaluation ignores it

_RENAMED = (
    (re.compile(r"^module\."), ""),
    # What torchvision's own published DenseNet file still says: norm.1 for norm1.
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)\."), r"\1\2."),
    (re.compile(r"(denselayer\d+)\.(?!layers\.)"), r"\1.layers."),
    (re.compile(r"^classifier\."), "class_layers.out."),
)


def monai_keys(names: Iterable[str]) -> dict[str, str]:
    """Map the names of a published file to those of the nets here.

    ResNets are named alike in torchvision and MONAI; a DenseNet's layers lie one
    level deeper in MONAI, and its head has another name.

    Examples
    --------
    >>> old = "module.features.denseblock1.denselayer1.norm.1.weight"
    >>> monai_keys([old])[old]
    'features.denseblock1.denselayer1.layers.norm1.weight'
    """
    renamed = {}
    for name in names:
        new = name
        for pattern, replacement in _RENAMED:
            new = pattern.sub(replacement, new)
        renamed[name] = new
    return renamed


def read_weights(path: str | PathLike[str]) -> State:
    """Read the tensors of a weights file; no code in it is ever run.

    Parameters
    ----------
    path : str or path
        ``.safetensors``, or a torch file (``.pth``, ``.pt``) that holds a state dict
        and nothing else (``torch.load(weights_only=True)``).

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    InputMissing, InputCorrupt
        There is no such file, or it cannot be read.
    UntrustedFile
        It holds Python objects beside tensors, or is of another kind.
    """
    place = Path(path)
    if not place.is_file():
        raise InputMissing(f"No weights file {place}. Correct the path.")
    suffix = place.suffix.lower()
    if suffix == ".safetensors":
        return _read_safetensors(place)[0]
    if suffix not in _TORCH:
        raise UntrustedFile(
            f"weights {place} are of the kind {suffix or 'without suffix'!r}; expected "
            ".safetensors, or a torch state dict (.pth, .pt)."
        )
    return _unwrapped(_read_torch(place), place)


def _read_torch(place: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are refused below
            return torch.load(place, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UntrustedFile(
            f"weights {place} hold Python objects, which could run code when opened. "
            "Save the state dict alone: "
            "safetensors.torch.save_file(net.state_dict(), 'weights.safetensors')."
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise InputCorrupt(
            f"weights {place} ({place.stat().st_size} bytes) cannot be read: "
            f"{str(error).splitlines()[0] if str(error) else 'the file ends early'}. "
            "Copy the file again from its source."
        ) from error


def _read_safetensors(place: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(place, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return state, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputCorrupt(
            f"weights {place} ({place.stat().st_size} bytes) cannot be read: {error}. "
            "Copy the file again from its source."
        ) from error


def _unwrapped(found: Any, place: Path) -> State:
    for key in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
            break
    if not isinstance(found, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in found.values()
    ):
        raise InvalidInput(
            f"weights {place} hold {type(found).__name__}; expected a state dict: "
            "names and tensors."
        )
    return dict(found)


def load_weights(net: nn.Module, state: State, *, what: str) -> None:
    """Put published weights into a net, and refuse any that do not fit it.

    The head (``fc``, ``classifier``) is left out where the net has none.

    Parameters
    ----------
    net : Module
    state : dict of str to Tensor
        As :func:`read_weights` returns it.
    what : str
        The file and the architecture, for messages.

    Raises
    ------
    InvalidInput
        Tensors are missing, unknown, or of another shape; they are named.
    """
    wanted = net.state_dict()
    names = monai_keys(state)
    given = {names[old]: tensor for old, tensor in state.items()}
    given = {
        name: tensor
        for name, tensor in given.items()
        if name in wanted or not name.startswith(_HEADS)
    }
    refuse_misfit(wanted, given, what)
    net.load_state_dict({**wanted, **given})


def refuse_misfit(wanted: State, given: State, what: str) -> None:
    """Refuse tensors that are missing, unknown or of another shape, by name."""
    missing = [n for n in wanted if n not in given and not n.endswith(_COUNTER)]
    unknown = [n for n in given if n not in wanted]
    shapes = [
        f"{n} is {tuple(given[n].shape)}, expected {tuple(wanted[n].shape)}"
        for n in wanted
        if n in given and given[n].shape != wanted[n].shape
    ]
    wrong = [
        f"{len(found)} {said} ({listed(found, 3)})"
        for found, said in (
            (missing, "tensors are missing"),
            (unknown, "tensors are unknown"),
            (shapes, "tensors have another shape"),
        )
        if found
    ]
    if wrong:
        raise InvalidInput(
            f"weights {what} do not fit: {'; '.join(wrong)}. Give the weights of this "
            "architecture, with as many channels."
        )


def draw_weights(net: nn.Module, random_state: int) -> None:
    """Draw every weight of a net anew, from a generator of its own.

    Convolutions after He et al. (normal, fan out), linear layers uniform in
    ±1/sqrt(inputs), normalisations 1 and 0. Torch's global generator is not touched.

    Parameters
    ----------
    net : Module
    random_state : int
        The same number gives the same weights.
    """
    generator = torch.Generator().manual_seed(int(random_state))
    with torch.no_grad():
        for module in net.modules():
            _draw(module, generator)


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(
            module.weight, mode="fan_out", nonlinearity="relu", generator=generator
        )
    elif isinstance(module, nn.Linear):
        bound = module.in_features**-0.5
        nn.init.uniform_(module.weight, -bound, bound, generator=generator)
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.reset_parameters()
        return
    if isinstance(getattr(module, "bias", None), torch.Tensor):
        nn.init.zeros_(module.bias)


def save_net(
    path: str | PathLike[str], net: nn.Module, told: Mapping[str, Any] | None = None
) -> None:
    """Save a net's weights and what is to be known of it: safetensors with JSON.

    Parameters
    ----------
    path : str or path
        The file; it is replaced in one step.
    net : Module
    told : mapping, optional
        JSON values: how the net was built, on what it was trained.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save_net(file, nn.Linear(2, 1), {"inputs": 2})
    >>> load_net(file, nn.Linear(2, 1))
    {'inputs': 2}
    """
    write_tensors(path, dict(net.state_dict()), told or {})


def load_net(path: str | PathLike[str], net: nn.Module) -> dict[str, Any]:
    """Put what :func:`save_net` wrote into a net; return what was told of it."""
    state, told = read_tensors(path)
    refuse_misfit(net.state_dict(), state, fspath(path))
    net.load_state_dict(state)
    return told


def write_tensors(
    path: str | PathLike[str], tensors: State, told: Mapping[str, Any]
) -> None:
    """Write tensors and JSON as one file, which is there whole or not at all."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    plain = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in tensors.items()
    }
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(save(plain, metadata={"json": json.dumps(told, sort_keys=True)}))
        file.flush()
        os.fsync(file.fileno())
    part.replace(place)


def read_tensors(path: str | PathLike[str]) -> tuple[State, dict[str, Any]]:
    """Read what :func:`write_tensors` wrote."""
    place = Path(path)
    if not place.is_file():
        raise InputMissing(f"No saved net {place}. Correct the path.")
    state, metadata = _read_safetensors(place)
    return state, json.loads(metadata.get("json", "{}"))
