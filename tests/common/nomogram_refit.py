from sarcfeat.nomogram import ProbabilityColumn, RefitPersarc, RefitSarculator
from tests.adapters import survival, with_inputs, with_probability

ESTIMATORS = [
    *(
        (with_inputs(survival(model)), {})
        for model in (RefitSarculator(), RefitPersarc())
    ),
    (survival(with_probability(ProbabilityColumn(0, 365, of="event"))), {}),
]
