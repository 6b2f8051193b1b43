"""Encoders: a lesion becomes a vector, a slide a bag of them; named, fingerprinted."""

from sarcfeat.encoders.catalogue import describe
from sarcfeat.encoders.cnn2d import CNN2D
from sarcfeat.encoders.densenet3d import DenseNet3D
from sarcfeat.encoders.encoded import Encoded, Encoder
from sarcfeat.encoders.encoded_slide import EncodedSlide
from sarcfeat.encoders.landmarks import Landmarks
from sarcfeat.encoders.lesion_pictures import lesion_cube
from sarcfeat.encoders.parameter_files import load_params, shipped
from sarcfeat.encoders.parameters import canonical
from sarcfeat.encoders.perturbation import perturb_mask, write_perturbed_mask
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.encoders.radiomics import Radiomics
from sarcfeat.encoders.readings import perturb
from sarcfeat.encoders.slide_tiles import SlideTiles
from sarcfeat.encoders.stain import StainNormaliser
from sarcfeat.encoders.tile_nets import TileNet, known_tile_nets, register_tile_net
from sarcfeat.encoders.tissue import TissueRule

__all__ = [
    "CNN2D",
    "DenseNet3D",
    "Encoded",
    "EncodedSlide",
    "Encoder",
    "Landmarks",
    "Preprocess",
    "Radiomics",
    "SlideTiles",
    "StainNormaliser",
    "TileNet",
    "TissueRule",
    "canonical",
    "describe",
    "known_tile_nets",
    "lesion_cube",
    "load_params",
    "perturb",
    "perturb_mask",
    "register_tile_net",
    "shipped",
    "write_perturbed_mask",
]
