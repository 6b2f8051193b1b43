import numpy as np
from statsmodels.api import Logit

from sarcfeat.metrics import fit_logistic


def test_the_fit_is_that_of_statsmodels_in_any_units():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=[0, 5, 0], size=(200, 3))
    y = (rng.uniform(size=200) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)
    design = np.column_stack([np.ones(200), X])
    theirs = Logit(y, design).fit(disp=0, tol=1e-12)
    units = np.array([1, 1e6, 1e-6, 1e3])
    for fit in (
        fit_logistic(design * units, y),
        fit_logistic(design * units, y, start=theirs.params / units),
    ):
        np.testing.assert_allclose(fit.coef * units, theirs.params, rtol=1e-8)
        se = np.sqrt(np.diag(fit.vcov)) * units
        np.testing.assert_allclose(se, theirs.bse, rtol=1e-6)
    assert fit.n_iter <= 2
