"""Attention over the tiles of a patient's slides, trained on survival."""

from __future__ import annotations

from numbers import Integral
from os import PathLike
from typing import Any, ClassVar

from sarcfeat._validation import Interval
from sarcfeat.estimators._bag_model import BagModel

__all__ = ["AttentionMIL"]


class AttentionMIL(BagModel):
    """Risk from all tiles of a patient, each weighted by attention.

    Layers for each tile, attention that weighs the tiles, one risk a patient; trained
    by Cox's partial likelihood over everybody at risk. Each time a patient is trained
    on, `n_tiles` of its tiles are drawn anew from all its slides; a prediction uses
    all of them, in pieces, whatever their number.

    Parameters
    ----------
    bags : str, optional
        The column of references (``BagRef``); default the only one of X.
    regions : tuple of str, optional
        Only tiles of these regions, such as ``("C", "P")``: one bag of several.
    gated : bool
        Attention with a gate, or plain.
    width, layers : int
        Width and number of the layers before the attention.
    attention_width : int
        Width of the attention.
    dropout : float
        Share of the numbers left out in training.
    n_tiles : int
        Tiles drawn of each patient; all where there are fewer (counted in
        ``n_fewer_``).
    replace : bool
        Draw with replacement where there are fewer.
    epochs : int
        Times that each patient is seen, at most.
    patience : int, optional
        Epochs without a better validation loss after which training stops.
    validation : float, optional
        Share of the training patients set aside to choose the epoch. None or 0 trains
        all epochs on everybody; with few events among those set aside (some ten), the
        choice is mostly chance.
    lr, weight_decay : float
        Learning rate and decay of AdamW.
    batch_size : int
        Patients per step. The rest of the risk set enters with its last prediction.
    max_bytes : int
        What tiles and net may take at a time, from some 200 MB on; fewer patients are
        then held at once and steps are put together from several batches.
    missing : {"raise", "drop"}
        Patients without tiles: refuse them; or leave them out of the training and
        give them the mean risk at prediction, with a warning.
    device : str
        ``auto`` takes the GPU where there is one.
    precision : {"float32", "bfloat16"}
        ``bfloat16`` computes the net in mixed precision.
    checkpoint : path, optional
        A folder; a training that was stopped goes on from there to the same weights.
    progress : bool
        Show a bar.
    random_state : int, RandomState or None
        Same number, same bits on a CPU with as many threads.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Of the net, at the best epoch.
    history_ : DataFrame
        ``epoch, split, metric, value``.
    best_epoch_ : int
    center_ : float
        Mean risk of the training patients, which ``predict`` takes off.
    baseline_ : BaselineHazard
        Breslow's cumulative hazard of the mean training patient.
    dim_ : int
        Numbers a tile.
    n_tiles_in_, n_fewer_, n_missing_ : int
        Tiles of the training patients; patients with fewer than `n_tiles`; patients
        left out for having none.
    n_train_, n_validation_ : int
        Patients trained on and set aside.
    n_features_in_, feature_names_in_
        The column of references.

    See Also
    --------
    RegionScores : One score for each combination of regions, cross-fitted.
    MeanPoolCox, TransformerPool : What it is to be compared with.

    References
    ----------
    Ilse, Tomczak & Welling, ICML 2018 (attention); Michot et al., 2025 (regions of
    soft-tissue sarcomas).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import make_y
    >>> from sarcfeat.io import BagArray
    >>> rng = np.random.default_rng(0)
    >>> hazard = rng.normal(size=40)
    >>> tiles = [rng.normal(mean, 1, (30, 3)) for mean in hazard]
    >>> bags = [BagArray(f"P{i}", given) for i, given in enumerate(tiles)]
    >>> X = pd.DataFrame({"cnn.bag": pd.Series(bags, dtype=object)})
    >>> y = make_y(np.ones(40), rng.exponential(np.exp(-hazard)))
    >>> model = AttentionMIL(epochs=20, width=32, random_state=0).fit(X, y)
    >>> bool(np.corrcoef(model.predict(X), hazard)[0, 1] > 0.8)
    True
    >>> round(float(model.attention(X)["0"].sum()), 6)
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BagModel._parameter_constraints,
        "gated": ["boolean"],
        "attention_width": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        bags: str | None = None,
        *,
        regions: Any = None,
        gated: bool = True,
        width: int = 128,
        layers: int = 1,
        attention_width: int = 64,
        dropout: float = 0.25,
        n_tiles: int = 10_000,
        replace: bool = False,
        epochs: int = 30,
        patience: int | None = 10,
        validation: float | None = 0.2,
        lr: float = 2e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 16,
        max_bytes: int = 2 * 1024**3,
        missing: str = "raise",
        device: str = "auto",
        precision: str = "float32",
        checkpoint: str | PathLike[str] | None = None,
        progress: bool = False,
        random_state: Any = 0,
    ) -> None:
        self.bags = bags
        self.regions = regions
        self.gated = gated
        self.width = width
        self.layers = layers
        self.attention_width = attention_width
        self.dropout = dropout
        self.n_tiles = n_tiles
        self.replace = replace
        self.epochs = epochs
        self.patience = patience
        self.validation = validation
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_bytes = max_bytes
        self.missing = missing
        self.device = device
        self.precision = precision
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    def _pool(self) -> dict[str, Any]:
        pool = "gated" if self.gated else "plain"
        return {"pool": pool, "attention": self.attention_width}
