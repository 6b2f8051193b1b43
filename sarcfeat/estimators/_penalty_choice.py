"""What models with a cross-validated penalty share: the choice, and its outcome."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sarcfeat._validation import HasMethods, Interval, StrOptions, listed
from sarcfeat.estimators._cox_path import CoxPath
from sarcfeat.estimators._elastic_net import Curve, coefficient_table
from sarcfeat.estimators._glm_path import GLMPath
from sarcfeat.exceptions import InvalidInput, NothingSelected

__all__ = ["PATH_CONSTRAINTS", "PenaltyChoice"]

Floats = NDArray[np.float64]

PATH_CONSTRAINTS: dict[str, list[Any]] = {
    "cv": [
        Interval(Integral, 2, None, closed="left"),
        HasMethods(["split"]),
        "array-like",
        None,
    ],
    "rule": [StrOptions({"min", "1se"})],
    "n_lambda": [Interval(Integral, 2, None, closed="left")],
    "lambda_min_ratio": [Interval(Real, 0, 1, closed="neither"), None],
    "lambdas": ["array-like", None],
    "penalty_factor": ["array-like", None],
    "standardize": ["boolean"],
    "random_state": ["random_state"],
}


class PenaltyChoice:
    """Mixin of the models that fit a path of penalties and keep one of them.

    A subclass has the parameters ``cv, rule, measure, lambdas``.
    """

    # What a model without any feature predicts, for the warning.
    _constant_prediction: ClassVar[str]

    def _without_folds(self) -> bool:
        """Return whether one penalty is given and none is to be chosen.

        Raises
        ------
        InvalidInput
            No cross-validation, and not one penalty.
        """
        if self.cv is not None:
            return False
        if np.size(self.lambdas) != 1 or self.lambdas is None:
            raise InvalidInput(
                "cv=None fits one penalty without cross-validation and needs it: "
                f"pass lambdas=[0.1], say; got lambdas={self.lambdas!r}."
            )
        return True

    def _choose(self, path: CoxPath | GLMPath, curve: Curve) -> int:
        """Keep the path and its curve; return the index of the penalty in use."""
        self.lambdas_ = path.lambdas
        self.coef_path_ = path.coef
        self.nonzero_ = (path.coef != 0).sum(axis=0)
        self.deviance_ratio_ = path.deviance_ratio
        self.nulldev_ = path.null_deviance
        self.cvm_, self.cvsd_, self.n_folds_ = curve.mean, curve.sd, curve.n_folds
        best, sparse = 0, 0
        if np.isfinite(curve.mean).any():
            best = curve.choose("min", self.measure)
            sparse = curve.choose("1se", self.measure)
        self.lambda_min_ = float(path.lambdas[best])
        self.lambda_1se_ = float(path.lambdas[sparse])
        used = best if self.rule == "min" else sparse
        self.lambda_ = float(path.lambdas[used])
        return used

    def _describe(
        self,
        names: NDArray[np.object_],
        coef: Floats,
        spread: Floats,
        event: NDArray[Any],
    ) -> None:
        """Name the features in the model; warn where there is none."""
        chosen = np.flatnonzero(coef)
        self.selected_ = [str(name) for name in names[chosen]]
        self.coef_table_ = coefficient_table(names, coef, spread)
        self.is_constant_ = not len(chosen)
        if self.is_constant_:
            warnings.warn(
                f"{type(self).__name__} selected none of the {len(names)} features "
                f"({listed(names, 3) or 'X has no column'}) from {len(event)} patients "
                f"with {int(event.sum())} events; {self._constant_prediction}.",
                NothingSelected,
                stacklevel=3,
            )
