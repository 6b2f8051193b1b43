"""Names of features: from what a user writes to what the catalogue holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput, LeakageError, StoreError, UnknownName
from sarcfeat.store.connection import Connection
from sarcfeat.store.patients import live_roles

__all__ = ["Catalogue", "Request", "choose_extractor", "read_catalogue", "resolve"]

CLINICAL = "clinical"
OUTSIDE_X = ("identifier", "date", "index_time", "site")


@dataclass(frozen=True)
class Catalogue:
    """What can be asked for: feature sets with their names, clinical variables."""

    names: dict[str, list[str]]
    extractors: dict[str, dict[str, str]]
    phases: dict[str, str]
    roles: dict[str, str]


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes
    ----------
    sets : dict of address to list of names
        Columns wanted from each feature set, in the catalogue's order.
    clinical : list of str
        Clinical variables wanted.
    by_name : set of str
        Columns asked for one by one; leakage in these is an error, not an exclusion.
    """

    sets: dict[str, list[str]]
    clinical: list[str]
    by_name: set[str]


def read_catalogue(db: Connection) -> Catalogue:
    """Read the names of all features."""
    names: dict[str, list[str]] = {}
    extractors: dict[str, dict[str, str]] = {}
    phases: dict[str, str] = {}
    for address, phase, extractor, version, features in db.rows(
        "SELECT s.address, s.phase, s.extractor_id, e.version, s.names "
        "FROM feature_set s JOIN extractor e USING (extractor_id) "
        "ORDER BY s.commit_no, s.feature_set_id"
    ):
        phases.setdefault(address, phase)
        held = names.setdefault(address, [])
        seen = set(held)
        held += [feature for feature in features if feature not in seen]
        extractors.setdefault(address, {})[extractor] = str(version)
    roles = {name: role for name, (role, _) in sorted(live_roles(db).items())}
    return Catalogue(names, extractors, phases, roles)


def resolve(catalogue: Catalogue, features: str | Sequence[str]) -> Request:
    """Find what each requested name means.

    Raises
    ------
    UnknownName
        A name that fits nothing; the nearest known one is offered.
    LeakageError
        A clinical variable that is an outcome.
    """
    asked = [features] if isinstance(features, str) else list(features)
    sets: dict[str, dict[str, None]] = {}
    clinical: dict[str, None] = {}
    by_name: set[str] = set()
    for name in asked:
        if name == CLINICAL or name.startswith(f"{CLINICAL}."):
            _clinical(catalogue, name, clinical, by_name)
        else:
            _vectors(catalogue, name, sets, by_name)
    ordered = {
        address: [feature for feature in catalogue.names[address] if feature in wanted]
        for address, wanted in sets.items()
    }
    return Request(ordered, list(clinical), by_name)


def _clinical(
    catalogue: Catalogue, name: str, clinical: dict[str, None], by_name: set[str]
) -> None:
    predictors = [v for v, role in catalogue.roles.items() if role == "predictor"]
    variable = name.removeprefix(CLINICAL).removeprefix(".")
    if not variable:
        clinical.update(dict.fromkeys(predictors))
    elif variable in catalogue.roles:
        _refuse_role(variable, catalogue.roles[variable])
        clinical[variable] = None
        by_name.add(name)
    else:
        found = [v for v in predictors if fnmatchcase(v, variable)]
        if not found:
            raise UnknownName(
                f"No clinical variable {variable!r}."
                f"{did_you_mean(variable, catalogue.roles)} Known: "
                f"{listed(catalogue.roles, 12) or 'none'}."
            )
        clinical.update(dict.fromkeys(found))


def _refuse_role(variable: str, role: str) -> None:
    if role == "outcome":
        raise LeakageError(
            f"clinical.{variable} is an outcome: it tells the model what it is to "
            "predict. Leave it out of features."
        )
    if role in OUTSIDE_X:
        raise InvalidInput(
            f"clinical.{variable} has the role {role!r} and cannot enter X. Give it "
            "another role with add_patients(roles={...}) if it is a predictor."
        )


def _vectors(
    catalogue: Catalogue,
    name: str,
    sets: dict[str, dict[str, None]],
    by_name: set[str],
) -> None:
    # The exact meanings first: a feature's own name may hold * or [ as letters.
    if name in catalogue.names:
        sets.setdefault(name, {}).update(dict.fromkeys(catalogue.names[name]))
        return
    for address, held in catalogue.names.items():
        feature = name.removeprefix(f"{address}.")
        if feature != name and feature in held:
            sets.setdefault(address, {})[feature] = None
            by_name.add(name)
            return
    found = False
    for address, held in catalogue.names.items():
        whole = fnmatchcase(address, name)
        fits = [f for f in held if whole or fnmatchcase(f"{address}.{f}", name)]
        if fits:
            sets.setdefault(address, {}).update(dict.fromkeys(fits))
            found = True
    if not found:
        raise UnknownName(
            f"No features {name!r}.{did_you_mean(name, catalogue.names)} Feature sets "
            f"with values: {listed(catalogue.names, 12) or 'none'}, and 'clinical'. "
            "Run store.encode(...) for a new one."
        )


def choose_extractor(
    catalogue: Catalogue, address: str, extractor: str | Mapping[str, str] | None
) -> str:
    """Return the one extractor of a feature set.

    `extractor` is an id (or its beginning) for every feature set, or one for each
    address.

    Raises
    ------
    StoreError
        Two extractors gave this feature set (other parameters under one name); both
        are named, and how to choose.
    """
    known = catalogue.extractors[address]
    if isinstance(extractor, Mapping):
        extractor = extractor.get(address)
    if extractor is not None:
        known = {name: v for name, v in known.items() if name.startswith(extractor)}
        if not known:
            raise UnknownName(
                f"No extractor {extractor!r} for {address!r}. Known: "
                f"{listed(catalogue.extractors[address], 12)}."
            )
    if len(known) > 1:
        ids = listed([f"{name} (version {v})" for name, v in known.items()], 12)
        first = next(iter(known))
        raise StoreError(
            f"{len(known)} extractors gave {address!r}: {ids}. They differ in "
            "parameters, version or weights and are never mixed. Choose one with "
            f"extractor={first[:8]!r}, or give new parameters a name of their own."
        )
    return next(iter(known))
