import numpy as np
import pytest

from sarcfeat.encoders import SlideTiles, StainNormaliser
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput
from tests.encoders.slides import slide, tissue, write_slide


def other_stain(picture):
    """Return a picture as another laboratory would have dyed it."""
    shift = np.array([1.25, 0.8, 1.1])
    return np.clip(240 * (picture / 240.0) ** shift, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_it_does_what_torchstain_does_on_a_picture_full_of_tissue(method):
    normalizers = pytest.importorskip("torchstain.numpy.normalizers")
    # Darker, so that no pixel is clear: torchstain's Reinhard counts those, too.
    target, picture = (
        (0.85 * p).astype(np.uint8)
        for p in (tissue(80, 80), other_stain(tissue(80, 80, seed=1)))
    )
    if method == "macenko":
        peer = normalizers.NumpyMacenkoNormalizer()
        peer.fit(target)
        expected = peer.normalize(picture)[0]
    else:
        peer = normalizers.NumpyReinhardNormalizer()
        peer.fit(target)
        expected = peer.normalize(picture)
    found = StainNormaliser(method).fit([target]).transform(picture)
    # torchstain cuts decimals off where we round.
    assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_a_slide_takes_the_colours_of_the_training_slides(method):
    target, picture = tissue(128, 128), tissue(128, 128, seed=1)
    moved = other_stain(picture)
    normaliser = StainNormaliser(method).fit([target])
    found = normaliser.transform(moved)

    def apart(a):
        return np.abs(
            a.reshape(-1, 3).mean(axis=0) - target.reshape(-1, 3).mean(axis=0)
        )

    assert apart(found).max() < 0.25 * apart(moved).max()
    assert np.array_equal(found, normaliser.transform(moved))


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_it_is_written_as_json_and_read_to_the_same_bits(method, tmp_path):
    made = StainNormaliser(method).fit([tissue(64, 64), tissue(64, 64, seed=2)])
    made.to_json(tmp_path / "stain.json")
    read = StainNormaliser.from_json(tmp_path / "stain.json")
    picture = tissue(64, 64, seed=3)
    assert np.array_equal(made.transform(picture), read.transform(picture))
    assert made.sha256 == read.sha256
    assert read.n_fitted_ == 2


def test_it_is_learned_from_slides_and_only_from_those_given(tmp_path):
    a = write_slide(tmp_path / "a.tif", slide(700, 700, [(0, 0, 700, 700)]))
    b = write_slide(
        tmp_path / "b.tif", other_stain(slide(700, 700, [(0, 0, 700, 700)], seed=5))
    )
    one, again, both = (
        StainNormaliser("macenko", n_tiles=4).fit(x) for x in ([a], [a], [a, b])
    )
    assert one.state_ == again.state_
    assert one.state_ != both.state_


def test_the_state_is_part_of_the_fingerprint_and_changes_the_tiles(tmp_path):
    path = write_slide(
        tmp_path / "b.tif", other_stain(slide(256, 256, [(0, 0, 256, 256)]))
    )
    stain = StainNormaliser("reinhard").fit([tissue(64, 64)])
    told = {"net": "resnet18", "size": 64, "n_threads": 1}
    plain, dyed = (
        SlideTiles("random", **told),
        SlideTiles("random", stain=stain, **told),
    )
    assert plain.fingerprint() != dyed.fingerprint()
    assert dyed.params["stain"] == stain.to_dict()
    (_, before), (_, after) = plain.read_tiles(path), dyed.read_tiles(path)
    assert before.shape == after.shape == (16, 64, 64, 3)
    reference = tissue(64, 64).reshape(-1, 3).mean(axis=0)
    apart = [
        np.abs(t.reshape(-1, 3).mean(axis=0) - reference).max() for t in (before, after)
    ]
    assert apart[1] < 0.5 * apart[0]


def test_what_has_no_stain_is_refused_by_name():
    glass = np.full((64, 64, 3), 243, np.uint8)
    with pytest.raises(InvalidInput, match="picture 2 has 0 stained pixels"):
        StainNormaliser().fit([tissue(64, 64), glass])
    with pytest.raises(InvalidInput, match="one stain only"):
        StainNormaliser().fit([np.full((64, 64, 3), (150, 60, 140), np.uint8)])
    with pytest.raises(InvalidInput, match="No slide or picture"):
        StainNormaliser().fit([])
    with pytest.raises(InvalidInput, match=r"Call fit\(slides\)"):
        StainNormaliser().transform(glass)
    with pytest.raises(InvalidInput, match="expected a StainNormaliser that is fitted"):
        SlideTiles("random", stain=StainNormaliser())


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    with pytest.raises(InputMissing, match=r"nothing\.json"):
        StainNormaliser.from_json(tmp_path / "nothing.json")
    (tmp_path / "other.json").write_text('{"method": "macenko"}')
    with pytest.raises(InputCorrupt, match=r"other\.json holds no stain normaliser"):
        StainNormaliser.from_json(tmp_path / "other.json")
