"""The module behind a tile net: its weights loaded, its transform in front, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sarcfeat.encoders.pretrained import Weights
from sarcfeat.exceptions import InputCorrupt, InvalidInput, MissingDependency

if TYPE_CHECKING:
    from sarcfeat.encoders.tile_nets import TileNet

__all__ = ["build_tile_model"]


def build_tile_model(net: TileNet, weights: Weights, size: int) -> Any:
    """Return a module that takes uint8 tiles (n, 3, size, size) and gives numbers.

    Parameters
    ----------
    net : TileNet
    weights : Weights
    size : int
        Pixels along a side of a tile.

    Raises
    ------
    InvalidInput
        The weights do not fit the net, or it gives another number of features than is
        declared.
    """
    weights.check()
    module = {"module": _module, "torchscript": _script, "onnx": _onnx}[net.kind](
        net, weights
    )
    shown = _shown(net, module.eval())
    _check_output(net, weights, shown, size)
    return shown


def _module(net: TileNet, weights: Weights) -> Any:
    import torch

    from sarcfeat import nets
    from sarcfeat.nets.weights import refuse_misfit

    seed = weights.random_state or 0
    with torch.random.fork_rng(devices=[]):
        # What a factory draws by itself follows from the seed, too.
        torch.manual_seed(seed)
        module = net.factory() if net.factory is not None else None
    if not isinstance(module, torch.nn.Module):
        raise InvalidInput(
            f"the factory of net {net.name!r} returns {type(module).__name__}; "
            "expected a torch.nn.Module."
        )
    if weights.path is None:
        nets.draw_weights(module, seed)
        return module
    state, what = nets.read_weights(weights.path), f"{weights.path} for {net.name}"
    if net.published:
        nets.load_weights(module, state, what=what)
    else:
        refuse_misfit(module.state_dict(), state, what)
        module.load_state_dict({**module.state_dict(), **state})
    return module


def _script(net: TileNet, weights: Weights) -> Any:
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            # That the format is no longer developed is no news to the file's reader.
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(weights.path, map_location="cpu")
    except (RuntimeError, ValueError, OSError) as error:
        raise InputCorrupt(
            f"{weights.path} for {net.name} cannot be read as TorchScript: "
            f"{str(error).splitlines()[0]}. Copy the file again from its source, or "
            "register the net as kind='module' if it holds a state dict."
        ) from error


def _onnx(net: TileNet, weights: Weights) -> Any:
    import torch

    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependency(
            f"net {net.name!r} is an ONNX file and onnxruntime is not installed. Run: "
            "pip install onnxruntime, or export the net as TorchScript."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the same sums whatever the machine
    try:
        session = onnxruntime.InferenceSession(
            weights.path, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have no other class in common
        raise InputCorrupt(
            f"{weights.path} for {net.name} cannot be read as ONNX: "
            f"{str(error).splitlines()[0]}. Copy the file again from its source."
        ) from error
    given = session.get_inputs()[0]
    # Exported without a dynamic axis, a net takes so many tiles and no others.
    fixed = given.shape[0] if isinstance(given.shape[0], int) else None
    if fixed not in (None, 1):
        raise InvalidInput(
            f"net {net.name!r} ({weights.path}) takes {fixed} tiles at a time. Export "
            "it with a dynamic first axis, or for one tile."
        )

    class Session(torch.nn.Module):
        """An ONNX session where a module is expected."""

        def forward(self, pictures: Any) -> Any:
            """Run the session; it lives on the CPU."""
            values = pictures.float().cpu().contiguous().numpy()
            parts = [values] if fixed is None else np.split(values, len(values))
            found = [session.run(None, {given.name: part})[0] for part in parts]
            return torch.from_numpy(np.concatenate(found)).to(pictures.device)

    return Session()


def _shown(net: TileNet, module: Any) -> Any:
    """Put a net's transform in front of it."""
    import torch

    class Shown(torch.nn.Module):
        """Colours of 0…255 as the net was trained to see them."""

        def __init__(self) -> None:
            super().__init__()
            self.net = module
            for name, values in (("mean", net.mean), ("sd", net.sd)):
                colours = torch.tensor(values).mul(255).view(1, 3, 1, 1)
                self.register_buffer(name, colours, persistent=False)

        def forward(self, tiles: Any) -> Any:
            """Return (n, dimension)."""
            return self.net(tiles.float().sub_(self.mean).div_(self.sd))

    return Shown().eval()


def _check_output(net: TileNet, weights: Weights, module: Any, size: int) -> None:
    import torch

    tiles = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    with torch.inference_mode():
        found = module(tiles)
    shape = tuple(getattr(found, "shape", ()))
    if shape != (1, net.dimension):
        said = f"shape {shape}" if shape else f"a {type(found).__name__}"
        raise InvalidInput(
            f"net {net.name!r} ({weights.path or 'random weights'}) gives {said} for "
            f"one tile of {size} pixels; {net.dimension:,} numbers are declared, shape "
            f"{(1, net.dimension)}. These may be the weights of another encoder; else "
            "correct dimension= in register_tile_net, or choose the class token in the "
            "factory."
        )
