from sarcfeat.transform import UnivariateLogisticFilter
from tests.adapters import binary

ESTIMATORS = [(binary(UnivariateLogisticFilter(alpha=1.0)), {})]
