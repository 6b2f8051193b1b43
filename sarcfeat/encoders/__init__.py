"""Encoders: one image and one mask become one vector, named and fingerprinted."""

from sarcfeat.encoders.catalogue import describe
from sarcfeat.encoders.cnn2d import CNN2D
from sarcfeat.encoders.densenet3d import DenseNet3D
from sarcfeat.encoders.encoded import Encoded, Encoder
from sarcfeat.encoders.landmarks import Landmarks
from sarcfeat.encoders.lesion_pictures import lesion_cube
from sarcfeat.encoders.parameter_files import load_params, shipped
from sarcfeat.encoders.parameters import canonical
from sarcfeat.encoders.perturbation import perturb_mask, write_perturbed_mask
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.encoders.radiomics import Radiomics
from sarcfeat.encoders.readings import perturb

__all__ = [
    "CNN2D",
    "DenseNet3D",
    "Encoded",
    "Encoder",
    "Landmarks",
    "Preprocess",
    "Radiomics",
    "canonical",
    "describe",
    "lesion_cube",
    "load_params",
    "perturb",
    "perturb_mask",
    "shipped",
    "write_perturbed_mask",
]
