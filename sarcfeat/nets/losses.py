"""Losses for survival: Cox's partial likelihood and the discrete-time hazard.

A loss is a small object with three things: ``target(y)`` turns the structured target
into tensors once, ``loss(prediction, target)`` returns a number to be made small, and
``over_cohort`` says whether the patients of a batch can be judged on their own
(False) or only against everyone who is at risk (True). The training loop
(:func:`sarcfeat.nets.fit`) gives a loss of the second kind the predictions of the whole
cohort at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import RiskSets, check_y, kaplan_meier

__all__ = ["CoxLoss", "LogisticHazardLoss", "Loss", "hazard_cuts", "survival_of_hazard"]


class Loss(Protocol):
    """What the training loop asks of a loss."""

    over_cohort: bool

    def target(self, y: Any) -> Any:
        """Turn the structured target into tensors (indexable where not over_cohort)."""
        ...

    def __call__(self, prediction: Tensor, target: Any) -> Tensor:
        """Return the loss of predictions, in the order of the target."""
        ...


@dataclass(frozen=True)
class CoxTarget:
    """Who is at risk when, as index tensors.

    Attributes
    ----------
    order : Tensor of int
        Patients by stratum, and within it from the longest time to the shortest.
    start : Tensor of int
        Where in `order` the strata begin, and its end.
    group_end : Tensor of int
        Place in `order` of the last patient at risk in each group of tied events.
    dead, dead_group : Tensor of int
        The patients with the event, and the group each belongs to.
    term_group, term_fraction, term_weight : Tensor
        The terms of the likelihood; see :mod:`sarcfeat.survival.risk_sets`.
    """

    order: Tensor
    start: Tensor
    group_end: Tensor
    dead: Tensor
    dead_group: Tensor
    term_group: Tensor
    term_fraction: Tensor
    term_weight: Tensor

    def to(self, device: Any) -> CoxTarget:
        """Return the same on another device."""
        return CoxTarget(*(getattr(self, f.name).to(device) for f in fields(self)))


class CoxLoss:
    """Cox's negative log partial likelihood, per event.

    The sum runs over the risk sets of everyone given: call it with the predictions of
    the whole cohort, not of a mini-batch (:func:`sarcfeat.nets.fit` does so).

    Parameters
    ----------
    ties : {"efron", "breslow"}
        How tied events enter the likelihood.

    References
    ----------
    Cox, J R Stat Soc B 1972; Efron, JASA 1977 (ties).

    Examples
    --------
    >>> from sarcfeat.survival import make_y
    >>> loss = CoxLoss()
    >>> target = loss.target(make_y([1, 1, 0], [1.0, 2.0, 3.0]))
    >>> round(float(loss(torch.zeros(3), target)), 4)  # (log 3 + log 2) / 2
    0.8959
    """

    over_cohort = True

    def __init__(self, ties: str = "efron") -> None:
        self.ties = pick(ties, ("efron", "breslow"), "way with ties")

    def __repr__(self) -> str:
        return f"CoxLoss(ties={self.ties!r})"

    def target(self, y: Any, strata: npt.ArrayLike | None = None) -> CoxTarget:
        """Index the risk sets of a cohort.

        Parameters
        ----------
        y : structured array of (event, time)
        strata : array-like of shape (n_patients,), optional
            Patients of different strata are never in one risk set.
        """
        event, time = check_y(y)
        sets = RiskSets(event, time, ties=self.ties, strata=strata)
        stratum = np.zeros(len(event), dtype=np.intp)
        if strata is not None:
            stratum = np.unique(np.asarray(strata), return_inverse=True)[1].reshape(-1)
        order = np.lexsort((-np.asarray(time), stratum))
        start = np.searchsorted(stratum[order], np.arange(stratum.max() + 2))
        # At risk in a group: those of its stratum whose time is not before it.
        ends = [
            start[s] + np.sum((stratum == s) & (time >= t)) - 1
            for s, t in zip(sets.group_stratum, sets.group_time, strict=True)
        ]
        dead = np.flatnonzero(event)
        whole = [order, start, ends, dead, sets.group_of_row[dead], sets.term_group]
        return CoxTarget(
            *(torch.as_tensor(np.array(a, dtype=np.int64)) for a in whole),
            torch.as_tensor(sets.term_fraction, dtype=torch.float64),
            torch.as_tensor(sets.term_weight, dtype=torch.float64),
        )

    def __call__(self, prediction: Tensor, target: CoxTarget) -> Tensor:
        """Return the loss of log hazards of shape (n_patients,) or (n_patients, 1)."""
        eta = _one_column(prediction, len(target.order)).double()
        sorted_eta = eta[target.order]
        bounds = target.start.tolist()
        at_risk = torch.cat(
            [
                torch.logcumsumexp(sorted_eta[low:high], 0)
                for low, high in pairwise(bounds)
            ]
        )[target.group_end]
        logs = at_risk[target.term_group]
        if bool(target.term_fraction.any()):
            # Share of a risk set that dies in it: at most 1, whatever the size of eta.
            share = (eta[target.dead] - at_risk[target.dead_group]).exp()
            dying = torch.zeros_like(at_risk).index_add(0, target.dead_group, share)
            kept = 1 - target.term_fraction * dying[target.term_group]
            logs = logs + kept.clamp_min(1e-300).log()
        observed = eta[target.dead].sum()
        return (target.term_weight @ logs - observed) / len(target.dead)


def _one_column(prediction: Tensor, n: int) -> Tensor:
    if prediction.ndim == 2 and prediction.shape[1] == 1:
        prediction = prediction[:, 0]
    if prediction.shape != (n,):
        raise InvalidInput(
            f"CoxLoss was given predictions of shape {tuple(prediction.shape)} for {n} "
            "patients; expected one log hazard a patient."
        )
    return prediction


class LogisticHazardLoss:
    """Negative log-likelihood of a discrete-time hazard, per patient.

    Follow-up is cut into intervals ``(0, c1], (c1, c2], …``; the net gives one logit
    per interval, the hazard of the event in it given that it has not come before. A
    patient who had the event counts as free of it in the intervals before and as
    having it in its own; a censored one as free of it in the intervals that were
    watched to their end.

    Parameters
    ----------
    cuts : array-like of float
        Ends of the intervals, rising; see :func:`hazard_cuts`. What happens after the
        last one is censored there.

    References
    ----------
    Brown CC, Biometrics 1975; Gensheimer MF & Narasimhan B, PeerJ 2019;7:e6257.

    Examples
    --------
    >>> from sarcfeat.survival import make_y
    >>> loss = LogisticHazardLoss([1.0, 2.0])
    >>> target = loss.target(make_y([1, 0], [0.5, 2.5]))
    >>> round(float(loss(torch.zeros(2, 2), target)), 4)  # (log 2 + 2 log 2) / 2
    1.0397
    """

    over_cohort = False

    def __init__(self, cuts: npt.ArrayLike) -> None:
        self.cuts = np.asarray(cuts, dtype=float)
        if self.cuts.ndim != 1 or not len(self.cuts) or not self.cuts[0] > 0:
            raise InvalidInput(f"cuts are {cuts!r}; expected rising times above 0.")
        if (np.diff(self.cuts) <= 0).any():
            raise InvalidInput(f"cuts are {cuts!r}; expected rising times above 0.")

    def __repr__(self) -> str:
        return f"LogisticHazardLoss({self.cuts.tolist()})"

    def target(self, y: Any) -> Tensor:
        """Return (n_patients, 2, n_intervals): what was watched, and the event."""
        event, time = check_y(y)
        watched = time[:, None] >= self.cuts[None, :]
        own = np.searchsorted(self.cuts, time, side="left")
        had = event & (own < len(self.cuts))
        hit = np.zeros_like(watched)
        hit[np.flatnonzero(had), own[had]] = True
        return torch.as_tensor(np.stack([watched | hit, hit], axis=1))

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of logits of shape (n_patients, n_intervals)."""
        shape = (len(target), len(self.cuts))
        if prediction.shape != shape:
            raise InvalidInput(
                f"LogisticHazardLoss was given predictions of shape "
                f"{tuple(prediction.shape)}; expected {shape}: a logit per interval."
            )
        watched, hit = target[:, 0], target[:, 1]
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            prediction.double(), hit.double(), reduction="none"
        )
        return (each * watched).sum() / len(target)


def hazard_cuts(y: Any, n: int = 10) -> npt.NDArray[np.float64]:
    """Return the ends of `n` intervals that hold about as many events each.

    Learned from the training patients: the Kaplan–Meier curve falls by the same
    amount in each interval.

    Examples
    --------
    >>> from sarcfeat.survival import make_y
    >>> hazard_cuts(make_y([1, 1, 1, 1], [1.0, 2.0, 3.0, 4.0]), 2)
    array([2., 4.])
    """
    event, time = check_y(y)
    curve = kaplan_meier(event, time)
    fallen = 1 - np.asarray(curve.survival, dtype=float)
    steps = fallen[-1] * np.arange(1, n + 1) / n
    where = np.searchsorted(fallen, steps - 1e-12)
    times = np.asarray(curve.time, dtype=float)[np.minimum(where, len(fallen) - 1)]
    cuts = np.unique(times)
    return cuts[cuts > 0]


def survival_of_hazard(logits: Tensor) -> Tensor:
    """Return the survival at the end of each interval, shape (n_patients, n_cuts).

    Examples
    --------
    >>> survival_of_hazard(torch.zeros(1, 2))
    tensor([[0.5000, 0.2500]])
    """
    return torch.nn.functional.logsigmoid(-logits).cumsum(1).exp()
