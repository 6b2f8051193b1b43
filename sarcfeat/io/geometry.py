"""Where the voxels of a volume lie in the patient, in millimetres."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

__all__ = ["Geometry"]


@dataclass(frozen=True)
class Geometry:
    """Grid of a volume: how many voxels, how large, where, in which direction.

    Parameters
    ----------
    size : tuple of int
        Number of voxels along x, y, z.
    spacing : tuple of float
        Voxel size along x, y, z, in millimetres.
    origin : tuple of float
        Position of the first voxel, in millimetres.
    direction : tuple of float
        The nine direction cosines, row by row.

    Examples
    --------
    >>> grid = Geometry((4, 4, 2), (1, 1, 3), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    >>> grid.difference(grid)
    ''
    >>> thick = Geometry((4, 4, 2), (1, 1, 5), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    >>> grid.difference(thick)
    'spacing (1, 1, 3) mm against (1, 1, 5) mm'
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    def difference(self, other: Geometry, tolerance: float = 1e-3) -> str:
        """Say how `other` differs from this grid; empty when it does not.

        Parameters
        ----------
        other : Geometry
            The grid to compare with.
        tolerance : float
            Largest difference taken as rounding, in millimetres (direction cosines:
            the same number without a unit). Converters round headers by about 1e-4.
        """
        parts = []
        if self.size != other.size:
            parts.append(f"size {_write(self.size)} against {_write(other.size)}")
        for name, unit in (("spacing", " mm"), ("origin", " mm"), ("direction", "")):
            mine, theirs = getattr(self, name), getattr(other, name)
            if not _close(mine, theirs, tolerance):
                parts.append(
                    f"{name} {_write(mine)}{unit} against {_write(theirs)}{unit}"
                )
        return "; ".join(parts)

    def to_json(self) -> str:
        """Write the grid as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Geometry:
        """Read what :meth:`to_json` wrote; what else the object holds is left out."""
        told = json.loads(text)
        return cls(**{field.name: tuple(told[field.name]) for field in fields(cls)})

    def key(self) -> bytes:
        """Return the bytes that stand for this grid in a content hash.

        Numbers are rounded (spacing to five digits, origin to a micrometre), so that
        the float32 header of a NIfTI file and the float64 header of an NRRD file of
        one image give one key.
        """
        return json.dumps(
            [
                list(self.size),
                [f"{value:.5g}" for value in self.spacing],
                [round(float(value), 3) + 0.0 for value in self.origin],
                [round(float(value), 5) + 0.0 for value in self.direction],
            ]
        ).encode()


def _close(a: tuple[float, ...], b: tuple[float, ...], tolerance: float) -> bool:
    return len(a) == len(b) and all(
        abs(x - y) <= tolerance for x, y in zip(a, b, strict=True)
    )


def _write(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
