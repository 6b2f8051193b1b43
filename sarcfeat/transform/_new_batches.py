"""Batches that ComBat meets in ``transform`` and has not seen at the fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import SarcfeatWarning, UnseenBatch
from sarcfeat.transform._empirical_bayes import (
    LocationScale,
    count_mean_square,
    posterior,
)

__all__ = ["meet_unseen", "with_new_batches"]


def meet_unseen(
    labels: pd.Series, unseen: str, known: Sequence[Any], min_estimate: int
) -> None:
    """Refuse, or warn of, patients of batches that were not there at the fit.

    Parameters
    ----------
    labels : Series
        The batch of each such patient.
    unseen : {"raise", "reference", "estimate", "skip"}
    known : sequence
        The batches of the fit.
    min_estimate : int

    Raises
    ------
    UnseenBatch
    """
    if unseen == "reference":
        return
    if unseen == "estimate":
        _refuse_small(labels, min_estimate)
        return
    batches = listed(sorted(map(str, labels.unique())))
    patients = listed(labels.index)
    if unseen == "raise":
        raise UnseenBatch(
            f"{len(labels)} patients come from a batch that ComBat was not fitted on: "
            f"{batches} (patients {patients}). Known: {listed(known)}. Fit with "
            "patients of that batch, or choose unseen='reference' or 'skip' to leave "
            "their values as they are, or 'estimate' to learn the batch from these "
            "patients."
        )
    warnings.warn(
        f"ComBat leaves {len(labels)} patients of unseen batches as they are: "
        f"{batches} (patients {patients}).",
        SarcfeatWarning,
        stacklevel=3,
    )


def _refuse_small(labels: pd.Series, min_estimate: int) -> None:
    """Refuse to estimate a new batch from a handful of patients."""
    counts = labels.value_counts()
    few = counts[counts < min_estimate]
    if len(few):
        found = listed(f"{batch} ({n} patients)" for batch, n in few.items())
        patients = listed(labels.index[labels.isin(few.index)])
        raise UnseenBatch(
            f"ComBat was not fitted on {found} and estimates a new batch from "
            f"{min_estimate} patients or more (patients {patients}). Transform more "
            "of its patients together, lower min_estimate, or choose "
            "unseen='reference' or 'skip'."
        )


def with_new_batches(
    model: LocationScale,
    X: np.ndarray,
    codes: np.ndarray,
    covariates: np.ndarray,
    *,
    parametric: bool,
    mean_only: bool,
) -> LocationScale:
    """Return the model with the batches numbered beyond its own, from their patients.

    Parameters
    ----------
    model : LocationScale
    X : ndarray of shape (n_patients, n_features)
    codes : ndarray of int, shape (n_patients,)
        Numbers of the batches; those of the fit come first.
    covariates : ndarray of shape (n_patients, n_covariates)
    """
    gamma, delta = list(model.gamma), list(model.delta)
    for code in range(len(gamma), int(codes.max(initial=-1)) + 1):
        rows = codes == code
        shift, spread = estimate_batch(
            X[rows], covariates[rows], model, parametric=parametric, mean_only=mean_only
        )
        gamma.append(shift)
        delta.append(spread)
    return replace(model, gamma=np.array(gamma), delta=np.array(delta))


def estimate_batch(
    X: np.ndarray,
    covariates: np.ndarray,
    model: LocationScale,
    *,
    parametric: bool = True,
    mean_only: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return shift and variance of one new batch, from its own patients.

    Against the mean and the scale of the fit, and drawn towards the distribution over
    features of this batch, as the batches of the fit were. A feature that is constant
    in the batch is shifted only; one without two values there is left as it is.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features)
    covariates : ndarray of shape (n_patients, n_covariates)
    model : LocationScale
    """
    Z = (X - model.grand_mean - covariates @ model.beta) / model.scale
    n, shift, square = count_mean_square(Z)
    gamma, delta = np.zeros(Z.shape[1]), np.ones(Z.shape[1])
    solved = n >= 2
    shift, square, n = shift[solved], square[solved], n[solved]
    spread = square / (n - 1)
    flat = mean_only | (spread <= 1e-13)
    spread = np.where(flat, 1.0, spread)
    if solved.sum() > 1:
        shift, spread = posterior(Z[:, solved], shift, spread, parametric, mean_only)
    gamma[solved], delta[solved] = shift, np.where(flat, 1.0, spread)
    return gamma, delta
