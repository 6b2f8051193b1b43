import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.encoders import TissueRule
from sarcfeat.encoders.tile_quality import fault_of_tile, sharpness
from sarcfeat.encoders.tissue import Tissue, otsu
from sarcfeat.exceptions import InvalidInput
from tests.encoders.slides import slide, tissue


def test_otsu_is_scikit_images():
    filters = pytest.importorskip("skimage.filters")
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(40, 8, 3000), rng.normal(150, 20, 1000)])
    values = np.clip(values, 0, 255).astype(np.uint8)
    assert (
        otsu(np.bincount(values, minlength=256)) == filters.threshold_otsu(values) + 1
    )


def test_tissue_is_found_where_it_was_drawn():
    picture = slide(120, 160, [(40, 30, 120, 90)])
    found = Tissue.find(picture)
    drawn = np.zeros((120, 160), bool)
    drawn[30:90, 40:120] = True
    assert (found.mask != drawn).mean() < 0.02
    assert not found.ink.any()


def test_an_empty_slide_has_no_tissue_though_otsu_would_cut_its_noise():
    noise = np.random.default_rng(0).integers(238, 246, (100, 100, 3), dtype=np.uint8)
    assert not Tissue.find(noise).mask.any()
    assert Tissue.find(noise, rule=TissueRule(least=0.0)).mask.any()


def test_a_slide_full_of_tissue_keeps_its_pale_half():
    picture = tissue(100, 100)
    picture[:, 50:] = 255 - (255 - picture[:, 50:]) // 2
    assert Tissue.find(picture).mask.mean() > 0.9
    assert Tissue.find(picture, rule=TissueRule(most=1.0)).mask.mean() < 0.6


@pytest.mark.parametrize("colour", [(20, 150, 60), (30, 60, 190), (0, 0, 0)])
def test_pen_is_no_tissue(colour):
    picture = slide(100, 100, [(0, 0, 100, 50)])
    picture[60:100] = colour
    found = Tissue.find(picture)
    assert not found.mask[62:].any()
    assert found.ink[62:].all() == (colour != (0, 0, 0))
    assert found.mask[:48].mean() > 0.95
    assert not found.ink[:48].any()


@given(st.integers(0, 10**6), st.floats(3, 40), st.floats(0.7, 9))
@settings(max_examples=40, deadline=None)
def test_the_share_of_a_square_is_its_area_within_the_mask(seed, side, scale):
    rng = np.random.default_rng(seed)
    mask = rng.random((9, 12)) < 0.5
    corner = rng.uniform(0, 1, 2) * np.array([12, 9]) * scale - side / 2
    found = Tissue(mask, ~mask, 0.1, scale)
    inside = 0.0
    for i, j in np.ndindex(mask.shape):
        wide = min(corner[0] + side, (j + 1) * scale) - max(corner[0], j * scale)
        tall = min(corner[1] + side, (i + 1) * scale) - max(corner[1], i * scale)
        inside += mask[i, j] * max(wide, 0) * max(tall, 0)
    assert found.share(corner[None], side)[0] == pytest.approx(
        inside / side**2, abs=1e-6
    )
    assert 0 <= found.ink_share(corner[None], side)[0] <= 1


def test_sharpness_falls_with_blur_and_is_the_variance_of_the_laplacian():
    ndimage = pytest.importorskip("scipy.ndimage")
    tile = tissue(96, 96)
    edges = ndimage.laplace(tile[..., 1].astype(float))[1:-1, 1:-1]
    assert sharpness(tile) == pytest.approx(edges.var(), rel=1e-9)
    blurred = [
        sharpness(np.clip(ndimage.gaussian_filter(tile, (s, s, 0)), 0, 255))
        for s in (1, 2, 4)
    ]
    assert sharpness(tile) > blurred[0] > blurred[1] > blurred[2]


def test_why_a_tile_is_left_out():
    ndimage = pytest.importorskip("scipy.ndimage")
    tile, rule = tissue(96, 96), TissueRule()
    assert fault_of_tile(tile, rule, 0.1) is None
    soft = ndimage.gaussian_filter(tile, (9, 9, 0))
    assert fault_of_tile(soft, rule, 0.1) == "blur"
    assert fault_of_tile(soft, TissueRule(blur=0), 0.1) is None
    assert fault_of_tile(np.full_like(tile, 243), rule, 0.1) == "background"


def test_a_rule_that_cannot_be_is_refused():
    with pytest.raises(InvalidInput, match=r"pen is 1\.5; expected a number from 0 to"):
        TissueRule(pen=1.5)
    with pytest.raises(InvalidInput, match=r"least is 0\.3 and most 0\.2"):
        TissueRule(least=0.3, most=0.2)
    with pytest.raises(InvalidInput, match=r"shape \(4, 4\) and type float64"):
        Tissue.find(np.zeros((4, 4)))
