"""Which columns of a design are one variable: the levels of one, or its spline."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.feature_selection import SelectorMixin

from sarcfeat._validation import listed
from sarcfeat.exceptions import SarcfeatWarning
from sarcfeat.transform import (
    MRMR,
    Categories,
    CorrelationFilter,
    DropConstant,
    DropDuplicates,
    ICCFilter,
    KappaFilter,
    RestrictedCubicSpline,
    UnivariateCoxFilter,
    UnivariateLogisticFilter,
)

__all__ = ["Term", "terms_of", "terms_of_pipeline"]

# Steps that leave the values of the columns that they keep as they are.
HARMLESS = (
    MRMR,
    Categories,
    CorrelationFilter,
    DropConstant,
    DropDuplicates,
    ICCFilter,
    KappaFilter,
    RestrictedCubicSpline,
    SelectorMixin,
    UnivariateCoxFilter,
    UnivariateLogisticFilter,
)


@dataclass(frozen=True)
class Term:
    """A variable and the columns of the design that were made of it.

    Attributes
    ----------
    name : str
        The variable's own column.
    columns : tuple of str
    levels : tuple of str
        Of a category, the reference (which has no column) first.
    knots : tuple of float
        Of a spline.
    """

    name: str
    columns: tuple[str, ...]
    levels: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()

    def under(self, prefix: str) -> Term:
        """Return the term with a prefix before every column."""
        columns = tuple(prefix + column for column in self.columns)
        return replace(self, name=prefix + self.name, columns=columns)


def terms_of(step: Any) -> list[Term]:
    """Return the variables that a fitted transformer turned into several columns.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"histology": ["LMS", "UPS", "DDLPS"]})
    >>> terms_of(Categories().fit(X))[0].columns
    ('histology=LMS', 'histology=UPS')
    """
    if isinstance(step, Categories):
        return [
            Term(name, tuple(step.terms_[name]), levels=tuple(levels))
            for name, levels in step.levels_.items()
            if len(levels) > 1
        ]
    if isinstance(step, RestrictedCubicSpline):
        return [
            Term(name, tuple(step.terms_[name]), knots=knots)
            for name, knots in step.knots_.items()
        ]
    if hasattr(step, "transformers_"):
        return _terms_of_branches(step)
    return terms_of_pipeline(step.steps) if hasattr(step, "steps") else []


def terms_of_pipeline(steps: Sequence[tuple[str, Any]]) -> list[Term]:
    """Return the terms that come out of a chain of fitted steps."""
    terms: list[Term] = []
    for _, step in steps:
        terms = [*_passed(step, terms), *terms_of(step)]
    return terms


def _terms_of_branches(step: Any) -> list[Term]:
    return [
        term.under(_prefix(step, name))
        for name, branch, _ in step.transformers_
        for term in terms_of(branch)
    ]


def _prefix(step: Any, branch: str) -> str:
    return f"{branch}__" if step.verbose_feature_names_out is True else ""


def _harmless(step: Any) -> bool:
    return (
        step == "passthrough" if isinstance(step, str) else isinstance(step, HARMLESS)
    )


def _passed(step: Any, terms: Iterable[Term]) -> list[Term]:
    """Return the terms whose columns come out of a later step as they went in."""
    kept, lost = [], []
    for term in terms:
        after = _through_branches(step, term) if _branches(step) else term
        fine = after is not None and (_branches(step) or _harmless(step))
        if fine and after is not None:
            kept.append(after)
        else:
            lost.append(term.name)
    if lost:
        warnings.warn(
            f"{type(step).__name__} comes after the columns of {listed(lost)} were "
            "made and may change them, so they are drawn as an axis each. Scale "
            "before Categories and RestrictedCubicSpline, not after.",
            SarcfeatWarning,
            stacklevel=5,
        )
    return kept


def _branches(step: Any) -> bool:
    return hasattr(step, "transformers_")


def _through_branches(step: Any, term: Term) -> Term | None:
    names = np.asarray(step.feature_names_in_, dtype=object)
    for branch, inner, columns in step.transformers_:
        taken = columns if _are_names(columns) else names[columns].tolist()
        if set(term.columns) <= set(taken):
            chain = inner.steps if hasattr(inner, "steps") else [(branch, inner)]
            fine = all(_harmless(part) for _, part in chain)
            return term.under(_prefix(step, branch)) if fine else None
    return None


def _are_names(columns: Any) -> bool:
    return isinstance(columns, list) and all(isinstance(c, str) for c in columns)
