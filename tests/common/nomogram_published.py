from sarcfeat.nomogram import MSKCC2002, MSKCC2003, Gronchi2013
from tests.adapters import survival, with_inputs

ESTIMATORS = [
    (with_inputs(survival(model)), {})
    for model in (MSKCC2002(), MSKCC2003(), Gronchi2013())
]
