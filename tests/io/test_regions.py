"""Regions: names in several languages, borders, precedence, millimetres."""

import json
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.io import Annotation, Regions, derive_regions, named_regions

shapely = pytest.importorskip("shapely")

CENTRE, TUMOUR = shapely.box(30, 30, 70, 70), shapely.box(0, 0, 100, 100)


def drawn(name, polygon=TUMOUR):
    return Annotation(name, polygon, "freehand")


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("C", "C"),
        ("c2", "C"),
        ("Centre", "C"),
        ("CENTER_1", "C"),
        ("tumor core", "C"),
        ("Zentrum", "C"),
        ("Cœur", "C"),
        ("Périphérie 2", "P"),
        ("Margin", "P"),
        ("Tumor-Rand", "P"),
        ("Peri-tumoural", "R"),
        ("péritumoral", "R"),
        ("Ring", "R"),
    ],
)
def test_names_as_people_write_them(name, region):
    regions = named_regions([drawn(name)])
    assert regions.names == ("C", "P", "R")
    code = int(regions.label([[5, 5]])[0])
    assert regions.names[code - 1] == region


def test_unknown_names_are_all_listed_with_the_near_miss():
    with pytest.raises(UnknownName) as caught:
        named_regions([drawn("Perifery"), drawn("C"), drawn("artefact")])
    told = str(caught.value)
    assert "'Perifery'" in told
    assert "'artefact'" in told
    assert "Did you mean 'periphery'?" in told
    assert "names={region: spelling}" in told
    left = named_regions([drawn("C"), drawn("Artefact 3")], ignore=["artefact"])
    assert left.notes == ("'Artefact 3' was left out, as asked",)
    with pytest.raises(UnknownName, match="''"):
        named_regions([drawn("")])


def test_names_of_ones_own_have_their_own_precedence():
    told = {"viable": ["Vital", "alive"], "necrosis": "Nekrose"}
    regions = named_regions([drawn("nekrose"), drawn("VITAL", CENTRE)], told)
    assert regions.names == ("viable", "necrosis")
    assert regions.label([[50, 50], [5, 5]]).tolist() == [1, 2]
    with pytest.raises(InvalidInput, match="stands for the regions 'a' and 'b'"):
        named_regions([], {"a": "x", "b": "X"})


def test_what_is_named_first_has_the_point_however_it_was_drawn():
    whole = named_regions([drawn("P"), drawn("C", CENTRE), drawn("R")])
    ringed = named_regions([drawn("P", TUMOUR - CENTRE), drawn("C", CENTRE)])
    points = np.random.default_rng(0).uniform(-10, 110, (2000, 2))
    assert np.array_equal(whole.label(points), ringed.label(points))
    # The border between two regions belongs to the first.
    assert ringed.label([[30, 50], [0, 0], [100, 40], [100.001, 40]]).tolist() == [
        1,
        2,
        2,
        0,
    ]
    assert whole.areas(1000.0) == {"C": 1600.0, "P": 8400.0, "R": 0.0}


def by_ray(ring, x, y):
    """Return whether a point lies in a closed polygon, by counting crossings."""
    inside = False
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if (
            cross == 0
            and min(ax, bx) <= x <= max(ax, bx)
            and min(ay, by) <= y <= max(ay, by)
        ):
            return True
        if (ay > y) != (by > y) and (cross > 0) == (by > ay):
            inside = not inside
    return inside


@settings(max_examples=60, deadline=None)
@given(
    corners=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12)),
        min_size=3,
        max_size=9,
        unique=True,
    )
)
def test_labels_are_those_of_ray_casting_at_the_border_too(corners):
    middle = np.mean(corners, axis=0)
    ring = sorted(
        corners, key=lambda p: (np.arctan2(p[1] - middle[1], p[0] - middle[0]), p)
    )
    polygon = shapely.Polygon(ring)
    if not polygon.is_valid or not polygon.area:
        return
    grid = [(x / 2, y / 2) for x in range(-2, 27) for y in range(-2, 27)]
    codes = Regions(("C",), (polygon,)).label(grid)
    assert codes.tolist() == [int(by_ray(ring, x, y)) for x, y in grid]


def test_a_hundred_thousand_points_take_less_than_half_a_second():
    rough = [
        shapely.Polygon(
            [
                (r * (1 + 0.02 * np.cos(40 * t)) * np.cos(t), r * np.sin(t))
                for t in np.linspace(0, 2 * np.pi, 2000, endpoint=False)
            ]
        )
        for r in (3000, 6000, 9000)
    ]
    regions = Regions(("C", "P", "R"), tuple(rough))
    points = np.random.default_rng(0).uniform(-10_000, 10_000, (100_000, 2))
    start = time.process_time()  # whatever else the machine does
    codes = regions.label(points)
    assert time.process_time() - start < 0.5
    radius = np.hypot(*points.T)
    assert (codes[radius < 2900] == 1).all()
    assert (codes[(radius > 3100) & (radius < 5800)] == 2).all()
    assert (codes[radius > 9300] == 0).all()


def test_regions_derived_from_one_outline_are_as_wide_as_asked():
    tumour = drawn(
        "tumour", shapely.Point(20_000, 20_000).buffer(15_000, quad_segs=200)
    )
    # 4 µm a pixel: the tumour has a radius of 60 mm.
    regions = derive_regions([tumour], mpp=4.0, periphery=10, ring=5)
    radius = np.array([59.9, 60.1, 64.9, 65.2, 50.1, 49.8, 0.0]) / 0.004
    points = 20_000 + radius[:, None] * np.array([np.cos(0.3), np.sin(0.3)])
    names = np.array(["", *regions.names])[regions.label(points)]
    assert names.tolist() == ["P", "R", "R", "", "P", "C", "C"]
    assert "periphery 10 mm, ring 5 mm, 4 µm per pixel" in regions.notes[-1]


def test_ten_millimetres_are_ten_round_a_corner_too():
    tumour = drawn("tumour", shapely.box(50_000, 50_000, 150_000, 150_000))
    regions = derive_regions([tumour], mpp=0.25)
    angle = np.linspace(np.pi, 1.5 * np.pi, 1000)
    round_it = np.column_stack([np.cos(angle), np.sin(angle)])
    for width, code in ((39_998, 3), (40_002, 0)):  # pixels of a quarter micrometre
        assert (regions.label(50_000 + width * round_it) == code).all()


def test_the_ring_ends_with_the_slide_and_small_tumours_have_no_centre():
    small = drawn("Tumour", shapely.box(100, 100, 900, 900))
    regions = derive_regions(
        [small, drawn("tumour 2", shapely.box(900, 100, 950, 900))],
        mpp=10.0,
        slide_size=(1000, 1000),
    )
    areas = regions.areas(10.0)
    assert areas["C"] == 0
    assert areas["P"] == pytest.approx(8.5 * 8)
    assert areas["R"] == pytest.approx(100 - 8.5 * 8)
    none = derive_regions([small], mpp=10.0, ring=0)
    assert none.areas(10.0)["R"] == 0


def test_what_regions_cannot_be_derived_from():
    with pytest.raises(InvalidInput, match="no annotation to derive"):
        derive_regions([], mpp=0.25)
    two = [drawn("tumour"), drawn("necrosis")]
    with pytest.raises(InvalidInput, match="'necrosis', 'tumour'; say which"):
        derive_regions(two, mpp=0.25)
    assert derive_regions(two, mpp=0.25, outline="Tumour").names == ("C", "P", "R")
    with pytest.raises(
        UnknownName, match=r"No annotation 'tumr'\. Did you mean 'tumour'"
    ):
        derive_regions(two, mpp=0.25, outline="tumr")
    for wrong in ({"periphery": 0}, {"ring": -1}, {"periphery": float("nan")}):
        with pytest.raises(InvalidInput, match=f"{next(iter(wrong))}="):
            derive_regions([drawn("t")], mpp=0.25, **wrong)
    with pytest.raises(InvalidInput, match="mpp=0"):
        derive_regions([drawn("t")], mpp=0)


def test_regions_survive_json_and_pickle_and_keep_their_checksum():
    regions = named_regions([drawn("C", CENTRE), drawn("P", TUMOUR - CENTRE)])
    again = Regions.from_dict(json.loads(json.dumps(regions.to_dict())))
    assert again == regions == pickle.loads(pickle.dumps(regions))
    assert again.sha256 == regions.sha256
    # Where a contour begins, and how often it was drawn, is nothing of the region.
    turned = shapely.Polygon([(70, 70), (30, 70), (30, 30), (70, 30)])
    same = named_regions([drawn("C", turned), drawn("P", TUMOUR - CENTRE)])
    assert same.sha256 == regions.sha256
    moved = named_regions([drawn("C", shapely.box(30, 30, 70, 70.5))])
    assert moved.sha256 != regions.sha256
    with pytest.raises(InvalidInput, match="no regions"):
        Regions.from_dict({"names": ["C"]})


def test_tables_of_regions_that_do_not_fit():
    with pytest.raises(InvalidInput, match="2 names for 1 regions"):
        Regions(("C", "P"), (CENTRE,))
    with pytest.raises(InvalidInput, match="names that differ"):
        Regions(("C", "C"), (CENTRE, TUMOUR))
    with pytest.raises(InvalidInput, match=r"shape \(3,\)"):
        Regions(("C",), (CENTRE,)).label([1.0, 2.0, 3.0])
    assert Regions(("C",), (CENTRE,)).label(np.empty((0, 2))).shape == (0,)
