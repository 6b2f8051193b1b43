"""What is around a training run: its optimiser, torch's switches, a bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch

from sarcfeat.nets.recipe import Recipe

__all__ = ["bar", "optimizer", "surroundings"]


def optimizer(module: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimiser that a recipe names."""
    told = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            module.parameters(),
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            **told,
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    return kind(module.parameters(), **told)


@contextmanager
def surroundings(recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Leave torch's global generators and switches as they were."""
    cuda = device.type == "cuda"
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with ExitStack() as stack:
        devices = range(torch.cuda.device_count()) if cuda else []
        stack.enter_context(torch.random.fork_rng(devices=devices))
        if cuda and recipe.deterministic:
            # Few operations have no such algorithm; torch names them in a warning.
            torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def bar(epochs: int, done: int, show: bool) -> Iterator[Callable[[], None]]:
    """Show how far a run is; yield what is called after each epoch."""
    from rich.progress import Progress

    with Progress(disable=not show, transient=True) as shown:
        task = shown.add_task("Training", total=epochs, completed=done)
        yield lambda: shown.advance(task)
