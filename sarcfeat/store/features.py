"""Names of features: from what a user writes to what the catalogue holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput, LeakageError, StoreError, UnknownName
from sarcfeat.store.connection import Connection
from sarcfeat.store.patients import live_roles

__all__ = [
    "BAG",
    "Catalogue",
    "Request",
    "choose_extractor",
    "read_catalogue",
    "resolve",
]

BAG = ".bag"
CLINICAL = "clinical"
OUTSIDE_X = ("identifier", "date", "index_time", "site")


@dataclass(frozen=True)
class Catalogue:
    """What can be asked for: feature sets with their names, clinical variables."""

    names: dict[str, list[str]]
    extractors: dict[str, dict[str, str]]
    phases: dict[str, str]
    roles: dict[str, str]
    # Of slides: the extractors that gave bags, by name.
    bags: dict[str, dict[str, str]] = field(default_factory=dict)


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
    bags : list of str
        Names of extractors whose bags of tiles are wanted.
    """

    sets: dict[str, list[str]]
    clinical: list[str]
    by_name: set[str]
    bags: list[str] = field(default_factory=list)


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
    bags: dict[str, dict[str, str]] = {}
    for name, extractor, version in db.rows(
        "SELECT DISTINCT x.name, x.extractor_id, x.version FROM extractor x "
        "JOIN unit u USING (extractor_id) JOIN embedding_file e USING (unit_id) "
        "WHERE u.retired_no IS NULL ORDER BY ALL"
    ):
        bags.setdefault(name, {})[extractor] = str(version)
    return Catalogue(names, extractors, phases, roles, bags)


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
    bags: dict[str, None] = {}
    for name in asked:
        if name == CLINICAL or name.startswith(f"{CLINICAL}."):
            _clinical(catalogue, name, clinical, by_name)
        elif (bag := _bag(catalogue, name)) is not None:
            bags[bag] = None
            if bag != name:
                by_name.add(name)
        else:
            _vectors(catalogue, name, sets, by_name)
    ordered = {
        address: [feature for feature in catalogue.names[address] if feature in wanted]
        for address, wanted in sets.items()
    }
    return Request(ordered, list(clinical), by_name, list(bags))


def _bag(catalogue: Catalogue, name: str) -> str | None:
    """Return the extractor whose bags a name means: its own name, or the column's."""
    if name in catalogue.names:
        return None
    bag = name.removesuffix(BAG)
    return bag if bag in catalogue.bags else None


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
        known = [*catalogue.names, *catalogue.bags]
        raise UnknownName(
            f"No features {name!r}.{did_you_mean(name, known)} Feature sets "
            f"with values: {listed(known, 12) or 'none'}, and 'clinical'. "
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
    everyone = catalogue.extractors.get(address) or catalogue.bags[address]
    known = everyone
    if isinstance(extractor, Mapping):
        extractor = extractor.get(address)
    if extractor is not None:
        known = {name: v for name, v in known.items() if name.startswith(extractor)}
        if not known:
            raise UnknownName(
                f"No extractor {extractor!r} for {address!r}. Known: "
                f"{listed(everyone, 12)}."
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
