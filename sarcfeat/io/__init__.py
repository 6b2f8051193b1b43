"""Volumes, masks, bags and tables: from a file to an array, with named errors."""

from sarcfeat.io.annotations import Annotation, read_annotations
from sarcfeat.io.bag_array import BagArray
from sarcfeat.io.bag_ref import Bag, BagPart, BagRef
from sarcfeat.io.deidentify import deidentify, deidentify_folder
from sarcfeat.io.dicom import Series, find_series, find_source, read_series
from sarcfeat.io.geometry import Geometry
from sarcfeat.io.heatmap_files import write_tiles_geojson, write_tiles_tiff
from sarcfeat.io.mask import read_mask, region_names
from sarcfeat.io.model_file import load_model, save_model
from sarcfeat.io.private_table import deidentify_table
from sarcfeat.io.pseudonyms import Pseudonyms
from sarcfeat.io.regions import (
    REGION_SPELLINGS,
    Regions,
    derive_regions,
    named_regions,
)
from sarcfeat.io.salt import create_salt, load_salt
from sarcfeat.io.slide import Slide, open_slide
from sarcfeat.io.tables import read_table
from sarcfeat.io.tile_pictures import tile_pictures, write_tile_pictures
from sarcfeat.io.trusted import refuse_untrusted
from sarcfeat.io.volume import Volume, VolumeRef, pixel_hash, read_volume

__all__ = [
    "REGION_SPELLINGS",
    "Annotation",
    "Bag",
    "BagArray",
    "BagPart",
    "BagRef",
    "Geometry",
    "Pseudonyms",
    "Regions",
    "Series",
    "Slide",
    "Volume",
    "VolumeRef",
    "create_salt",
    "deidentify",
    "deidentify_folder",
    "deidentify_table",
    "derive_regions",
    "find_series",
    "find_source",
    "load_model",
    "load_salt",
    "named_regions",
    "open_slide",
    "pixel_hash",
    "read_annotations",
    "read_mask",
    "read_series",
    "read_table",
    "read_volume",
    "refuse_untrusted",
    "region_names",
    "save_model",
    "tile_pictures",
    "write_tile_pictures",
    "write_tiles_geojson",
    "write_tiles_tiff",
]
