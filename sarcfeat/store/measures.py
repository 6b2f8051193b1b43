"""Units of measurement: a variable is in millimetres or in centimetres, never both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.store.connection import Connection

__all__ = ["refuse_other_feature_units", "refuse_other_units"]


def refuse_other_units(
    db: Connection,
    units: Mapping[str, str],
    written: Collection[tuple[str, str, int | None]],
    dated: Collection[str],
    source: str,
) -> None:
    """Refuse values in one unit beside values that stay in another.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    units : mapping of variable to unit
        As stated for the values to come.
    written : collection of (patient, variable, known_at)
        The values to come.
    dated : collection of str
        Variables of which values with other dates stay.
    source : str
        The table, for the message.

    Raises
    ------
    InvalidInput
        Variable, both units and some of the patients are named.
    """
    replaced = {(patient, variable) for patient, variable, _ in written}
    exact = set(written)
    for variable, unit in units.items():
        stay: dict[str, list[str]] = {}
        for patient, other, known_at in db.rows(
            "SELECT patient_id, unit, epoch_us(known_at) FROM clinical "
            "WHERE retired_no IS NULL AND variable = ? AND unit IS NOT NULL "
            "AND unit <> ? ORDER BY ALL",
            [variable, unit],
        ):
            if variable in dated:
                gone = (patient, variable, known_at) in exact
            else:
                gone = (patient, variable) in replaced
            if not gone:
                stay.setdefault(other, []).append(patient)
        for other, patients in stay.items():
            raise InvalidInput(
                f"{source}: {variable!r} is in {unit} here, and in {other} for "
                f"{len(patients)} patients of the store ({listed(patients, 3)}). Bring "
                f"it to {other} and say units={{{variable!r}: {other!r}}}, or give all "
                f"its values anew in {unit} in one table."
            )


def refuse_other_feature_units(
    db: Connection,
    address: str,
    units: Sequence[tuple[str, str | None]],
    source: str,
) -> None:
    """Refuse features in one unit under a name that holds them in another.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    address : str
        Feature set, such as ``legacy.t1``.
    units : sequence of (feature, unit or None)
        What the table says.
    source : str
        The table, for the message.

    Raises
    ------
    InvalidInput
        Feature, both units and both tables are named.
    """
    stated = {name: unit for name, unit in units if unit is not None}
    held: list[tuple[Any, ...]] = db.rows(
        "SELECT f.name, f.unit, any_value(m.uri) FROM feature f "
        "JOIN feature_set s USING (feature_set_id) "
        "JOIN feature_vector v USING (feature_set_id) "
        "JOIN unit u ON u.unit_id = v.unit_id AND u.retired_no IS NULL "
        "JOIN mask m ON m.mask_id = u.mask_id "
        "WHERE s.address = ? AND f.unit IS NOT NULL GROUP BY ALL ORDER BY ALL",
        [address],
    )
    for name, unit, where in held:
        if stated.get(name, unit) != unit:
            raise InvalidInput(
                f"{source}: feature {name!r} of {address} is in {stated[name]} here "
                f"and in {unit} in {where}. Bring both tables to one unit, or import "
                "this one under another extractor name."
            )
