"""What pathologists drew, in three formats, and what cannot be read of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sarcfeat.exceptions import (
    InputCorrupt,
    InputEmpty,
    InputMissing,
    InvalidInput,
    UntrustedFile,
)
from sarcfeat.io import open_slide, read_annotations

shapely = pytest.importorskip("shapely")

SQUARE = [[100, 100], [500, 100], [500, 400], [100, 400], [100, 100]]
HOLE = [[200, 200], [300, 200], [300, 300], [200, 300], [200, 200]]


def write(path, text):
    path.write_text(text if isinstance(text, str) else json.dumps(text), "utf-8")
    return path


def feature(geometry, **told):
    return {"type": "Feature", "geometry": geometry, "properties": told}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [list(ring) for ring in rings]}


def ndpa(*states):
    body = "".join(states)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{body}</annotations>'


def state(title, drawn, unit="nanometers", number=1):
    return (
        f'<ndpviewstate id="{number}"><title>{title}</title>'
        f"<coordformat>{unit}</coordformat><lens>20</lens><x>0</x><y>0</y><z>0</z>"
        f"{drawn}</ndpviewstate>"
    )


def freehand(points, closed=1, kind="freehand"):
    told = "".join(f"<point><x>{x}</x><y>{y}</y></point>" for x, y in points)
    return (
        f'<annotation type="{kind}" displayname="AnnotateFreehand" color="#ff0000">'
        f"<closed>{closed}</closed><pointlist>{told}</pointlist></annotation>"
    )


@pytest.fixture
def ndpi(real_data):
    with open_slide(real_data / "wsi" / "test3-TRITC_2_560.ndpi") as slide:
        yield slide


def nanometres(slide, points):
    """Return where pixels lie on the glass: the formula the other way round."""
    offset = [
        float(slide.properties[f"hamamatsu.{a}OffsetFromSlideCentre"]) for a in "XY"
    ]
    centre = np.array(slide.dimensions) / 2
    return (np.array(points, float) - centre) * 1000 * slide.mpp + offset


def test_ndpa_on_the_real_slide_lands_on_the_pixels_it_was_drawn_on(ndpi, tmp_path):
    points = nanometres(ndpi, SQUARE[:4]).round().astype(int)
    middle = nanometres(ndpi, [[1000, 2000]])[0]
    circle = (
        f'<annotation type="circle"><x>{middle[0]}</x><y>{middle[1]}</y>'
        f"<radius>{100 * 1000 * ndpi.mpp}</radius></annotation>"
    )
    ruler = '<annotation type="linearmeasure"><x1>0</x1><y1>0</y1></annotation>'
    text = ndpa(
        state("Centre", freehand(points)),
        state("spot", circle, number=2),
        state("5 mm", ruler, number=3),
    )
    first, second = read_annotations(write(tmp_path / "a.ndpa", text), slide=ndpi)
    assert (first.name, first.kind, first.notes) == ("Centre", "freehand", ())
    truth = shapely.Polygon(SQUARE)
    assert first.polygon.symmetric_difference(truth).area < 1e-3 * truth.area
    assert second.kind == "circle"
    assert second.polygon.centroid.coords[0] == pytest.approx((1000, 2000))
    assert second.polygon.area == pytest.approx(np.pi * 100**2, rel=1e-3)


def test_ndpa_needs_a_slide_that_says_where_it_lies(tmp_path):
    path = write(tmp_path / "a.ndpa", ndpa(state("C", freehand(SQUARE))))
    with pytest.raises(InvalidInput, match=r"a\.ndpa has nanometres .* give slide="):
        read_annotations(path)
    Image.new("RGB", (600, 600)).save(tmp_path / "a.png")
    with (
        open_slide(tmp_path / "a.png", mpp=0.5) as slide,
        pytest.raises(InvalidInput, match=r"a\.png does not say where on the glass"),
    ):
        read_annotations(path, slide=slide)


def test_ndpa_in_other_units_or_without_points(ndpi, tmp_path):
    path = write(tmp_path / "a.ndpa", ndpa(state("C", freehand(SQUARE), "pixels")))
    with pytest.raises(InputCorrupt, match=r"annotation 1 \('C'\) .* in 'pixels'"):
        read_annotations(path, slide=ndpi)
    write(path, ndpa(state("C", freehand([]))))
    with pytest.raises(InputCorrupt, match=r"a\.ndpa: annotation 1 \('C'\).*no points"):
        read_annotations(path, slide=ndpi)
    write(path, ndpa(state("C", freehand([["a", 1]] * 3))))
    with pytest.raises(InputCorrupt, match=r"annotation 1 \('C'\) has x='a'"):
        read_annotations(path, slide=ndpi)


def test_an_open_contour_is_closed_and_said_to_be(ndpi, tmp_path):
    points = nanometres(ndpi, SQUARE[:4])
    path = write(tmp_path / "a.ndpa", ndpa(state("P", freehand(points, closed=0))))
    (drawn,) = read_annotations(path, slide=ndpi)
    assert drawn.notes == ("an open contour was closed",)
    assert drawn.polygon.area == pytest.approx(120_000, rel=1e-3)
    write(path, [feature(polygon(SQUARE[:4]), name="P")])
    (drawn,) = read_annotations(path)
    assert drawn.notes == ("an open contour was closed",)
    assert drawn.polygon.equals(shapely.Polygon(SQUARE))


def test_geojson_of_qupath(tmp_path):
    several = {
        "type": "MultiPolygon",
        "coordinates": [[SQUARE, HOLE], [[[600, 0], [700, 0], [700, 90], [600, 0]]]],
    }
    document = {
        "type": "FeatureCollection",
        "features": [
            feature(
                polygon(SQUARE, HOLE),
                objectType="annotation",
                name="mine",
                classification={"name": "Tumour", "color": [1, 2, 3]},
            ),
            feature(several, objectType="annotation", name="Periphery"),
            feature(polygon(SQUARE), objectType="cell", name="a cell"),
            feature({"type": "Point", "coordinates": [1, 2]}, name="a point"),
            feature({"type": "LineString", "coordinates": SQUARE[:2]}, name="5 mm"),
        ],
    }
    first, second = read_annotations(write(tmp_path / "a.geojson", document))
    assert (first.name, first.polygon.area) == ("Tumour", 400 * 300 - 100 * 100)
    assert (second.name, second.polygon.geom_type) == ("Periphery", "MultiPolygon")
    assert second.polygon.area == 400 * 300 - 100 * 100 + 4500


def test_geojson_of_older_qupaths_and_what_lies_within(tmp_path):
    inner = feature(polygon(HOLE), objectType="annotation", name="C")
    outer = feature(polygon(SQUARE), object_type="annotation", name="P", isLocked=True)
    outer["properties"]["childObjects"] = [inner]
    old = [
        {**feature(polygon(SQUARE), name=kind), "id": f"Path{kind}Object"}
        for kind in ("Cell", "Detection", "Tile", "Root", "Annotation")
    ]
    core = feature(polygon(SQUARE), objectType="tmaCore", name="A-1")
    drawn = read_annotations(write(tmp_path / "a.geojson", [outer, *old, core]))
    assert [one.name for one in drawn] == ["P", "C", "Annotation"]
    assert drawn[1].polygon.area == 100 * 100


def test_qupath_counts_from_the_scanned_area(tmp_path):
    Image.new("L", (2000, 1500)).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        assert slide.bounds == (0, 0, 2000, 1500)
        area = {"x": "300", "y": "200", "width": "900", "height": "900"}
        slide.properties.update({f"openslide.bounds-{k}": v for k, v in area.items()})
        made = [feature(polygon(SQUARE), objectType="annotation", name="C")]
        path = write(tmp_path / "a.geojson", made)
        (drawn,) = read_annotations(path, slide=slide)
        moved = shapely.Polygon(np.add(SQUARE, (300, 200)))
        assert drawn.polygon.equals(moved)
        assert drawn.notes == (
            "QuPath counts from the scanned area: moved by 300 and 200 pixels",
        )
        # Shown whole in QuPath (--no-crop), or of another program: as it is.
        large = [[0, 0], [1900, 0], [1900, 900], [0, 0]]
        whole = feature(polygon(large), objectType="annotation", name="P")
        write(path, [*made, whole])
        first, _ = read_annotations(path, slide=slide)
        assert first.polygon.equals(shapely.Polygon(SQUARE))
        write(path, [feature(polygon(SQUARE), name="C")])
        (other,) = read_annotations(path, slide=slide)
        assert other.polygon.equals(shapely.Polygon(SQUARE))


def test_ndpa_on_a_slide_whose_pixels_are_not_quite_square(tmp_path):
    Image.new("RGB", (2000, 1000)).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        slide.mpp_xy = (0.501, 0.499)
        for axis in "XY":
            slide.properties[f"hamamatsu.{axis}OffsetFromSlideCentre"] = "0"
        points = np.array(SQUARE[:4]) - (1000, 500)
        text = ndpa(state("C", freehand(points * (501, 499))))
        (drawn,) = read_annotations(write(tmp_path / "a.ndpa", text), slide=slide)
        assert drawn.polygon.equals_exact(shapely.Polygon(SQUARE), 1e-6)


@pytest.mark.parametrize(
    "wrapped", ["collection", "list", "feature", "geometry", "bom"]
)
def test_geojson_in_every_wrapping(tmp_path, wrapped):
    one = feature(polygon(SQUARE), classification="C")
    text = json.dumps(
        {
            "collection": {"type": "FeatureCollection", "features": [one]},
            "feature": one,
            "geometry": one["geometry"],
        }.get(wrapped, [one])
    )
    path = tmp_path / "a.json"
    path.write_bytes((b"\xef\xbb\xbf" if wrapped == "bom" else b"") + text.encode())
    (drawn,) = read_annotations(path)
    assert drawn.polygon.area == 120_000
    assert drawn.name == ("" if wrapped == "geometry" else "C")


ASAP = """<?xml version="1.0"?>
<ASAP_Annotations><Annotations>
<Annotation Name="one" Type="Polygon" PartOfGroup="Centre" Color="#F4FA58"><Coordinates>
<Coordinate Order="1" X="500" Y="100"/><Coordinate Order="0" X="100,0" Y="100"/>
<Coordinate Order="2" X="500" Y="400"/><Coordinate Order="3" X="100" Y="400"/>
</Coordinates></Annotation>
<Annotation Name="R" Type="Spline" PartOfGroup="None"><Coordinates>
<Coordinate Order="0" X="0" Y="0"/><Coordinate Order="1" X="9" Y="0"/>
<Coordinate Order="2" X="9" Y="9"/></Coordinates></Annotation>
<Annotation Name="dot" Type="Dot" PartOfGroup="None"><Coordinates>
<Coordinate Order="0" X="0" Y="0"/></Coordinates></Annotation>
</Annotations><AnnotationGroups/></ASAP_Annotations>"""


def test_asap_orders_points_and_names_by_group(tmp_path):
    first, second = read_annotations(write(tmp_path / "a.xml", ASAP))
    assert (first.name, first.kind) == ("Centre", "polygon")
    assert first.polygon.equals(shapely.Polygon(SQUARE))
    assert (second.name, second.kind, second.polygon.area) == ("R", "spline", 40.5)
    write(tmp_path / "b.xml", ASAP.replace('X="9"', 'X="nine"', 1))
    with pytest.raises(InputCorrupt, match=r"b\.xml: annotation 2 \('R'\).*'nine'"):
        read_annotations(tmp_path / "b.xml")


def test_a_contour_that_crosses_itself_is_repaired_and_said_to_be(tmp_path):
    bow = [[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]
    (drawn,) = read_annotations(
        write(tmp_path / "a.geojson", [feature(polygon(bow), name="C")])
    )
    assert drawn.notes == ("a contour that crosses itself was repaired",)
    assert drawn.polygon.is_valid
    assert drawn.polygon.area == 50


@pytest.mark.parametrize(
    ("geometry", "told"),
    [
        (
            polygon([[0, 0], [1, 1], [0, 0]]),
            "has 2 different points; an outline has three",
        ),
        (polygon([[0, 0], [1, 1], [2, 2], [0, 0]]), "encloses no area"),
        (polygon([[0, 0], [1, None], [2, 2]]), "no points|no numbers"),
        (polygon([[0, 0], ["a", 1], [2, 2]]), "no points"),
        (polygon([[0, 0], [float("nan"), 1], [2, 2]]), "no numbers"),
        (polygon([[0, 0], [1, float("inf")], [2, 2]]), "no numbers"),
        (polygon([1, 2, 3]), "no points"),
        ({"type": "Polygon", "coordinates": None}, "no list"),
        ({"type": "Polygon", "coordinates": []}, "no points"),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "no points"),
        (None, "no geometry"),
    ],
)
def test_an_outline_that_is_none_is_named(tmp_path, geometry, told):
    good = feature(polygon(SQUARE), name="P")
    path = write(tmp_path / "a.geojson", [good, feature(geometry, name="C")])
    with pytest.raises(
        InputCorrupt, match=rf"a\.geojson: annotation 2 \('C'\).*({told})"
    ):
        read_annotations(path)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "FeatureCollection"}',
        "[1, 2]",
        '{"a": 1}',
        "{broken",
        "[" * 100_000,
        "<annotations><ndpviewstate></annotations>",
        "<svg/>",
        "name,x,y\n",
        "<?xml version='1.0' encoding='nonsense'?><annotations/>",
    ],
)
def test_text_that_holds_no_annotations(tmp_path, text):
    path = write(tmp_path / "odd.xml", text)
    with pytest.raises(InputCorrupt, match=r"odd\.xml"):
        read_annotations(path)


def test_a_bomb_of_entities_is_refused(tmp_path):
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">'
        + "".join(f'<!ENTITY b{i} "{"&a;" * 10}">' for i in range(9))
        + "]><annotations>&b8;</annotations>"
    )
    with pytest.raises(UntrustedFile, match=r"bomb\.ndpa declares a document type"):
        read_annotations(write(tmp_path / "bomb.ndpa", bomb))
    secret = (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
        "<ASAP_Annotations>&x;</ASAP_Annotations>"
    )
    with pytest.raises(UntrustedFile, match=r"out\.xml"):
        read_annotations(write(tmp_path / "out.xml", secret))
    deep = "<a>" * 5000 + "</a>" * 5000
    with pytest.raises(InputCorrupt, match="more than 64 deep"):
        read_annotations(write(tmp_path / "deep.xml", deep))


def test_annotations_of_another_slide_are_refused(tmp_path):
    Image.new("RGB", (90, 80)).save(tmp_path / "small.png")
    path = write(tmp_path / "a.geojson", [feature(polygon(SQUARE), name="C")])
    with (
        open_slide(tmp_path / "small.png", mpp=0.5) as slide,
        pytest.raises(InvalidInput, match=r"annotation 1 \('C'\) lies at x 100 to 500"),
    ):
        read_annotations(path, slide=slide)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputMissing, match=r"gone\.ndpa"):
        read_annotations(tmp_path / "gone.ndpa")
    Path(tmp_path / "empty.ndpa").touch()
    with pytest.raises(InputEmpty, match=r"empty\.ndpa"):
        read_annotations(tmp_path / "empty.ndpa")
