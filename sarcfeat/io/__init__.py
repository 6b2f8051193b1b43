"""Volumes, masks and tables: from a file to an array or a frame, with named errors."""

from sarcfeat.io.geometry import Geometry
from sarcfeat.io.tables import read_table
from sarcfeat.io.volume import Volume, VolumeRef, pixel_hash, read_volume

__all__ = [
    "Geometry",
    "Volume",
    "VolumeRef",
    "pixel_hash",
    "read_table",
    "read_volume",
]
