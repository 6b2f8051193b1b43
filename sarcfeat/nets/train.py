"""The one training loop.

**The risk set.** Cox's likelihood compares each event with everyone still at risk, so
a mini-batch cannot be judged on its own. A step here is taken on `step_size` patients:

1. Their predictions are computed batch by batch without gradients, in training mode.
2. The loss is computed on the *whole cohort's* predictions: these fresh ones, and for
   everybody else the last one made (the cache, filled before the first epoch). Its
   derivative by each fresh prediction follows, times patients / `step_size`.
3. Each batch goes through the net again, with the same random numbers, and that
   derivative is carried back into the weights.

With `step_size=None` everybody is fresh and the step is exactly the gradient of the
full partial likelihood, in the memory of one batch. With fewer, the others' are from
this epoch or the one before. A step of one batch needs no second pass. Losses that
judge each patient alone (``over_cohort = False``) accumulate over a step directly.

**Random numbers.** Every batch has its own generator, seeded by (random_state, epoch,
step, batch); the global ones stay, and a killed run goes on to the same weights.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from sarcfeat.exceptions import InvalidInput, NotConverged
from sarcfeat.nets.ahead import batches_of, loaded, seed_of
from sarcfeat.nets.batches import event_balanced, shuffled
from sarcfeat.nets.checkpoint import Standing, mark_of
from sarcfeat.nets.data import Data, autocast, call, predict, torch_device
from sarcfeat.nets.losses import Loss
from sarcfeat.nets.recipe import Recipe
from sarcfeat.nets.surroundings import bar, optimizer, surroundings
from sarcfeat.survival import check_y

__all__ = ["Epoch", "Trained", "fit"]

Rows = npt.NDArray[np.intp]
FILE = "training.safetensors"


@dataclass(frozen=True)
class Epoch:
    """What a hook is shown after each epoch.

    Parameters
    ----------
    number : int
        From 1.
    predict : callable
        Of ``"train"`` or ``"valid"``: the net's outputs for all, in evaluation mode.
    module : Module
        The net, to be read.
    """

    number: int
    predict: Callable[[str], Tensor]
    module: nn.Module


@dataclass(frozen=True)
class Trained:
    """A trained net.

    Attributes
    ----------
    module : Module
        On the CPU, in evaluation mode, with the weights of the best epoch.
    history_ : DataFrame
        Columns epoch, split, metric, value.
    best_epoch_ : int
        The epoch of least validation loss; without validation patients the last one.
    """

    module: nn.Module
    history_: pd.DataFrame
    best_epoch_: int


def fit(
    module: nn.Module,
    data: Data,
    y: Any,
    loss: Loss,
    recipe: Recipe | None = None,
    *,
    target: Any = None,
    valid: tuple[Data, Any] | None = None,
    valid_loss: Loss | None = None,
    hooks: Sequence[Callable[[Epoch], Mapping[str, float] | None]] = (),
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: int = 1,
    progress: bool = False,
) -> Trained:
    """Train a net on patients with a survival target.

    Parameters
    ----------
    module : Module
        Left as it is; a copy is trained.
    data : Data
        The training patients.
    y : structured array of (event, time)
    loss : Loss
        Such as :class:`~sarcfeat.nets.CoxLoss`.
    recipe : Recipe, optional
        Epochs, optimiser, precision and so on.
    target : object, optional
        In place of ``loss.target(y)``, for instance with strata.
    valid : (Data, y), optional
        Patients who decide which epoch counts and when to stop, by their loss after
        each epoch (all of them, in evaluation mode).
    valid_loss : Loss, optional
        Where it is another than `loss`.
    hooks : sequence of callable
        Called with an :class:`Epoch` after each; what they return goes into the
        history. A hook with ``state_dict`` and ``load_state_dict`` (JSON values) is
        resumed too.
    checkpoint : path, optional
        A folder. A run stopped there goes on; one of another net or cohort is refused.
    checkpoint_every : int
        Epochs between two writings.
    progress : bool
        Show a bar.

    Returns
    -------
    Trained

    Warns
    -----
    NotConverged
        The loss became NaN or infinite; the best epoch before it counts.

    Examples
    --------
    >>> from sarcfeat.nets import Arrays, CoxLoss
    >>> from sarcfeat.survival import make_y
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(40, 2))
    >>> y = make_y(np.ones(40), rng.exponential(np.exp(-x[:, 0])))
    >>> done = fit(nn.Linear(2, 1), Arrays(x), y, CoxLoss(), Recipe(epochs=50, lr=0.1))
    >>> bool(done.module.weight[0, 0] > 0.5)
    True
    """
    recipe = recipe or Recipe()
    if recipe.patience is not None and valid is None:
        raise InvalidInput(
            f"patience={recipe.patience} needs validation patients; pass valid=(data, "
            "y), split from the training patients."
        )
    event, _ = check_y(y)
    if len(event) != len(data):
        raise InvalidInput(f"data has {len(data)} patients and y {len(event)}.")
    run = _Run(
        module=copy.deepcopy(module).to(torch_device(recipe.device)),
        data=data,
        event=event,
        loss=loss,
        target=loss.target(y) if target is None else target,
        recipe=recipe,
        hooks=list(hooks),
    )
    patients = {"training": (data, y)}
    if valid is not None:
        run.valid_data, run.valid_loss = valid[0], valid_loss or loss
        run.valid_target = run.valid_loss.target(valid[1])
        patients["validation"] = valid
    path = None if checkpoint is None else Path(checkpoint) / FILE
    mark = {} if path is None else mark_of(module, recipe, loss, patients)
    with surroundings(recipe, run.device):
        run.train(path, mark, checkpoint_every, progress)
    return run.trained()


@dataclass
class _Run:
    module: nn.Module
    data: Data
    event: npt.NDArray[np.bool_]
    loss: Loss
    target: Any
    recipe: Recipe
    hooks: list[Any]
    valid_data: Data | None = None
    valid_loss: Any = None
    valid_target: Any = None
    standing: Standing = field(default_factory=Standing)
    inputs: Iterator[Any] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        self.device = torch_device(self.recipe.device)
        self.optimizer = optimizer(self.module, self.recipe)
        self.step_size = min(self.recipe.step_size or len(self.data), len(self.data))

    def train(
        self, path: Path | None, mark: dict[str, Any], every: int, progress: bool
    ) -> None:
        if path is not None and path.is_file():
            self._resume(path, mark)
        with bar(self.recipe.epochs, self.standing.epoch, progress) as step:
            while not self._over():
                ok = self._epoch(self.standing.epoch + 1)
                at_end = self._over() or not ok
                if path is not None and (self.standing.epoch % every == 0 or at_end):
                    self.standing.save(path, self.module, self.optimizer, mark)
                step()
                if not ok:
                    break

    def _resume(self, path: Path, mark: dict[str, Any]) -> None:
        self.standing = Standing.load(path, self.module, self.optimizer, mark)
        for hook, state in zip(self.hooks, self.standing.hooks, strict=True):
            if state is not None:
                hook.load_state_dict(state)

    def _over(self) -> bool:
        done, patience = self.standing.epoch, self.recipe.patience
        waited = done - self.standing.best_epoch
        return done >= self.recipe.epochs or (
            patience is not None and waited >= patience
        )

    def _epoch(self, number: int) -> bool:
        """Train one epoch; return whether the numbers are still numbers."""
        rng = np.random.default_rng([self.recipe.random_state, number])
        steps = [self._split(rows, rng) for rows in self._deal(self.step_size, rng)]
        if self.loss.over_cohort and len(steps) > 1 and self.standing.cache is None:
            self.standing.cache = self._predict(self.data)
        self.module.train()
        seed, twice = self.recipe.random_state, self.loss.over_cohort
        self.inputs = loaded(self.data, batches_of(steps, number, seed, twice))
        losses = []
        for i, batches in enumerate(steps):
            rate = self.recipe.rate((number - 1 + i / len(steps)) / self.recipe.epochs)
            losses.append(self._step(batches, (number, i), rate))
        found = {"train": {"loss": float(np.mean(losses)), "lr": rate}}
        judged = math.fsum(losses)
        if self.valid_data is not None:
            outputs = self._predict(self.valid_data)
            judged = float(self.valid_loss(outputs, self.valid_target))
            found["valid"] = {"loss": judged}
        self.standing.epoch = number
        self._keep(number, judged, found)
        return self._finite(judged, number)

    def _keep(
        self, number: int, judged: float, found: dict[str, dict[str, float]]
    ) -> None:
        shown = Epoch(number, self._outputs, self.module)
        for hook in self.hooks:
            found.setdefault("hook", {}).update(hook(shown) or {})
        self.standing.hooks = [
            hook.state_dict() if hasattr(hook, "state_dict") else None
            for hook in self.hooks
        ]
        self.standing.history += [
            {"epoch": number, "split": split, "metric": metric, "value": float(value)}
            for split, metrics in found.items()
            for metric, value in metrics.items()
        ]
        better = self.valid_data is None or judged < self.standing.best_loss
        if better and math.isfinite(judged):
            self.standing.best_epoch, self.standing.best_loss = number, judged
            state = self.module.state_dict().items()
            self.standing.best = {k: v.detach().cpu().clone() for k, v in state}

    def _finite(self, judged: float, number: int) -> bool:
        if math.isfinite(judged):
            return True
        if not self.standing.best:
            raise InvalidInput(
                f"The loss is {judged} in epoch {number}, before any weights could be "
                f"kept. Lower lr ({self.recipe.lr:g}), set clip, or scale the inputs."
            )
        warnings.warn(
            f"The loss became {judged} in epoch {number}; the weights of epoch "
            f"{self.standing.best_epoch} count. Lower lr ({self.recipe.lr:g}) or set "
            "clip.",
            NotConverged,
            stacklevel=5,
        )
        return False

    def _deal(self, size: int, rng: np.random.Generator) -> list[Rows]:
        if self.recipe.balanced:
            return event_balanced(self.event, size, rng)
        return shuffled(len(self.event), size, rng)

    def _step(self, batches: list[Rows], key: tuple[int, ...], rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        whole = self.loss.over_cohort
        value = (self._against_cohort if whole else self._alone)(batches, key)
        if math.isfinite(value):
            if self.recipe.clip is not None:
                nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip)
            self.optimizer.step()
        return value

    def _split(self, rows: Rows, rng: np.random.Generator) -> list[Rows]:
        size = self.recipe.batch_size
        if len(rows) <= size:
            return [rows]
        if self.recipe.balanced:
            return [rows[b] for b in event_balanced(self.event[rows], size, rng)]
        return np.array_split(rows, -(-len(rows) // size))

    def _alone(self, batches: list[Rows], key: tuple[int, ...]) -> float:
        n, value = sum(map(len, batches)), 0.0
        for i, rows in enumerate(batches):
            part = self.loss(self._forward((*key, i)), self.target[rows])
            part = part * (len(rows) / n)
            part.backward()
            value += float(part.detach())
        return value

    def _against_cohort(self, batches: list[Rows], key: tuple[int, ...]) -> float:
        if len(batches) == 1:
            fresh = self._forward((*key, 0))
            value = self._cohort_loss(batches[0], fresh)
            (value * (len(self.data) / len(batches[0]))).backward()
            self._remember(batches[0], fresh)
            return float(value.detach())
        before = {k: v.clone() for k, v in self.module.named_buffers()}
        with torch.no_grad():
            parts = [self._forward((*key, i)) for i in range(len(batches))]
            for name, buffer in self.module.named_buffers():
                buffer.copy_(before[name])
        rows, fresh = np.concatenate(batches), torch.cat(parts).requires_grad_()
        value = self._cohort_loss(rows, fresh)
        (value * (len(self.data) / len(rows))).backward()
        pulls = fresh.grad.split([len(b) for b in batches])
        for i, pull in enumerate(pulls):
            self._forward((*key, i)).backward(pull)
        self._remember(rows, fresh)
        return float(value.detach())

    def _cohort_loss(self, rows: Rows, fresh: Tensor) -> Tensor:
        index = torch.as_tensor(rows)
        cache = self.standing.cache
        if cache is None:  # everybody is fresh
            cache = torch.zeros(len(self.data), *fresh.shape[1:])
        return self.loss(cache.index_put((index,), fresh), self.target)

    def _remember(self, rows: Rows, fresh: Tensor) -> None:
        if self.standing.cache is not None:
            self.standing.cache[torch.as_tensor(rows)] = fresh.detach()

    def _forward(self, key: tuple[int, ...]) -> Tensor:
        """Run the next batch in training mode; the same key draws the same numbers."""
        seed = seed_of(self.recipe.random_state, *key)
        torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
        inputs = next(self.inputs)
        with autocast(self.device, self.recipe.precision):
            outputs = call(self.module, inputs, self.device)
        # The loss is small and needs double precision: it is the CPU's.
        return outputs.float().cpu()

    def _predict(self, data: Data) -> Tensor:
        return predict(
            self.module,
            data,
            batch_size=self.recipe.batch_size,
            device=self.recipe.device,
            precision=self.recipe.precision,
        )

    def _outputs(self, split: str) -> Tensor:
        data = {"train": self.data, "valid": self.valid_data}[split]
        if data is None:
            raise InvalidInput(
                "There are no validation patients; pass valid=(data, y)."
            )
        return self._predict(data)

    def trained(self) -> Trained:
        self.module.load_state_dict(self.standing.best)
        return Trained(
            self.module.cpu().eval(),
            pd.DataFrame(
                self.standing.history, columns=["epoch", "split", "metric", "value"]
            ),
            self.standing.best_epoch,
        )
