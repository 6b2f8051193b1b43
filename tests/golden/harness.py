"""Compare our numbers with every number of a golden case.

A method is implemented by ``tests/golden/methods/<method>.py`` with

- ``compute(case) -> dict``: our numbers in the shape of ``expected["results"]``;
- ``RTOL``, ``ATOL``: the default tolerance (from the case's suggestion);
- ``TOLERANCE``: {key pattern: (rtol, atol)} where a key needs its own, with a comment;
- ``UNREAD``: {key pattern: reason} for the keys that are not compared.

Keys are paths joined by "/", patterns are ``fnmatch``'s. A leaf is a number, a text
or a (nested) list of them. A computed leaf may be a :class:`Verdict` where the
criterion is not closeness. Every key of the case is compared, listed in ``UNREAD``,
or a failure.
"""

import importlib
import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """A judgement by another criterion than closeness to the golden value."""

    ok: bool
    message: str


class Case:
    """One folder ``<method>/<case>`` of golden values."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.name = f"{self.folder.parent.name}/{self.folder.name}"
        self.method = self.folder.parent.name

    @cached_property
    def expected(self):
        return json.loads((self.folder / "expected.json").read_text(encoding="utf-8"))

    @property
    def results(self):
        return self.expected["results"]

    @property
    def params(self):
        return self.expected["params"]

    def frame(self, name="input.csv", **kwargs):
        """Read one of the case's CSV files."""
        return pd.read_csv(self.folder / name, **kwargs)


def several(value):
    """Return a list: the file may hold the only entry of one in its place."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def find_cases(root):
    """Return every case under a folder laid out ``<method>/<case>/expected.json``."""
    return [Case(path.parent) for path in sorted(Path(root).glob("*/*/expected.json"))]


def method_module(method):
    """Return the module that computes a method, or None where there is none."""
    name = f"tests.golden.methods.{method}"
    if importlib.util.find_spec(name) is None:
        return None
    return importlib.import_module(name)


def flatten(value, path=""):
    """Yield (path, leaf) of a nested structure; lists of dicts go by their index."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{path}/{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}/{index}")
    else:
        yield path, value


def _matching(patterns, key):
    for pattern, value in patterns.items():
        if fnmatchcase(key, pattern):
            return value
    return None


def _is_number(value):
    return value is None or isinstance(value, (bool, int, float, np.number))


def disagreement(ours, theirs, rtol, atol):
    """Return why two leaves differ, or an empty text where they agree."""
    if isinstance(ours, Verdict):
        return "" if ours.ok else ours.message
    if isinstance(theirs, str) or _has_text(theirs):
        ours = _plain(ours)
        same = ours == theirs or several(ours) == several(theirs)
        return "" if same else f"ours {ours!r}, golden {theirs!r}"
    a = np.asarray(_numbers(ours), dtype=float)
    a = np.where(np.isinf(a), np.nan, a)  # the file has null for them all
    b = np.asarray(_numbers(theirs), dtype=float)
    if a.size == b.size == 1:  # the file may hold an entry for a list of one
        a, b = a.reshape(1), b.reshape(1)
    if a.shape != b.shape:
        return f"ours has shape {a.shape}, golden {b.shape}"
    close = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return ""
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = np.abs(a - b)
        off = np.nanmax(gaps, initial=0.0)
        share = np.nanmax(gaps / np.abs(b), initial=0.0)
    return (
        f"{int((~close).sum())} of {close.size} values differ (largest {off:.3g}, "
        f"relative {share:.3g}; rtol {np.max(rtol):g}, atol {np.max(atol):g})"
    )


def _has_text(value):
    if isinstance(value, list):
        return any(_has_text(v) for v in value)
    return isinstance(value, str)


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    return list(value) if isinstance(value, (tuple, pd.Index, pd.Series)) else value


def _numbers(value):
    if isinstance(value, (list, tuple, pd.Series)):
        return [_numbers(v) for v in value]
    if value is None:
        return np.nan
    return value


def compare(case, module):
    """Return (number of keys compared, keys listed with a reason, problems)."""
    ours = dict(flatten(_listify(module.compute(case))))
    tolerance = getattr(module, "TOLERANCE", {})
    unread = getattr(module, "UNREAD", {})
    compared, listed, problems = 0, [], []
    for key, theirs in flatten(case.results):
        if key in ours:
            rtol, atol = _matching(tolerance, key) or (module.RTOL, module.ATOL)
            why = disagreement(ours[key], theirs, rtol, atol)
            compared += 1
            if why:
                problems.append(f"{key}: {why}")
        elif _matching(unread, key):
            listed.append(key)
        else:
            problems.append(f"{key}: not compared and not listed with a reason")
    if not compared:
        problems.append("no key was compared at all")
    return compared, listed, problems


def _listify(value):
    if isinstance(value, dict):
        return {key: _listify(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value
