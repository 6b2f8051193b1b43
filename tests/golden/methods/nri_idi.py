"""NRI and IDI against the textbook's formulae."""

from sarcfeat.metrics import idi, nri
from tests.golden.harness import several

RTOL, ATOL = 1e-9, 1e-12
# A p-value carries the relative error of z some twentyfold.
TOLERANCE = {"*_p": (1e-7, 1e-15)}
UNREAD = {}


def compute(case):
    data = case.frame()
    y, old, new = (data[c].to_numpy() for c in ("y", "p_old", "p_new"))
    cuts = several(case.results["nri_cat_cuts"])
    free, sorted_, better = (
        nri(y, old, new),
        nri(y, old, new, cuts=cuts),
        idi(y, old, new),
    )
    return {
        "idi": better.idi,
        "idi_se": better.se,
        "idi_p": better.p,
        "nri_cont": free.nri,
        "nri_cont_event": free.events,
        "nri_cont_nonevent": free.nonevents,
        "nri_cont_se": free.se,
        "nri_cont_p": free.p,
        "nri_cat_cuts": cuts,
        "nri_cat": sorted_.nri,
    }
