"""Nets that read a bag of tiles: layers for each tile, a pool, a risk head.

Every pool here is a weighted mean with weights that are a softmax over the tiles of a
bag, so a bag may come whole or in pieces: the largest logit, the sum of the weights and
the weighted sum are carried from piece to piece (the online softmax of Milakov &
Gimelshein 2018), and the numbers are those of the whole bag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sarcfeat._validation import pick

__all__ = ["AttentionPool", "BagNet", "MeanPool", "QueryPool", "Ragged", "TileStream"]

# Tiles of float16 that are turned into float32 at a time.
BLOCK = 16_384


@dataclass(frozen=True)
class Ragged:
    """Bags of different sizes, one after another.

    Parameters
    ----------
    tiles : Tensor of shape (tiles of all bags, numbers a tile)
        May be float16; the net turns it into float32 piece by piece.
    offsets : tuple of int
        Where each bag begins, and the end.
    """

    tiles: Tensor
    offsets: tuple[int, ...]

    def to(self, device: Any) -> Ragged:
        """Return the same on another device."""
        return Ragged(self.tiles.to(device, non_blocking=True), self.offsets)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.offsets[:-1], self.offsets[1:], strict=True)


@dataclass(frozen=True)
class TileStream:
    """Bags that come in pieces, so that none is in memory whole.

    Parameters
    ----------
    bags : iterable of iterable of Tensor
        For each patient, the pieces of its bag.
    device : device, optional
        Where the pieces are sent.
    """

    bags: Iterable[Iterable[Tensor]]
    device: Any = "cpu"

    def to(self, device: Any) -> TileStream:
        """Return the same, whose pieces go to another device."""
        return TileStream(self.bags, device)

    def __iter__(self) -> Iterator[Iterator[Tensor]]:
        for bag in self.bags:
            yield (piece.to(self.device) for piece in bag)


class _CastLinear(torch.autograd.Function):
    """A linear layer whose input is kept as it came (float16) for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        parts = [
            nn.functional.linear(part.to(weight.dtype), weight, bias)
            for part in x.split(BLOCK)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad = grads[0].to(weight.dtype)
        of_weight = torch.zeros_like(weight)
        for part, pull in zip(x.split(BLOCK), grad.split(BLOCK), strict=True):
            of_weight.addmm_(pull.T, part.to(weight.dtype))
        return None, of_weight, grad.sum(0)


class AttentionPool(nn.Module):
    """Attention over tiles, plain or gated.

    A tile's logit is ``w · tanh(V h)``, or ``w · (tanh(V h) * sigmoid(U h))`` with a
    gate.

    Parameters
    ----------
    width : int
        Numbers a tile, as they come from the layers before.
    attention : int
        Width of the attention.
    gated : bool
        Multiply with a gate.

    References
    ----------
    Ilse, Tomczak & Welling, ICML 2018.

    Examples
    --------
    >>> logits, values = AttentionPool(4, 3)(torch.zeros(5, 4))
    >>> logits.shape, values.shape
    (torch.Size([5, 1, 1]), torch.Size([5, 1, 4]))
    """

    def __init__(self, width: int, attention: int = 64, gated: bool = True) -> None:
        super().__init__()
        self.tanh = nn.Linear(width, attention)
        self.gate = nn.Linear(width, attention) if gated else None
        self.weigh = nn.Linear(attention, 1)

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (tiles, heads, queries) and values (tiles, heads, numbers)."""
        seen = torch.tanh(self.tanh(tiles))
        if self.gate is not None:
            seen = seen * torch.sigmoid(self.gate(tiles))
        return self.weigh(seen)[:, :, None], tiles[:, None, :]


class MeanPool(nn.Module):
    """Every tile counts the same."""

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of 0, and the tiles as they are."""
        return tiles.new_zeros(len(tiles), 1, 1), tiles[:, None, :]


class QueryPool(nn.Module):
    """Learned queries that look at all tiles, and then at each other.

    The cost grows with the tiles, not with their square, and the tiles may come in
    pieces: attention of queries to tiles with several heads, then transformer layers
    among the queries, then their mean.

    Parameters
    ----------
    width : int
        Numbers a tile; divisible by `heads`.
    queries, heads, layers : int
        Of the pool.
    dropout : float
        Within the transformer layers.

    References
    ----------
    Lee et al., Set Transformer, ICML 2019 (pooling by multihead attention); Jaegle et
    al., Perceiver, ICML 2021.

    Examples
    --------
    >>> logits, values = QueryPool(8, queries=3, heads=2)(torch.zeros(5, 8))
    >>> logits.shape, values.shape
    (torch.Size([5, 2, 3]), torch.Size([5, 2, 4]))
    """

    def __init__(
        self,
        width: int,
        queries: int = 8,
        heads: int = 4,
        layers: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.norm = nn.LayerNorm(width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, batch_first=True, norm_first=True
        )
        self.among = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (tiles, heads, queries) and values (tiles, heads, numbers)."""
        tiles = self.norm(tiles)
        keys = self.key(tiles).unflatten(1, (self.heads, -1))
        asked = self.queries.unflatten(1, (self.heads, -1))
        logits = torch.einsum("nhd,khd->nhk", keys, asked) * keys.shape[-1] ** -0.5
        return logits, self.value(tiles).unflatten(1, (self.heads, -1))

    def after(self, pooled: Tensor) -> Tensor:
        """Return what the queries make of (bags, heads, queries, numbers)."""
        found = pooled.transpose(1, 2).flatten(2) + self.queries
        return self.among(found).mean(1)


class BagNet(nn.Module):
    """The net of a bag: layers before the pool, the pool, the risk.

    Parameters
    ----------
    dim : int
        Numbers a tile, as they are on disk.
    pool : {"gated", "plain", "mean", "queries"}
        Attention with and without a gate, the mean, or queries of a transformer.
    width, layers : int
        Width and number of the layers before the pool.
    attention : int
        Width of the attention (``gated`` and ``plain``).
    dropout : float
        After each layer before the pool, and before the risk.
    queries, heads : int
        Of ``queries``.

    Examples
    --------
    >>> net = BagNet(3, width=8)
    >>> net(Ragged(torch.ones(5, 3), (0, 2, 5))).shape
    torch.Size([2, 1])
    """

    mean: Tensor
    scale: Tensor
    pooled_mean: Tensor
    pooled_scale: Tensor

    def __init__(
        self,
        dim: int,
        pool: str = "gated",
        *,
        width: int = 128,
        layers: int = 1,
        attention: int = 64,
        dropout: float = 0.25,
        queries: int = 8,
        heads: int = 4,
    ) -> None:
        super().__init__()
        pick(pool, ("gated", "plain", "mean", "queries"), "pool")
        # What turns each number of a tile into mean 0 and deviation 1 in training.
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        # The same of what the pool gives, from patient to patient: they differ far
        # less than their tiles do, and the risk must not begin blind to it.
        self.register_buffer("pooled_mean", torch.zeros(width))
        self.register_buffer("pooled_scale", torch.ones(width))
        self.first = nn.Linear(dim, width)
        more = [
            part
            for _ in range(layers - 1)
            for part in (nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))
        ]
        self.rest = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), *more)
        self.pool: nn.Module = MeanPool()
        if pool == "queries":
            self.pool = QueryPool(width, queries, heads, dropout=dropout)
        elif pool != "mean":
            self.pool = AttentionPool(width, attention, pool == "gated")
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 1))

    @staticmethod
    def held(
        pool: str,
        *,
        width: int,
        layers: int,
        attention: int = 0,
        queries: int = 0,
        heads: int = 0,
        **_: Any,
    ) -> int:
        """Return how many numbers such a net holds of a tile while it is trained.

        Measured, with a margin of a third or more: what is kept for the way back, and
        the gradients of one bag.

        Examples
        --------
        >>> BagNet.held("gated", width=128, layers=1, attention=64)
        1280
        """
        of_pool = {"queries": 4 * width + 12 * queries * heads, "mean": 0}
        return (2 + 4 * layers) * width + of_pool.get(pool, 8 * attention)

    def forward(self, bags: Ragged | TileStream) -> Tensor:
        """Return the risk of every bag, shape (bags, 1)."""
        if isinstance(bags, TileStream):
            # One by one, so that no bit depends on who is predicted beside whom.
            return torch.cat([self._risk(self._streamed(p)[None]) for p in bags])
        return self._risk(self._pooled(bags))

    def _pooled(self, bags: Ragged) -> Tensor:
        # Bag by bag: arrays of all tiles together are too large for the processor's
        # cache, and the memory for them is asked for anew each time.
        return torch.stack(
            [
                _weighted(*self.pool(self.embed(bags.tiles[low:high])))
                for low, high in bags
            ]
        )

    def _patients(self, pooled: Tensor) -> Tensor:
        """Return what is known of each patient, shape (bags, width)."""
        if isinstance(self.pool, QueryPool):
            return self.pool.after(pooled)
        return pooled.flatten(1)

    def _risk(self, pooled: Tensor) -> Tensor:
        found = self._patients(pooled)
        return self.head((found - self.pooled_mean) / self.pooled_scale)

    @torch.no_grad()
    def learn_scales(self, tiles: Iterable[Any], bags: Iterable[Ragged]) -> None:
        """Learn the scales before training: of tiles, then of what the pool gives.

        Parameters
        ----------
        tiles : iterable of ndarray
            Some tiles of each training patient.
        bags : iterable of Ragged
            The training patients.
        """
        self.mean, self.scale = _moments(torch.as_tensor(part) for part in tiles)
        training = self.training
        self.eval()
        found = (self._patients(self._pooled(bag)) for bag in bags)
        self.pooled_mean, self.pooled_scale = _moments(found)
        self.train(training)

    def embed(self, tiles: Tensor) -> Tensor:
        """Return the tiles as the pool sees them."""
        weight = self.first.weight / self.scale
        bias = self.first.bias - weight @ self.mean
        return self.rest(_CastLinear.apply(tiles, weight, bias))

    def weights(self, pieces: Iterable[Tensor]) -> Tensor:
        """Return how much each tile of one bag counts; they sum to one.

        With queries, the mean over queries and heads.
        """
        logits = torch.cat([self.pool(self.embed(piece))[0] for piece in pieces])
        return logits.double().softmax(0).mean((1, 2))

    def _streamed(self, pieces: Iterable[Tensor]) -> Tensor:
        """Pool one bag that comes in pieces."""
        top = total = pooled = None
        for piece in pieces:
            logits, values = (part.double() for part in self.pool(self.embed(piece)))
            high = logits.amax(0)
            if top is not None:
                high = torch.maximum(top, high)
            share = (logits - high).exp()
            part_total = share.sum(0)
            part = torch.einsum("nhk,nhd->hkd", share, values)
            if top is None:
                total, pooled = part_total, part
            else:
                fade = (top - high).exp()
                total = total * fade + part_total
                pooled = pooled * fade[..., None] + part
            top = high
        return (pooled / total[..., None]).to(self.first.weight.dtype)


def _moments(parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each column; 1 for one that hardly moves."""
    n, total, square = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        part = part.double()
        n += len(part)
        total, square = total + part.sum(0), square + (part**2).sum(0)
    mean = total / n
    deviation = (square / n - mean**2).clamp_min(0).sqrt()
    flat = deviation <= 1e-6 * mean.abs().clamp_min(1e-6)
    return mean.float(), deviation.masked_fill(flat, 1.0).float()


def _weighted(logits: Tensor, values: Tensor) -> Tensor:
    # At least float32, whatever the precision of the net.
    kind = torch.promote_types(values.dtype, torch.float32)
    return torch.einsum("nhk,nhd->hkd", logits.to(kind).softmax(0), values.to(kind))
