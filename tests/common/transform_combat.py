from sarcfeat.transform import ComBat
from tests.adapters import with_site

ESTIMATORS = [(with_site(ComBat(single="mean_only")), {})]
