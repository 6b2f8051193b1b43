"""Simulated slides open anywhere and show what was planted, where it was planted."""

import numpy as np
import pytest
from joblib import parallel_config
from PIL import Image

from sarcfeat.datasets import load_folder, make_slides
from sarcfeat.datasets.slide_painter import SlideScanner, paint
from sarcfeat.datasets.slide_plan import plan_slide
from sarcfeat.exceptions import CohortError, InvalidInput
from sarcfeat.io import named_regions, open_slide, read_annotations


@pytest.fixture(scope="module")
def cohort():
    return make_slides(n=10, seed=0, size=1100, slides=1)


def hue_of(region, cohort, patient):
    """Return the mean strength of haematoxylin (red absorbed) in a region."""
    rows = cohort.slides[cohort.slides["patient"] == patient]
    values = []
    for row in rows.itertuples():
        drawn = cohort.annotations[cohort.annotations["slide"] == row.slide]
        with open_slide(row.path) as slide:
            regions = named_regions(
                read_annotations(drawn["path"].iloc[0], slide=slide)
            )
            small = slide.thumbnail(275)
            step = slide.dimensions[0] / small.shape[1]
        y, x = np.mgrid[: small.shape[0], : small.shape[1]]
        points = step * (np.column_stack([x.ravel(), y.ravel()]) + 0.5)
        codes = regions.label(points).reshape(small.shape[:2])
        inside = (codes == regions.names.index(region) + 1) & (small.min(-1) < 225)
        values.append(255 - small[..., 0][inside].mean())
    return float(np.mean(values))


def test_tumour_darkens_with_the_hazard_and_its_surroundings_do_not(cohort):
    from scipy.stats import spearmanr

    truth = cohort.truth
    ids = cohort.patients.index[cohort.patients["site"] == "A"]
    assert len(ids) >= 6
    for region in ("C", "P"):
        shown = [hue_of(region, cohort, patient) for patient in ids]
        assert spearmanr(shown, truth.loc[ids, "aggressiveness"])[0] > 0.85
    shown = [hue_of("R", cohort, patient) for patient in ids]
    assert spearmanr(shown, truth.loc[ids, "around"])[0] > 0.5


def test_openslide_opens_a_pyramid_with_resolution_and_magnification(cohort):
    openslide = pytest.importorskip("openslide")
    with openslide.OpenSlide(cohort.slides["path"].iloc[0]) as slide:
        assert slide.dimensions == (1100, 1100)
        assert slide.level_dimensions[1] == (275, 275)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.25)
        assert slide.properties["openslide.objective-power"] == "40"


def test_regions_of_both_formats_lie_where_they_were_planned(tmp_path):
    made = {
        kind: make_slides(
            n=2, size=512, slides=1, annotations=kind, root=tmp_path / kind
        )
        for kind in ("ndpa", "geojson")
    }
    for row in range(2):
        labels = []
        for cohort in made.values():
            with open_slide(cohort.slides["path"].iloc[row]) as slide:
                drawn = read_annotations(
                    cohort.annotations["path"].iloc[row], slide=slide
                )
            grid = np.random.default_rng(0).uniform(0, 512, (20_000, 2))
            labels.append(named_regions(drawn).label(grid))
        # NDPA rounds to nanometres: far less than one point in ten thousand.
        assert np.mean(labels[0] != labels[1]) < 1e-3
        assert set(labels[0]) == {0, 1, 2, 3}


def test_a_tile_with_its_centre_in_r_shows_no_tumour():
    steps = np.arange(112, 1536, 224)
    centres = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    for seed in range(12):
        plan = plan_slide([seed], side=1536, mpp=0.25, level=0.5, around=0.5)
        ring = plan.regions.polygons[2]
        counts = np.bincount(plan.regions.label(centres), minlength=4)
        assert counts[1:].min() >= 1, (plan.kind, counts)
        # A tile reaches 112 pixels to each side.
        assert ring.distance(plan.tumour) > 112 + 18


def test_what_lies_around_says_nothing_in_a_small_cohort_either():
    truth = make_slides(n=24, size=256, slides=1).truth
    assert abs(truth["aggressiveness"].corr(truth["around"])) < 0.2


def test_windows_are_painted_alike_alone_and_together():
    plan = plan_slide([3], side=900, mpp=0.25, level=0.8, around=0.2)
    scanner = SlideScanner.draw(np.random.default_rng(0))
    whole = paint(plan, scanner, 0, 0, 900, 900)
    part = paint(plan, scanner, 300, 412, 256, 256)
    seen = whole[412:668, 300:556].astype(int)
    # Blur ends a little differently at the edge of what is painted.
    assert np.abs(seen - part).mean() < 1.0


def test_same_seed_same_bytes_for_any_number_of_jobs(tmp_path):
    asked = {"n": 3, "size": 256, "seed": 4}
    first = make_slides(**asked, root=tmp_path / "a")
    with parallel_config(backend="threading"):
        make_slides(**asked, root=tmp_path / "b", n_jobs=2)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) >= 9
    for name in files:
        one, two = (tmp_path / which / name for which in "ab")
        assert one.read_bytes() == two.read_bytes()
    again = make_slides(**asked, root=tmp_path / "a")
    assert again.slides.equals(first.slides)
    with pytest.raises(CohortError, match="holds a cohort simulated with"):
        make_slides(**{**asked, "seed": 5}, root=tmp_path / "a")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"size": 100}, "size must be a whole number from 256"),
        ({"mpp": 5}, "mpp=5"),
        ({"annotations": "xml"}, "annotations='xml'"),
    ],
)
def test_numbers_out_of_range(changed, told):
    with pytest.raises(InvalidInput, match=told):
        make_slides(n=1, **changed)


def test_a_cohort_with_slides_is_written_and_read_back(cohort, tmp_path):
    cohort.write(tmp_path / "copy")
    copy = load_folder(tmp_path / "copy")
    assert copy.slides[["patient", "slide"]].equals(cohort.slides[["patient", "slide"]])
    assert len(copy.annotations) == len(cohort.annotations) == len(cohort.slides)
    assert "slides" in copy.describe()


def test_slides_are_found_by_name_whatever_their_suffix(tmp_path):
    for name in ("P1/a.svs", "P1/b.ome.tif", "P2/c.ndpi", "P2/c.txt", "P3/d.svs"):
        path = tmp_path / "slides" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for name in ("P1/a.geojson", "P2/c.ndpi.ndpa", "P1/b.ome.xml"):
        (tmp_path / "slides" / name).write_bytes(b"x")
    (tmp_path / "patients.csv").write_text("patient,site\nP1,H1\nP2,H1\n")
    found = load_folder(tmp_path)
    pairs = [*found.slides[["patient", "slide"]].itertuples(index=False, name=None)]
    assert pairs == [("P1", "a"), ("P1", "b"), ("P2", "c")]
    assert found.annotations["slide"].tolist() == ["a", "b", "c"]
    assert found.dropped["patient"].tolist() == ["P3"]
    assert "3 slides" in repr(found)


def test_the_folder_may_have_a_pattern_of_its_own(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "P7-1.png")
    (tmp_path / "cohort.toml").write_text(
        '[patterns]\nslides = "{patient}-{slide}.{ext}"'
    )
    (tmp_path / "patients.csv").write_text("patient,site\nP7,H1\n")
    assert load_folder(tmp_path).slides["slide"].tolist() == ["1"]
    (tmp_path / "cohort.toml").write_text('[patterns]\nslides = "{patient}.{ext}"')
    with pytest.raises(CohortError, match=r"must hold \{patient\} and \{slide\}"):
        load_folder(tmp_path)
