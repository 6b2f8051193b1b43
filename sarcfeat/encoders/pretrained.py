"""Which weights a net has: a local file known by its bytes, or drawn ones by name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from sarcfeat._validation import listed
from sarcfeat.exceptions import InputMissing, InvalidInput, UntrustedFile

__all__ = ["VARIABLE", "Weights", "find_weights"]

VARIABLE = "SARCFEAT_WEIGHTS"
RANDOM = "random"
SUFFIXES = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True)
class Weights:
    """The weights of a net, before they are read.

    Parameters
    ----------
    path : str or None
        The file; None for drawn weights.
    sha256 : str or None
        What its bytes are.
    random_state : int or None
        The number that drawn weights follow from; None for a file.
    """

    path: str | None = None
    sha256: str | None = None
    random_state: int | None = None

    @property
    def random(self) -> bool:
        """Whether nothing was ever learned by them."""
        return self.path is None

    def check(self) -> None:
        """Refuse a file that has changed since it was named."""
        if self.path is None:
            return
        now = _sha256(Path(self.path))
        if now != self.sha256:
            raise InvalidInput(
                f"weights {self.path} have changed: sha256 {now[:12]}…, it was "
                f"{str(self.sha256)[:12]}…. Build the encoder again, so that its "
                "fingerprint says what it computes."
            )


def find_weights(
    weights: str | PathLike[str] | None,
    random_state: int | None,
    arch: str,
    *,
    suffixes: tuple[str, ...] = SUFFIXES,
) -> Weights:
    """Find the weights asked for; nothing is ever downloaded.

    Parameters
    ----------
    weights : path, "random" or None
        A file; a folder that holds one file whose name starts with `arch`
        (``resnet18-f37072fd.pth``); None for what the variable ``SARCFEAT_WEIGHTS``
        says; or ``"random"``.
    random_state : int or None
        For ``"random"`` only.
    arch : str
        The architecture, for folders and messages.
    suffixes : tuple of str
        Kinds of file that are taken.

    Raises
    ------
    InputMissing
        There are no weights; the message says the three ways to give some.
    InvalidInput, UntrustedFile
        Two files fit, the file is of another kind, or `random_state` does not go with
        `weights`.
    """
    if isinstance(weights, str) and weights == RANDOM:
        return _drawn(random_state, arch)
    if random_state is not None:
        raise InvalidInput(
            f"random_state={random_state!r} goes with weights='random'; weights are "
            f"{weights!r}. Leave it out."
        )
    given = os.environ.get(VARIABLE) if weights is None else fspath(weights)
    if not given:
        raise InputMissing(
            f"No weights for {arch}. Pass weights=FILE (a state dict as torchvision "
            f"publishes it, .pth or .safetensors), set {VARIABLE} to the file or its "
            "folder, or ask for weights='random', random_state=0, which has learned "
            "nothing."
        )
    path = _one_file(Path(given), arch, suffixes)
    if path.suffix.lower() not in suffixes:
        raise UntrustedFile(
            f"weights {path} are of the kind {path.suffix!r}; expected "
            f"{', '.join(suffixes)}."
        )
    return Weights(str(path.resolve()), _sha256(path))


def _drawn(random_state: int | None, arch: str) -> Weights:
    if not isinstance(random_state, int) or random_state < 0:
        raise InvalidInput(
            f"weights='random' for {arch} needs random_state=N, a whole number from 0; "
            f"got {random_state!r}. It is part of what the features are."
        )
    return Weights(random_state=random_state)


def _one_file(place: Path, arch: str, suffixes: tuple[str, ...]) -> Path:
    if not place.is_dir():
        if not place.is_file():
            raise InputMissing(f"No weights file {place} for {arch}. Correct the path.")
        return place
    found = _named(place.iterdir(), arch, suffixes)
    if len(found) == 1:
        return found[0]
    said = (
        f"holds {len(found)} ({listed(p.name for p in found)})" if found else "has no"
    )
    raise InputMissing(
        f"The folder {place} {said} weights files named {arch}*; expected one. Name "
        "the file itself."
    )


def _named(files: Iterable[Path], arch: str, suffixes: tuple[str, ...]) -> list[Path]:
    kept = (p for p in files if p.suffix.lower() in suffixes)
    return sorted(p for p in kept if p.name.lower().startswith(arch))


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise InputMissing(f"The weights file {path} is gone. Restore it.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
