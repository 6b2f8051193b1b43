"""R's sva::ComBat where a feature is constant, values are missing, a batch is one."""

import warnings

from sarcfeat.exceptions import SarcfeatWarning
from sarcfeat.transform import ComBat

RTOL, ATOL = 1e-6, 1e-8


def compute(case):
    X = case.frame(index_col=0).T
    batch = case.frame("samples.csv", index_col=0)["batch"].astype(str)
    results = case.results
    cells = results["na_cells_row0_col0"]
    combat = ComBat().fit(X, site=batch)
    unchanged = [X.columns.get_loc(name) for name in combat.unadjusted_["feature"]]
    missing = X.copy()
    for feature, sample in cells:
        missing.iat[sample, feature] = float("nan")
    solo = results["single_sample_batch"]["batch"]
    return {
        "const_gene_row0": unchanged[0] if len(unchanged) == 1 else unchanged,
        "const_gene": combat.transform(X, site=batch).T.to_numpy(),
        "na_cells_row0_col0": cells,
        "with_na": ComBat().fit_transform(missing, site=batch).T.to_numpy(),
        "single_sample_batch": {"batch": solo, "result": _solo(X, solo)},
    }


def _solo(X, batch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SarcfeatWarning)
        combat = ComBat(single="mean_only").fit(X, site=batch)
    return combat.transform(X, site=batch).T.to_numpy()
