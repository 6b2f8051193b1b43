"""A fitted model as points, tables, a JSON document and an HTML calculator.

Beside it the published nomograms that others' models are compared with.
"""

from sarcfeat.nomogram.gronchi import Gronchi2013
from sarcfeat.nomogram.mskcc import MSKCC2002, MSKCC2003
from sarcfeat.nomogram.nomogram import Nomogram
from sarcfeat.nomogram.pretty import pretty
from sarcfeat.nomogram.probability_column import ProbabilityColumn
from sarcfeat.nomogram.refit import RefitPersarc, RefitSarculator
from sarcfeat.nomogram.risk_groups import sarculator_groups, semantic_mri_risk
from sarcfeat.nomogram.uncertainty import Uncertainty
from sarcfeat.nomogram.variable import Variable

__all__ = [
    "MSKCC2002",
    "MSKCC2003",
    "Gronchi2013",
    "Nomogram",
    "ProbabilityColumn",
    "RefitPersarc",
    "RefitSarculator",
    "Uncertainty",
    "Variable",
    "pretty",
    "sarculator_groups",
    "semantic_mri_risk",
]
