from sarcfeat.transform import UnivariateCoxFilter
from tests.adapters import survival

ESTIMATORS = [(survival(UnivariateCoxFilter(alpha=1.0)), {})]
