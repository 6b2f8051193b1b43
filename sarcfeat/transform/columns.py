"""Choose columns of X by the name of a feature or of a whole feature set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput, UnknownName

__all__ = ["columns"]


class _Columns:
    """Callable that picks columns by name or by feature set; see :func:`columns`."""

    def __init__(self, names: tuple[str, ...], exclude: tuple[str, ...]) -> None:
        self.names = names
        self.exclude = exclude

    def __call__(self, X: pd.DataFrame) -> list[str]:
        """Return the chosen columns, in the order of X."""
        if not isinstance(X, pd.DataFrame):
            raise InvalidInput(
                f"columns({', '.join(map(repr, self.names))}) needs a DataFrame with "
                f"named columns; got {type(X).__name__}."
            )
        for name in self.names:
            if not any(_belongs(column, name) for column in X.columns):
                raise UnknownName(_no_column(name, X.columns))
        return [
            column
            for column in X.columns
            if any(_belongs(column, name) for name in self.names)
            and not any(_belongs(column, name) for name in self.exclude)
        ]

    def __repr__(self) -> str:
        parts = [repr(name) for name in self.names]
        if self.exclude:
            parts.append(f"exclude={self.exclude!r}")
        return f"columns({', '.join(parts)})"

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, _Columns):
            return NotImplemented
        return (self.names, self.exclude) == (other.names, other.exclude)

    def __hash__(self) -> int:
        return hash((self.names, self.exclude))


def columns(*names: str, exclude: str | Sequence[str] = ()) -> _Columns:
    """Choose columns of X: a column by its name, or a feature set with all it holds.

    For scikit-learn's ``ColumnTransformer``. ``"radiomics.t1"`` takes every column that
    starts with ``radiomics.t1.``; ``"clinical.age"`` takes that column.

    Parameters
    ----------
    *names : str
        Columns or feature sets; each must match at least one column of X.
    exclude : str or sequence of str
        Columns or feature sets to leave out of these. One that X lacks is no error.

    Returns
    -------
    callable
        Takes a DataFrame, returns the list of its chosen columns in their order. It can
        be pickled, cloned and compared.

    Raises
    ------
    InvalidInput
        No name is given; or, when called, X is no DataFrame.
    UnknownName
        When called: a name matches no column of X.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame(columns=["radiomics.t1.mean", "clinical.age", "site"])
    >>> columns("radiomics.t1", "site")(X)
    ['radiomics.t1.mean', 'site']
    >>> columns("radiomics", exclude="radiomics.t1")
    columns('radiomics', exclude=('radiomics.t1',))
    """
    exclude = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    wrong = [name for name in (*names, *exclude) if not isinstance(name, str)]
    if not names or wrong:
        raise InvalidInput(
            "columns takes names of columns or feature sets, as in "
            "columns('radiomics.t1', 'site'); got "
            f"{listed(map(repr, wrong)) if wrong else 'none'}."
        )
    return _Columns(names, exclude)


def _belongs(column: Any, name: str) -> bool:
    return column == name or str(column).startswith(f"{name}.")


def _feature_sets(known: pd.Index) -> list[str]:
    """Return every column and every feature set it belongs to, without repetition."""
    found: dict[str, None] = {}
    for column in map(str, known):
        parts = column.split(".")
        found.update(dict.fromkeys(".".join(parts[: i + 1]) for i in range(len(parts))))
    return list(found)


def _no_column(name: str, known: pd.Index) -> str:
    sets = _feature_sets(known)
    roots = list(dict.fromkeys(s for s in sets if s.count(".") <= 1))
    return (
        f"X has no column {name!r} and no feature set of that name."
        f"{did_you_mean(name, sets)} Known: {listed(roots, 12) or 'none'}."
    )
