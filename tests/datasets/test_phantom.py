from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from sarcfeat.datasets.phantom import SHAPE, Lesion, Scanner, render, smooth_noise

CLEAN = Scanner(gain=400, offset=10, bias=0.0, contrast=1.0, noise=0.02, blur=0.4)


def draw(seed=0, readers=2, scanner=CLEAN, **changed):
    lesion = Lesion(
        **{
            "size_mm": 90.0,
            "heterogeneity": 0.3,
            "necrosis": 0.1,
            "rim": 0.3,
            **changed,
        }
    )
    return render(lesion, scanner, readers, np.random.default_rng(seed))


def roi(phantom, sequence="t1", reader="A"):
    return phantom.images[sequence][phantom.masks[reader, sequence] == 1].astype(float)


def test_a_phantom_has_two_sequences_and_one_mask_a_reader_and_sequence():
    phantom = draw(readers=3)
    assert sorted(phantom.images) == ["t1", "t2"]
    assert len(phantom.masks) == 6
    assert all(image.shape == SHAPE for image in phantom.images.values())
    assert {image.dtype for image in phantom.images.values()} == {np.dtype(np.int16)}
    assert phantom.spacing[2] == 2 * phantom.spacing[0]


@pytest.mark.parametrize("size", [19, 87, 289])
def test_the_lesion_has_the_size_asked_for_and_lies_in_the_field(size):
    phantom = draw(size_mm=float(size))
    mask = phantom.masks["A", "t1"]
    extent = np.ptp(np.nonzero(mask), axis=1) + 1
    longest = max(extent * np.array(phantom.spacing[::-1]))
    assert 0.7 * size - phantom.spacing[2] < longest < 1.25 * size + phantom.spacing[2]
    assert mask.sum() >= 30
    edges = [mask[0], mask[-1], mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]]
    assert not any(edge.any() for edge in edges[2:])
    assert label(mask)[1] == 1


def test_heterogeneity_spreads_the_signal_of_the_lesion():
    spread = [
        np.mean(
            [roi(draw(seed, heterogeneity=h, necrosis=0.0)).std() for seed in (0, 1)]
        )
        for h in (0.05, 0.5, 0.95)
    ]
    assert spread[0] < 0.8 * spread[1] < 0.64 * spread[2]


def test_necrosis_is_dark_on_t1_and_bright_on_t2():
    few, much = draw(necrosis=0.02), draw(necrosis=0.5)
    assert np.median(roi(much)) < 0.85 * np.median(roi(few))
    assert np.median(roi(much, "t2")) > 1.15 * np.median(roi(few, "t2"))


def test_rim_brightens_the_edge_on_t1():
    without, marked = draw(rim=0.0), draw(rim=1.0)
    assert np.percentile(roi(marked), 90) > 1.15 * np.percentile(roi(without), 90)


def test_readers_agree_but_not_perfectly():
    dice = []
    for seed in range(8):
        masks = draw(seed).masks
        a, b = masks["A", "t1"], masks["B", "t1"]
        dice.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert 0.80 < np.mean(dice) < 0.97
    assert max(dice) < 1


def test_a_scanner_scales_blurs_and_adds_noise():
    base = roi(draw())
    loud = roi(draw(scanner=replace(CLEAN, gain=800)))
    assert loud.mean() / base.mean() == pytest.approx(2, abs=0.03)
    noisy = draw(scanner=replace(CLEAN, noise=0.2)).images["t1"][:, :4, :4]
    assert noisy.std() > 5 * draw().images["t1"][:, :4, :4].std()
    sharp, soft = (
        np.abs(np.diff(draw(scanner=replace(CLEAN, blur=blur)).images["t1"], axis=2))
        for blur in (0.3, 1.0)
    )
    assert soft.mean() < 0.95 * sharp.mean()


def test_hospitals_draw_different_scanners():
    drawn = {Scanner.draw(np.random.default_rng([0, 2, k])) for k in range(5)}
    assert len(drawn) == 5
    assert max(s.gain for s in drawn) > 1.5 * min(s.gain for s in drawn)


def test_smooth_noise_is_smooth_and_standard():
    field = smooth_noise(np.random.default_rng(0), 3.0)
    assert field.mean() == pytest.approx(0, abs=1e-5)
    assert field.std() == pytest.approx(1, abs=1e-5)
    assert np.abs(np.diff(field, axis=1)).mean() < 0.4
