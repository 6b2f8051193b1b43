"""The LASSO's choice: coefficient paths and the cross-validation that picks lambda."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["lasso_path"]

_NEEDED = ("lambdas_", "coef_path_", "cvm_", "cvsd_", "nonzero_", "lambda_")
_FAINT = "#BDBDBD"
_UNIT = {"binomial": "log odds ratio", "gaussian": "difference"}
_MEASURES = {
    "deviance": "Partial-likelihood deviance",
    ("binomial", "deviance"): "Binomial deviance",
    ("gaussian", "deviance"): "Squared error",
    "c_index": "c-index",
    "auc": "AUC",
    "class": "Share misclassified",
}


def _family(lasso: Any) -> str:
    """Return the family of a LassoLogistic, "cox" of any other."""
    return str(getattr(lasso, "family", "cox"))


def _draw_paths(ax: Axes, lasso: Any, log_lambda: np.ndarray) -> None:
    """Draw each coefficient against log lambda; the kept ones in colour."""
    path = np.asarray(lasso.coef_path_, dtype=float)
    chosen = int(np.argmin(np.abs(log_lambda - np.log(lasso.lambda_))))
    kept = np.flatnonzero(path[:, chosen])
    for row in np.flatnonzero(np.any(path != 0, axis=1)):
        if row not in kept:
            ax.plot(log_lambda, path[row], color=_FAINT, lw=1)
    for k, row in enumerate(kept):
        ax.plot(log_lambda, path[row], color=COLOURS[k % len(COLOURS)], lw=1.6)
    ax.axhline(0, color=GREY, lw=0.8)
    ax.set_ylabel(f"Coefficient ({_UNIT.get(_family(lasso), 'log HR')})")
    ax.set_title(
        f"{len(kept)} of {len(path)} features kept at the chosen λ (in colour)",
        loc="left",
    )


def _draw_curve(ax: Axes, lasso: Any, log_lambda: np.ndarray) -> None:
    """Draw the cross-validated measure with one standard error either way."""
    mean, error = np.asarray(lasso.cvm_), np.asarray(lasso.cvsd_)
    ax.errorbar(
        log_lambda,
        mean,
        yerr=error,
        fmt="o",
        color=COLOURS[1],
        ecolor=_FAINT,
        ms=3.5,
        elinewidth=1,
        capsize=1.5,
    )
    measure = getattr(lasso, "measure", "deviance")
    name = _MEASURES.get((_family(lasso), measure)) or _MEASURES.get(measure, measure)
    ax.set_ylabel(f"{name}\n(cross-validated, ± 1 SE)")


def _mark_lambdas(axes: Sequence[Axes], lasso: Any) -> None:
    """Draw a line at each rule's lambda; one line where they are the same."""
    marks: dict[float, list[str]] = {}
    for name, text in (("lambda_min_", "λ min"), ("lambda_1se_", "λ 1se")):
        value = getattr(lasso, name, None)
        if value is not None and np.isfinite(value):
            marks.setdefault(float(value), []).append(text)
    styles = ("--", ":")
    for (value, texts), style in zip(sorted(marks.items()), styles, strict=False):
        label = " = ".join(texts)
        for ax in axes:
            ax.axvline(np.log(value), color="black", lw=1.2, ls=style, label=label)
    if marks:
        axes[-1].legend(loc="best", frameon=False, fontsize=TEXT)


def _count_on_top(ax: Axes, lasso: Any, log_lambda: np.ndarray) -> None:
    """Write the number of features in the model along the top."""
    counts = np.asarray(lasso.nonzero_, dtype=int)
    picked = np.unique(np.linspace(0, len(log_lambda) - 1, 8).round().astype(int))
    top = ax.secondary_xaxis("top")
    top.set_xticks(log_lambda[picked], [str(counts[i]) for i in picked])
    top.tick_params(labelsize=TEXT - 1, length=3)
    top.set_xlabel("Number of features", fontsize=TEXT)


def lasso_path(lasso: Any, *, ax: tuple[Axes, Axes] | None = None) -> tuple[Axes, Axes]:
    """Draw how the LASSO shrinks each coefficient, and how lambda was chosen.

    Parameters
    ----------
    lasso : LassoCox or LassoLogistic
        Fitted.
    ax : tuple of two Axes, optional
        For the paths and for the cross-validation; a new figure, one above the other,
        where not given.

    Returns
    -------
    tuple of two Axes
        The paths, with the number of features on top, and the cross-validation.

    Raises
    ------
    InvalidInput
        The model is not fitted.

    References
    ----------
    The two usual figures of R's ``glmnet`` and ``cv.glmnet``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from types import SimpleNamespace
    >>> lasso = SimpleNamespace(
    ...     lambdas_=[0.2, 0.1], coef_path_=[[0.0, 0.3]], cvm_=[10.0, 9.0],
    ...     cvsd_=[0.5, 0.5], nonzero_=[0, 1], lambda_=0.1,
    ...     lambda_min_=0.1, lambda_1se_=0.2,
    ... )
    >>> paths, curve = lasso_path(lasso)
    >>> curve.get_xlabel()
    'log λ'
    >>> plt.close(paths.figure)
    """
    missing = [name for name in _NEEDED if not hasattr(lasso, name)]
    if missing:
        raise InvalidInput(
            "lasso_path draws a fitted LassoCox or LassoLogistic; this "
            f"{type(lasso).__name__} lacks {listed(missing)}. Fit it first."
        )
    log_lambda = np.log(np.asarray(lasso.lambdas_, dtype=float))
    if ax is None:
        ax = tuple(new_axes((6.8, 6.8), nrows=2, sharex=True))
    paths, curve = ax
    _draw_paths(paths, lasso, log_lambda)
    _draw_curve(curve, lasso, log_lambda)
    _mark_lambdas((paths, curve), lasso)
    _count_on_top(paths, lasso, log_lambda)
    curve.set_xlabel("log λ")
    quiet(paths)
    quiet(curve)
    return paths, curve
