from sarcfeat.transform import KappaFilter
from tests.adapters import with_readings
from tests.common.transform_icc_filter import NoReadings

ESTIMATORS = [
    (with_readings(KappaFilter(NoReadings(), threshold=-1, min_patients=2)), {})
]
