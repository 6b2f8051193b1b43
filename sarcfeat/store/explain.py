"""The whole chain behind one number: value, extractor, image, mask, run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput, StoreError
from sarcfeat.store.bag_blocks import held_parts
from sarcfeat.store.cohorts import members
from sarcfeat.store.connection import Connection
from sarcfeat.store.explain_bags import bag_facts, region_facts, slide_facts
from sarcfeat.store.features import BAG, choose_extractor, read_catalogue, resolve
from sarcfeat.store.identity import file_sha256
from sarcfeat.store.selection import candidates, choose, phase_of, vectors
from sarcfeat.store.times import date_of

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True)
class Explanation:
    """Where one number comes from.

    Attributes
    ----------
    patient, feature : str
        What was asked.
    value : float, str or None
        The value itself.
    chain : dict
        From the value back to the files: feature, extractor, image, mask, run (or,
        for a clinical variable, when it was known and written, and from where; for
        a bag of tiles, of each slide its bag, file, regions and run).
    """

    patient: str
    feature: str
    value: float | str | None
    chain: dict[str, dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def to_json(self) -> str:
        """Return everything as JSON; NaN and infinities are written as text."""
        plain = self.to_dict()
        if isinstance(self.value, float) and not np.isfinite(self.value):
            plain["value"] = str(self.value)
        return json.dumps(plain, indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        """Return the chain in words, one line a link."""
        lines = [f"{self.feature} of patient {self.patient} is {self.value!r}"]
        for link, facts in self.chain.items():
            told = ", ".join(
                f"{key} {value}" for key, value in facts.items() if value is not None
            )
            lines.append(f"  {link}: {told}")
        return "\n".join(lines)


def explain(
    db: Connection,
    patient: str,
    feature: str,
    *,
    reader: str | None,
    session: int,
    extractor: str | None,
) -> Explanation:
    """Follow one number back to the files it was computed from."""
    everyone = members(db, None)
    pick(patient, everyone.patients, "patient")
    catalogue = read_catalogue(db)
    if feature.startswith("clinical."):
        return _clinical(db, patient, feature, everyone.index_time[patient])
    request = resolve(catalogue, feature)
    if request.bags:
        chosen = choose_extractor(catalogue, request.bags[0], extractor)
        return _bags(db, patient, request.bags[0], chosen)
    names = [(a, name) for a, held in request.sets.items() for name in held]
    if len(names) != 1:
        raise InvalidInput(
            f"{feature!r} means {len(names)} features; explain takes one, such as "
            f"{'.'.join(names[0])!r}."
        )
    address, name = names[0]
    chosen = choose_extractor(catalogue, address, extractor)
    found = [
        c
        for c in candidates(db, phase_of(db, address), chosen, [patient])
        if c.unit_id is not None and (reader is None or c.reader == reader)
    ]
    first = min((c.reader for c in found), default=None)
    mine = [c for c in found if c.reader == first and c.session == session]
    best = choose(mine, everyone.index_time[patient], None)
    if best is None:
        raise StoreError(
            f"Patient {patient} has no {address} by reader {reader or 'any'}, session "
            f"{session}. store.matrix(...).missing says why."
        )
    unit = str(best.unit_id)
    value = float(vectors(db, [unit], [name], address)[unit][0])
    return Explanation(
        patient=patient,
        feature=f"{address}.{name}",
        value=value,
        chain={
            "feature": _feature(db, chosen, address, name),
            "extractor": _extractor(db, chosen),
            "image": _image(db, best.image_id, patient, best.phase),
            "mask": _mask(db, best.mask_id, patient, best.phase),
            "run": _run(db, unit),
        },
    )


def _bags(db: Connection, patient: str, name: str, extractor: str) -> Explanation:
    """Follow every bag of a patient back to its slide and the regions drawn on it."""
    parts = held_parts(db, extractor, [patient]).get(patient, [])
    if not parts:
        raise StoreError(
            f"Patient {patient} has no bag of {name}. store.matrix(None, "
            f"features={name!r}).missing says why."
        )
    chain = {"extractor": _extractor(db, extractor)}
    for part in parts:
        chain |= {
            f"bag of slide {part.slide}": bag_facts(db, part),
            f"slide {part.slide}": slide_facts(db, part.unit_id),
            f"regions of slide {part.slide}": region_facts(db, part.unit_id),
            f"run of slide {part.slide}": _run(db, part.unit_id),
        }
    tiles = sum(part.tiles for part in parts)
    value = f"{tiles:,} tiles of {len(parts)} slides"
    return Explanation(patient, f"{name}{BAG}", value, chain)


def _by(known: int | None, index_time: int) -> bool:
    return known is not None and known <= index_time


def _clinical(
    db: Connection, patient: str, feature: str, index_time: int | None
) -> Explanation:
    variable = feature.removeprefix("clinical.")
    rows = db.rows(
        "SELECT value_num, value_text, role, unit, source, epoch_us(known_at), "
        "epoch_us(written_at), commit_no FROM clinical WHERE retired_no IS NULL "
        "AND patient_id = ? AND variable = ? ORDER BY known_at NULLS FIRST, commit_no",
        [patient, variable],
    )
    if not rows:
        raise StoreError(f"Patient {patient} has no value for {feature}.")
    # The value that the matrix takes: the latest known by the index time.
    usable = [row for row in rows if index_time is None or _by(row[5], index_time)]
    number, text, role, unit, source, known, written, commit = (usable or rows)[-1]
    facts = {
        "role": role,
        "unit": unit,
        "source": source,
        "known_at": date_of(known),
        "written_at": date_of(written),
        "commit_no": commit,
    }
    value = number if text is None else text
    return Explanation(patient, feature, value, {"clinical": facts})


def _feature(db: Connection, extractor: str, address: str, name: str) -> dict[str, Any]:
    row = db.rows(
        "SELECT s.feature_set_id, f.image_filter, f.family, f.ibsi, f.unit "
        "FROM feature_set s JOIN feature f USING (feature_set_id) "
        "WHERE s.extractor_id = ? AND s.address = ? AND f.name = ?",
        [extractor, address, name],
    )[0]
    keys = ("feature_set_id", "image_filter", "family", "ibsi", "unit")
    return {"name": name, **dict(zip(keys, row, strict=True))}


def _extractor(db: Connection, extractor: str) -> dict[str, Any]:
    name, version, params, mark, weights, code = db.one(
        "SELECT name, version, params, params_sha256, weights_sha256, code_commit "
        "FROM extractor WHERE extractor_id = ?",
        [extractor],
    )
    return {
        "name": name,
        "version": version,
        "extractor_id": extractor,
        "params_hash": mark,
        "weights_sha256": weights,
        "code": code,
        "params": json.loads(params) if params else None,
    }


def _image(db: Connection, image: str, patient: str, phase: str) -> dict[str, Any]:
    path, sha256, kind, acquired = db.one(
        "SELECT uri, file_sha256, kind, epoch_us(acquired_at) FROM image "
        "WHERE image_id = ? AND patient_id = ? AND phase = ? AND retired_no IS NULL",
        [image, patient, phase],
    )
    return {
        "path": path,
        "file_sha256": sha256,
        "file_is_unchanged": _is_unchanged(path, sha256),
        "image_id": image,
        "sequence": phase,
        "kind": kind,
        "acquired_at": date_of(acquired),
    }


def _mask(db: Connection, mask: str, patient: str, phase: str) -> dict[str, Any]:
    path, sha256, reader, session, label, n = db.one(
        "SELECT uri, file_sha256, reader, session, label, n_voxels FROM mask "
        "WHERE mask_id = ? AND patient_id = ? AND phase = ? AND retired_no IS NULL",
        [mask, patient, phase],
    )
    return {
        "reader": reader,
        "session": session,
        "path": path,
        "file_sha256": sha256,
        "file_is_unchanged": _is_unchanged(path, sha256),
        "mask_id": mask,
        "label": label,
        "n_voxels": n,
    }


def _is_unchanged(path: str, sha256: str) -> bool | None:
    """Whether the file is still the one that was read; None when it is gone."""
    try:
        return file_sha256(path) == sha256
    except OSError:
        return None


def _run(db: Connection, unit: str) -> dict[str, Any]:
    run, host, started, seconds, written, warnings, commit, env = db.one(
        "SELECT u.run_id, r.host, epoch_us(r.started_at), u.seconds, "
        "epoch_us(u.written_at), u.warnings, u.commit_no, r.env "
        "FROM unit u LEFT JOIN run r USING (run_id) WHERE u.unit_id = ?",
        [unit],
    )
    return {
        "unit_id": unit,
        "run_id": run,
        "host": host,
        "started_at": date_of(started),
        "written_at": date_of(written),
        "seconds": seconds,
        "warnings": json.loads(warnings) if warnings else [],
        "commit_no": commit,
        "env": json.loads(env) if env else None,
    }
