"""Parameter files: read, from anywhere or shipped with the package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import yaml

from sarcfeat._validation import did_you_mean
from sarcfeat.encoders.parameters import canonical
from sarcfeat.encoders.prepared import check_chain
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.exceptions import InputMissing, InvalidInput
from sarcfeat.io import refuse_untrusted

__all__ = ["Source", "load_chain", "load_params", "shipped"]

Source = str | PathLike[str] | Mapping[str, Any] | None
Files = Mapping[str, str | PathLike[str]]


def shipped() -> list[str]:
    """List the parameter files that come with the package.

    Examples
    --------
    >>> for name in shipped():
    ...     print(name)
    all_filters.yaml
    demo.yaml
    dlr_nomogram.yaml
    gradient_blending.yaml
    mri.yaml
    pet.yaml
    radiotranscriptomics.yaml
    roinet.yaml
    """
    folder = files("sarcfeat.encoders") / "params"
    return sorted(f.name for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_params(source: Source) -> dict[str, Any]:
    """Read parameters from a file, a shipped file's name or a dict, and check them.

    Parameters
    ----------
    source : path, str, dict or None
        A pyradiomics parameter file (YAML or JSON), the name of a shipped one
        (see :func:`shipped`), a dict of the same layout, or None for ``mri.yaml``.

    Returns
    -------
    dict
        The canonical form; see :func:`canonical`.

    Raises
    ------
    InputMissing
        There is no such file.
    InvalidInput, UnknownName
        A key, filter, family or feature is unknown, or a value does not fit.

    Examples
    --------
    >>> load_params("demo.yaml")["setting"]["normalize"]
    True
    """
    return load_chain(source)[0]


def load_chain(
    source: Source, *, preprocess: Any = None, given: Files | None = None
) -> tuple[dict[str, Any], Preprocess]:
    """Read parameters, and the preprocessing chain with its files found.

    Parameters
    ----------
    source : path, str, dict or None
        As for :func:`load_params`.
    preprocess : Preprocess or its spec, optional
        A chain to use in place of the one in the parameters.
    given : dict, optional
        ``{"reference": path}`` or ``{"landmarks": path}`` for steps that name none.

    Returns
    -------
    (params, chain)
        The canonical parameters, and the chain that they describe.
    """
    content, where, folder = _content("mri.yaml" if source is None else source)
    spec = preprocess
    if spec is None and isinstance(content, Mapping):
        spec = content.get("preprocess")
    chain = Preprocess.from_spec(spec, folder=folder, files=given)
    params = canonical(content, where, chain=chain)
    check_chain(chain, params["setting"], where)
    return params, chain


def _content(source: str | PathLike[str] | Mapping[str, Any]) -> tuple[Any, str, Any]:
    """Return what a source holds, its name for messages, and its folder."""
    if isinstance(source, Mapping):
        return source, "params", None
    where = fspath(source)
    path = Path(where)
    folder: Path | None = None
    if path.is_file():
        refuse_untrusted(path, "Give a YAML file of pyradiomics parameters.")
        text, folder = path.read_text(encoding="utf-8"), path.parent
    elif where in shipped():
        text = (files("sarcfeat.encoders") / "params" / where).read_text("utf-8")
    elif f"{where}.yaml" in shipped():
        return _content(f"{where}.yaml")
    else:
        raise InputMissing(
            f"No parameter file {where}.{did_you_mean(where, shipped())} "
            f"Shipped with sarcfeat: {', '.join(shipped())}."
        )
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"{where} is not YAML: {error}.") from error
    return {} if content is None else content, where, folder
