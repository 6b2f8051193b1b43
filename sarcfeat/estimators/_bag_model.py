"""What nets on bags of tiles have in common: fit, predict, look at the weights."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.estimators.bag_column import bag_references, refuse_missing, with_tiles
from sarcfeat.exceptions import FewEvents, InvalidInput
from sarcfeat.splits import EventStratifiedKFold
from sarcfeat.survival import (
    RiskSets,
    SurvivalMixin,
    baseline_hazard,
    check_y,
    cox_state,
    make_y,
)

if TYPE_CHECKING:
    from sarcfeat.nets import BagNet, Bags

__all__ = ["BagModel"]

Floats = npt.NDArray[np.float64]
# Tiles of each patient that the mean and deviation of a tile's numbers come from.
SEEN = 256


class BagModel(SurvivalMixin, BaseEstimator, ABC):
    """A net on bags of tiles, trained by Cox's likelihood over the whole risk set."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "bags": [str, None],
        "regions": [tuple, list, None],
        "width": [Interval(Integral, 1, None, closed="left")],
        "layers": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_tiles": [Interval(Integral, 1, None, closed="left")],
        "replace": ["boolean"],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "validation": [Interval(Real, 0, 0.5, closed="both"), None],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_bytes": [Interval(Integral, 1, None, closed="left")],
        "missing": [StrOptions({"raise", "drop"})],
        "device": [str],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "checkpoint": [str, PathLike, None],
        "progress": ["boolean"],
        "random_state": ["random_state"],
    }
    regions: Any
    random_state: Any

    def fit(self, X: Any, y: Any) -> Any:
        """Train the net.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them
        y : structured array (event, time)

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        InvalidInput
            Patients without tiles (unless ``missing="drop"``), tiles with NaN, bags of
            different encoders, a bag that does not fit under `max_bytes`.
        NoEvents
            Fewer than two events.
        """
        check_params(self)
        refs, labels = self._references(X, reset=True)
        event, time = check_y(y, n=len(refs), min_events=2)
        has = with_tiles(refs, self.regions)
        refuse_missing(self, labels, has, fitting=True)
        self.n_missing_ = int((~has).sum())
        refs = [ref for ref, one in zip(refs, has, strict=True) if one]
        y = make_y(event[has], time[has], zero="keep")
        check_y(y, min_events=2)
        self._train(refs, y)
        return self

    def predict(self, X: Any) -> Floats:
        """Return the risk of each patient, by all of its tiles.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them

        Returns
        -------
        ndarray of shape (n_patients,)
            Log hazard ratio to the mean of the training patients; higher is worse.
            With ``missing="drop"``, 0 for a patient without tiles (a warning names
            them).
        """
        refs, labels = self._references(X, reset=False)
        has = with_tiles(refs, self.regions)
        refuse_missing(self, labels, has, fitting=False)
        risk = np.zeros(len(refs))
        known = [ref for ref, one in zip(refs, has, strict=True) if one]
        risk[has] = self._risk(self._net(), self._whole(known)) - self.center_
        return risk

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of being free of the event at given times.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them
        times : array-like of shape (n_times,)
            In the unit of the training times. Flat after the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        return self.baseline_.survival(times, self.predict(X))

    def attention(self, X: Any) -> dict[str, Floats]:
        """Return how much each tile counts.

        Parameters
        ----------
        X : DataFrame with a column of BagRef, or array of them

        Returns
        -------
        dict of patient to ndarray of shape (tiles,)
            In the order of ``BagRef.load(regions)`` and ``BagRef.places(regions)``;
            they sum to one. Empty for a patient without tiles.
        """
        import torch

        from sarcfeat.nets.data import torch_device

        refs, labels = self._references(X, reset=False)
        place = torch_device(self.device)
        net = self._net().to(place)
        found = {}
        for ref, label in zip(refs, labels, strict=True):
            found[label] = np.empty(0)
            if not with_tiles([ref], self.regions)[0]:
                continue
            pieces = (piece.to(place) for piece in self._whole([ref]).pieces(0))
            with torch.inference_mode():
                found[label] = net.weights(pieces).cpu().numpy()
        return found

    def __sklearn_tags__(self) -> Any:
        """Declare that `y` is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    @abstractmethod
    def _pool(self) -> dict[str, Any]:
        """Return what the net of this class is made of."""

    def _references(self, X: Any, *, reset: bool) -> tuple[list[Any], list[str]]:
        return bag_references(self, X, reset=reset)

    def _train(self, refs: list[Any], y: Any) -> None:
        from sarcfeat.nets import Bags, CoxLoss, Recipe, fit

        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        told = {
            **{"n_tiles": self.n_tiles, "replace": self.replace},
            **{"regions": self.regions, "max_bytes": self.max_bytes},
            **{"held": self._held(), "random_state": seed, "judged": self.n_tiles},
        }
        everybody = Bags(refs, **told)
        self.n_tiles_in_ = int(everybody.counts.sum())
        self.n_fewer_ = int((everybody.counts < self.n_tiles).sum())
        self.dim_ = everybody.dim
        batch = self._batch(everybody)
        train, valid = self._split(y, seed)
        mine = Bags([refs[i] for i in train], **told)
        judged = None
        if len(valid):
            judged = (Bags([refs[i] for i in valid], **told), y[valid])
        net = self._new_net(seed)
        some = mine.some(SEEN, np.random.default_rng([seed, 1]))
        net.learn_scales(some, _batches(mine, batch))
        recipe = Recipe(
            epochs=self.epochs,
            batch_size=batch,
            step_size=min(self.batch_size, len(train)),
            lr=float(self.lr),
            weight_decay=float(self.weight_decay),
            patience=self.patience if judged else None,
            schedule=self._schedule(bool(judged)),
            clip=1.0,
            device=self.device,
            precision=self.precision,
            random_state=seed,
        )
        done = fit(
            net,
            mine,
            y[train],
            CoxLoss(),
            recipe,
            valid=judged,
            checkpoint=self.checkpoint,
            progress=self.progress,
        )
        self.history_, self.best_epoch_ = done.history_, done.best_epoch_
        self.n_train_, self.n_validation_ = len(train), len(valid)
        state = done.module.state_dict().items()
        self.weights_ = {name: value.numpy().copy() for name, value in state}
        self._keep_baseline(self._risk(done.module, self._whole(refs)), y)

    def _schedule(self, judged: bool) -> str:
        # Without validation the last epoch counts: let it come to rest.
        return "constant" if judged else "cosine"

    def _keep_baseline(self, risk: Floats, y: Any) -> None:
        """Keep where the training patients lie, and the hazard of their mean."""
        self.center_ = float(risk.mean())
        eta = risk - self.center_
        sets = RiskSets(y["event"], y["time"], ties="breslow")
        self.baseline_ = baseline_hazard(cox_state([1.0], eta[:, None], sets))

    def _batch(self, bags: Bags) -> int:
        """Return how many patients fit under the ceiling at a time."""
        from sarcfeat.nets import bytes_per_tile

        most = self.n_tiles if self.replace else min(self.n_tiles, bags.counts.max())
        # A quarter is left for what the allocator keeps between batches.
        one = int(most) * bytes_per_tile(bags.dim, self._held()) * 4 // 3
        if one > self.max_bytes:
            raise InvalidInput(
                f"A bag of {most:,} tiles × {bags.dim:,} needs {one / 2**20:,.0f} MiB "
                f"while it is trained on, and max_bytes is "
                f"{self.max_bytes / 2**20:,.0f} MiB. Lower n_tiles, make the net "
                "smaller (width, layers, attention_width, queries), or give more "
                "memory."
            )
        return int(min(self.batch_size, self.max_bytes // one))

    def _split(self, y: Any, seed: int) -> tuple[Any, Any]:
        """Set patients aside who decide when to stop."""
        everybody, nobody = np.arange(len(y)), np.empty(0, np.intp)
        if not self.validation:
            return everybody, nobody
        events = int(y["event"].sum())
        if events * self.validation < 2:
            warnings.warn(
                f"{type(self).__name__}: {events} events are too few to set "
                f"{self.validation:.0%} of the patients aside; all {self.epochs} "
                "epochs are trained on everybody.",
                FewEvents,
                stacklevel=5,
            )
            return everybody, nobody
        # So many folds of so many: as near to the share as two events a fold allow.
        share = Fraction(self.validation).limit_denominator(events // 2)
        splitter = EventStratifiedKFold(share.denominator, random_state=seed)
        folds = splitter.split(everybody, y)
        aside = [test for _, test in islice(folds, share.numerator)]
        valid = np.sort(np.concatenate(aside))
        return np.setdiff1d(everybody, valid), valid

    def _layers(self) -> dict[str, Any]:
        told = {"width": self.width, "layers": self.layers, "dropout": self.dropout}
        return {**told, **self._pool()}

    def _held(self) -> int:
        from sarcfeat.nets import BagNet

        return BagNet.held(**self._layers())

    def _new_net(self, seed: int) -> BagNet:
        import torch

        from sarcfeat.nets import BagNet

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = BagNet(self.dim_, **self._layers())
            # Nobody differs before something is learned.
            torch.nn.init.zeros_(net.head[-1].weight)
            return net

    def _net(self) -> BagNet:
        """Return the trained net."""
        import torch

        net = self._new_net(0)
        net.load_state_dict(
            {k: torch.from_numpy(np.array(v)) for k, v in self.weights_.items()}
        )
        return net.eval()

    def _whole(self, refs: list[Any]) -> Bags:
        from sarcfeat.nets import Bags

        bags = Bags(
            refs, regions=self.regions, max_bytes=self.max_bytes, held=self._held()
        )
        if refs and bags.dim != self.dim_:
            raise InvalidInput(
                f"{type(self).__name__} was trained on tiles of {self.dim_:,} numbers; "
                f"patient {refs[0].patient} has {bags.dim:,}. Use the encoder of the "
                "training."
            )
        return bags

    def _risk(self, net: BagNet, bags: Bags) -> Floats:
        from sarcfeat.nets import predict

        if not len(bags):
            return np.empty(0)
        told = {"device": self.device, "precision": self.precision}
        return predict(net, bags, **told)[:, 0].double().numpy()


def _batches(bags: Bags, size: int) -> Iterator[Any]:
    for start in range(0, len(bags), size):
        yield bags.load(np.arange(start, min(start + size, len(bags))), None)
