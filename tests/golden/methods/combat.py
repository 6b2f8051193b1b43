"""R's sva::ComBat in every mode, on the training patients."""

import warnings

from sarcfeat.exceptions import SarcfeatWarning
from sarcfeat.transform import ComBat
from tests.golden.harness import several

RTOL, ATOL = 1e-6, 1e-8  # the golden values carry ten digits


def compute(case):
    X = case.frame(index_col=0).T
    samples = case.frame("samples.csv", index_col=0)
    params = case.params
    X["site"] = samples["batch"].astype(str)
    return {key: _mode(X, samples, params, key) for key in case.results}


def _mode(X, samples, params, key):
    parts = key.split("_")
    covariates = several(params["covariates"]) if "cov" in parts else []
    combat = ComBat(
        covariates=covariates,
        parametric=parts[0] == "par",
        mean_only="meanonly" in parts,
        reference=str(params["ref_batch"]) if "ref" in parts else None,
        single="mean_only",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SarcfeatWarning)  # a batch of one
        harmonised = combat.fit_transform(X.join(samples[covariates]))
    return harmonised.drop(columns=covariates).T.to_numpy()
