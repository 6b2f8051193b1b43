"""sarcfeat: from sarcoma images, slides, expression and clinical tables to nomograms.

The names below are the public door. They load on first use (PEP 562), so that
``import sarcfeat`` costs no torch, no pyradiomics, no matplotlib and no network.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sarcfeat.encoders import CNN2D, DenseNet3D, Radiomics
    from sarcfeat.estimators import CoxPH, LassoCox, LassoLogistic, RiskScore
    from sarcfeat.nomogram import Nomogram
    from sarcfeat.store import FeatureStore, Readings
    from sarcfeat.survival import check_y, make_y
    from sarcfeat.transform import (
        MRMR,
        ComBat,
        ConsensusClustering,
        ICCFilter,
        UnivariateCoxFilter,
        ZScore,
        columns,
    )

__version__ = "0.1.0"

_HOME = {
    "CNN2D": "encoders",
    "ComBat": "transform",
    "ConsensusClustering": "transform",
    "CoxPH": "estimators",
    "DenseNet3D": "encoders",
    "FeatureStore": "store",
    "ICCFilter": "transform",
    "LassoCox": "estimators",
    "LassoLogistic": "estimators",
    "MRMR": "transform",
    "Nomogram": "nomogram",
    "Radiomics": "encoders",
    "Readings": "store",
    "RiskScore": "estimators",
    "UnivariateCoxFilter": "transform",
    "ZScore": "transform",
    "check_y": "survival",
    "columns": "transform",
    "make_y": "survival",
}

_STAGES = (
    "datasets",
    "encoders",
    "estimators",
    "evaluate",
    "io",
    "metrics",
    "nets",
    "nomogram",
    "plots",
    "report",
    "splits",
    "store",
    "survival",
    "transform",
)

__all__ = [
    "CNN2D",
    "MRMR",
    "ComBat",
    "ConsensusClustering",
    "CoxPH",
    "DenseNet3D",
    "FeatureStore",
    "ICCFilter",
    "LassoCox",
    "LassoLogistic",
    "Nomogram",
    "Radiomics",
    "Readings",
    "RiskScore",
    "UnivariateCoxFilter",
    "ZScore",
    "__version__",
    "check_y",
    "columns",
    "make_y",
]


def __getattr__(name: str) -> Any:
    """Load a public name, or a stage, the first time it is asked for."""
    if name in _HOME:
        return getattr(import_module(f"sarcfeat.{_HOME[name]}"), name)
    if name in _STAGES:
        return import_module(f"sarcfeat.{name}")
    raise AttributeError(f"module 'sarcfeat' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names and the stages."""
    return sorted([*__all__, *_STAGES])
