"""Bags of slides in a matrix: references, gaps, frozen, explained, shared, erased."""

import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import LeakageError, StoreError, UnknownName
from sarcfeat.io import BagRef
from tests.store.fake_slides import MPP, FakeSlides, box, write_geojson, write_slide

pytest.importorskip("shapely")
SLIDES = [("P1", "a"), ("P1", "b"), ("P2", "a"), ("P3", "a")]


def clinical():
    return pd.DataFrame(
        {
            "site": "Lyon",
            "age": [61.0, 48, 55, 70],
            "surgery": pd.Timestamp("2020-01-15"),
            "days": [900, 365, 200, 1200],
            "event": [0, 1, 1, 0],
        },
        index=pd.Index(["P1", "P2", "P3", "P4"], name="patient"),
    )


def manifest(root, **dates):
    rows = []
    for i, (patient, slide) in enumerate(SLIDES):
        path = root / "slides" / f"{patient}_{slide}.png"
        if not path.exists():
            write_slide(path, seed=i, blank=patient == "P3")
        rows.append([patient, slide, str(path), dates.get(patient)])
    return pd.DataFrame(rows, columns=["patient", "slide", "path", "acquired_at"])


def drawn(root):
    paths = [
        str(write_geojson(root / "drawn" / f"{p}_{s}.geojson"))
        for p, s in SLIDES
        if s == "a"
    ]
    patients = [p for p, s in SLIDES if s == "a"]
    return pd.DataFrame({"patient": patients, "slide": "a", "path": paths})


def filled(root):
    store = FeatureStore(root / "study")
    store.add_patients(clinical(), index_time="surgery")
    store.add_outcome("mfs", time="days", event="event")
    store.add_slides(manifest(root), mpp=MPP)
    store.add_annotations(drawn(root))
    store.encode(FakeSlides())
    return store


@pytest.fixture
def study(tmp_path):
    """A store of one's own, to change."""
    with filled(tmp_path) as store:
        yield store


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store to look at."""
    with filled(tmp_path_factory.mktemp("slides")) as store:
        yield store


def bags(store, **kwargs):
    return store.matrix(None, features=["clinical.age", "tiny"], **kwargs)


def test_a_column_of_references(shared):
    m = bags(shared, outcome="mfs")
    assert m.X.columns.tolist() == ["site", "clinical.age", "tiny.bag"]
    column = m.X["tiny.bag"]
    assert column.dtype == object
    assert column.notna().tolist() == [True, True, False, False]
    first = column["P1"]
    assert isinstance(first, BagRef)
    assert (first.patient, first.dim, first.count()) == ("P1", 5, 76)
    assert [part.slide for part in first.parts] == ["a", "b"]
    assert pickle.loads(pickle.dumps(first)) == first
    made = m.provenance["feature_sets"]["tiny"]
    assert (made["n_patients"], made["n_slides"], made["n_tiles"]) == (2, 3, 104)
    assert m.y["event"].sum() == 2


def test_references_are_read_by_regions(shared):
    refs = bags(shared).X["tiny.bag"]
    centre = refs["P2"].load(regions=["C"])
    assert centre.features.shape == (8, 5)
    assert centre.features.dtype == np.float16
    assert (centre.coords + 16).min(axis=0).tolist() == [80, 48]
    both = refs["P2"].load(regions=["C", "P"])
    whole = refs["P2"].load()
    np.testing.assert_array_equal(both.features, whole.features)
    held = shared.tiles("P1", n=None)
    np.testing.assert_array_equal(refs["P1"].load().features, held.features)


def test_who_has_no_bag_and_why(study, tmp_path):
    missing = bags(study).missing.set_index("patient")["reason"]
    assert missing["P3"] == "NoTissue: no tile of slides a was kept"
    assert "no slide: add it with store.add_slides" in missing["P4"]
    write_slide(tmp_path / "more" / "P4.png", seed=50)
    more = pd.DataFrame({"patient": ["P4"], "path": [str(tmp_path / "more/P4.png")]})
    study.add_slides(more, mpp=MPP)
    missing = bags(study).missing.set_index("patient")["reason"]
    assert missing["P4"] == "not encoded yet (slides P4): run store.encode(...)"
    study.encode(FakeSlides(broken="P4.png"))
    missing = bags(study).missing.set_index("patient")["reason"]
    assert missing["P4"].startswith("Patient P4, slide P4: ")
    assert "40 tiles of 50" in missing["P4"]
    assert study.missing(None, "tiny")["patient"].tolist() == ["P3", "P4"]
    dropped = bags(study, missing="drop")
    assert dropped.X.index.tolist() == ["P1", "P2"]
    assert bags(study).complete("tiny").X.index.tolist() == ["P1", "P2"]


def test_a_slide_that_a_reference_lacks_is_told(study, tmp_path):
    path = write_slide(tmp_path / "more" / "c.png", seed=51)
    study.add_slides(pd.DataFrame({"patient": ["P1"], "path": [str(path)]}), mpp=MPP)
    m = bags(study)
    assert "P1: slide c is not in tiny.bag: not encoded yet" in m.provenance["notes"]
    assert m.X["tiny.bag"].notna()["P1"]
    rows = study.missing(None, "tiny")
    assert rows["reason"][rows["patient"] == "P1"].item().startswith("slide c is not")


def test_slides_after_the_index_time_are_left_out(study, tmp_path):
    study.add_slides(manifest(tmp_path, P1="2020-02-01", P2="2019-12-01"), mpp=MPP)
    m = bags(study)
    assert m.X["tiny.bag"].notna().tolist() == [False, True, False, False]
    reason = m.missing.set_index("patient")["reason"]["P1"]
    assert reason == "acquired on 2020-02-01, after the index time 2020-01-15"
    with pytest.raises(LeakageError, match=r"tiny.bag comes from slides after .* P1"):
        study.matrix(None, features="tiny.bag")
    assert bags(study, as_of=None).X["tiny.bag"].notna().sum() == 2


def test_the_matrix_id_is_that_of_the_tiles(study, tmp_path):
    m = bags(study)
    assert bags(study).matrix_id == m.matrix_id
    assert len(study.sql("SELECT unnest(unit_ids) FROM matrix")) == 3
    thawed = study.matrix_by_id(m.matrix_id)
    assert thawed.X.equals(m.X)
    # The same tiles in another place are the same matrix.
    study.close()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(study.path, elsewhere)
    with FeatureStore(elsewhere) as other:
        again = bags(other)
        assert again.matrix_id == m.matrix_id
        part = again.X["tiny.bag"]["P1"].parts[0]
        assert part.path.startswith(str(elsewhere))
        # Other regions are other tiles.
        square = box("Centre", 0, 0, 256, 192)
        write_geojson(tmp_path / "drawn" / "P2_a.geojson", square)
        other.encode(FakeSlides())
        changed = bags(other)
        assert changed.matrix_id != m.matrix_id
        assert other.matrix_by_id(m.matrix_id).X["tiny.bag"]["P2"].count() == 28
        rows = other.diff(m.matrix_id, changed)
        units = rows[rows["what"] == "unit"]
        assert units["feature"].tolist() == ["tiny.bag, slide a"]
        assert units["patient"].tolist() == ["P2"]
        assert rows["what"].tolist() == ["value", "unit"]


def test_published_copies_give_the_same_references(shared):
    m = bags(shared)
    shared.publish()
    with FeatureStore(shared.path, read_only=True) as copy:
        assert bags(copy).X.equals(m.X)
        assert copy.tile_counts().equals(shared.tile_counts())
        assert len(copy.slides()) == 4


@pytest.mark.parametrize("kind", ["parquet", "csv", "npz"])
def test_exported_references_are_json(shared, tmp_path, kind):
    m = bags(shared)
    path = shared.export(m, tmp_path / f"m.{kind}")
    if kind == "npz":
        with np.load(path, allow_pickle=False) as held:
            obs = pd.DataFrame(held["obs"], held["obs_names"])
        cells = obs["tiny.bag"].tolist()
    elif kind == "csv":
        cells = pd.read_csv(path)["tiny.bag"].fillna("").tolist()
    else:
        import duckdb

        side = duckdb.connect()
        rows = side.execute('SELECT "tiny.bag" FROM read_parquet(?)', [str(path)])
        cells = [row[0] or "" for row in rows.fetchall()]
    told = json.loads(cells[0])
    assert (told["patient"], told["dim"]) == ("P1", 5)
    assert [part["tiles"] for part in told["parts"]] == [28, 48]
    assert told["parts"][0]["path"] == m.X["tiny.bag"]["P1"].parts[0].path
    assert cells[2:] == ["", ""]


def test_explain_goes_back_to_slide_and_outlines(shared, tmp_path):
    found = shared.explain("P1", "tiny")
    assert found.value == "76 tiles of 2 slides"
    bag = found.chain["bag of slide a"]
    assert (bag["tiles"], bag["file_is_unchanged"]) == (28, True)
    assert "A C: 8" in bag["counts"]
    slide = found.chain["slide a"]
    assert slide["path"].endswith("P1_a.png")
    assert (slide["mpp"], slide["mpp_from"]) == (MPP, "given")
    assert found.chain["regions of slide a"]["names"] == "C P R"
    assert found.chain["regions of slide b"]["names"].startswith("none")
    assert found.chain["run of slide b"]["seconds"] > 0
    assert json.loads(found.to_json())["feature"] == "tiny.bag"
    with pytest.raises(StoreError, match=r"P4 has no bag of tiny"):
        shared.explain("P4", "tiny.bag")
    assert "tiny.bag of patient P1" in str(found)


def test_verify_knows_slides_and_outlines(study, tmp_path):
    assert study.verify(sources=True).ok
    path = tmp_path / "drawn" / "P2_a.geojson"
    path.write_text(path.read_text() + " ")
    write_slide(tmp_path / "slides" / "P1_b.png", seed=99)
    found = study.verify(sources=True).problems
    assert found[["patient", "what"]].to_numpy().tolist() == [
        ["P1", "slide"],
        ["P2", "annotation"],
    ]


def test_relocated_slides_are_not_read_again(study, tmp_path):
    for folder in ("slides", "drawn"):
        (tmp_path / folder).rename(tmp_path / f"{folder} moved")
        moved = study.relocate(tmp_path / folder, tmp_path / f"{folder} moved")
        assert len(moved.failures) == 0
    assert study.slides()["file"].str.contains("slides moved").all()
    report = study.encode(FakeSlides())
    assert (report.encoded, report.skipped, report.failed) == (0, 4, 0)


def test_erased_patient_leaves_no_slide_behind(study, tmp_path):
    m = bags(study)
    study.publish()
    told = study.erase("P1", reason="withdrawal")
    assert m.matrix_id in told.invalidated
    assert any(path.endswith("P1_a.png") for path in told.kept_outside)
    assert any(path.endswith("P1_a.geojson") for path in told.kept_outside)
    assert told.rows["annotation"] == 1
    assert told.rows["tile_count"] > 0
    assert study.slides()["patient"].tolist() == ["P2", "P3"]
    assert len(list((study.path / "arrays").rglob("*.safetensors"))) == 2
    study.close()
    for path in (p for p in study.path.rglob("*") if p.is_file()):
        assert b"P1_a" not in path.read_bytes(), path
    with FeatureStore(study.path) as store:
        report = store.add_slides(manifest(tmp_path), mpp=MPP)
        assert "left out, erased from this store: P1" in report.notes
        assert store.verify().ok


def test_names_of_bags(study):
    with pytest.raises(UnknownName, match=r"tinny.*Did you mean 'tiny'"):
        study.matrix(None, features="tinny")
    with pytest.raises(Exception, match="no reader draws"):
        study.readings("tiny")
    study.encode(FakeSlides(params={"other": 1}))
    with pytest.raises(StoreError, match="2 extractors"):
        bags(study)
    report = study.encode(FakeSlides())
    assert bags(study, extractor=report.extractors).X["tiny.bag"].notna().sum() == 2


def test_fault_048_bags_of_several_slides_are_one_pool(shared):
    ref = bags(shared).X["tiny.bag"]["P1"]
    whole = ref.load()
    assert np.bincount(whole.slide).tolist() == [28, 48]
    some = ref.load(n=40, rng=np.random.default_rng(0))
    assert set(some.slide.tolist()) == {0, 1}
    assert len(ref.load(n=500, rng=np.random.default_rng(0))) == 76


def test_fault_042_fewer_tiles_than_asked_for_are_told(shared):
    ref = bags(shared).X["tiny.bag"]["P2"]
    some = ref.load(n=100, rng=np.random.default_rng(0))
    assert (len(some), some.fewer) == (28, True)
    again = ref.load(n=100, rng=np.random.default_rng(0), replace=True)
    assert (len(again), again.fewer) == (100, True)


# Bags of other tools -----------------------------------------------------------------


def foreign(path, name="features", scale=1.0, attributes=None, on_coords=None):
    """Write the tiles of a slide of 256 × 192 pixels as another tool does."""
    h5py = pytest.importorskip("h5py")
    path.parent.mkdir(parents=True, exist_ok=True)
    xs, ys = np.meshgrid(np.arange(0, 256, 32), np.arange(0, 192, 32))
    coords = np.stack([xs.ravel(), ys.ravel()], axis=1)
    features = np.random.default_rng(0).normal(size=(len(coords), 6))
    with h5py.File(path, "w") as file:
        file[name] = features.astype(np.float32)
        held = file.create_dataset("coords", data=coords * scale)
        file.attrs.update(attributes or {})
        held.attrs.update(on_coords or {})
    return coords


STAMP = {"unit": "um", "tile_size_um": 32 * MPP, "tile_size_px": 224, "extractor": "x"}
LAYOUTS = {
    "trident": ({"on_coords": {"patch_size_level0": 32}}, "features"),
    "clam": ({}, "features"),
    "stamp": ({"scale": MPP, "attributes": STAMP}, "feats"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tiles_of_other_tools_get_the_regions_of_their_slide(study, tmp_path, layout):
    options, name = LAYOUTS[layout]
    path = tmp_path / "bags" / "P2_a.h5"
    coords = foreign(path, name, **options)
    table = pd.DataFrame({"patient": ["P2"], "slide": ["a"], "path": [str(path)]})
    assert study.add_bags(table, format=layout, extractor="uni").ok == 1
    ref = study.matrix(None, features="uni").X["uni.bag"]["P2"]
    whole = ref.load()
    np.testing.assert_array_equal(whole.coords, coords)
    assert whole.region_names == ("C", "P", "R")
    assert np.bincount(whole.region).tolist() == [20, 8, 20]
    centre = ref.load(regions=["C"])
    assert (centre.coords + 16).min(axis=0).tolist() == [80, 48]
    np.testing.assert_array_equal(centre.features, whole.features[whole.region == 1])
    assert ref.count(["C", "P"]) == 28
    assert set(ref.places(["P"])["region"]) == {"P"}
    np.testing.assert_array_equal(study.tiles("P2", "uni", n=None).coords, coords)
    assert study.add_bags(table, format=layout, extractor="uni").read == 0
    before = study.matrix(None, features="uni")
    # Drawn anew: labelled anew, and only then.
    write_geojson(tmp_path / "drawn" / "P2_a.geojson", box("Centre", 0, 0, 256, 192))
    study.add_annotations(drawn_again(tmp_path))
    assert study.add_bags(table, format=layout, extractor="uni").read == 1
    after = study.matrix(None, features="uni")
    assert after.X["uni.bag"]["P2"].count(["C"]) == 48
    assert after.matrix_id != before.matrix_id
    assert study.matrix_by_id(before.matrix_id).X["uni.bag"]["P2"].count(["C"]) == 8
    assert study.verify().ok
    assert study.gc().empty
    labels = next((study.path / "arrays").rglob("*.labels.safetensors"))
    content = labels.read_bytes()
    labels.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert study.verify().patients == ["P2"]
    study.erase("P2", reason="withdrawal")
    assert not list((study.path / "arrays").rglob("*.labels.safetensors"))


def drawn_again(root):
    path = str(root / "drawn" / "P2_a.geojson")
    return pd.DataFrame({"patient": ["P2"], "slide": ["a"], "path": [path]})


def test_stamp_without_its_slide_keeps_micrometres(study, tmp_path):
    path = tmp_path / "bags" / "P4.h5"
    coords = foreign(path, "feats", scale=MPP, attributes=STAMP)
    table = pd.DataFrame({"patient": ["P4"], "path": [str(path)]})
    report = study.add_bags(table, format="stamp", extractor="uni")
    assert any("stay in µm" in note and "P4" in note for note in report.notes)
    ref = study.matrix(None, features="uni").X["uni.bag"]["P4"]
    np.testing.assert_array_equal(ref.load().coords, coords * MPP)
    assert study.add_bags(table, format="stamp", extractor="uni").read == 0
    # Told later, in a manifest.
    told = study.add_bags(table.assign(mpp=MPP), format="stamp", extractor="uni")
    assert (told.read, told.notes) == (1, ())
    ref = study.matrix(None, features="uni").X["uni.bag"]["P4"]
    np.testing.assert_array_equal(ref.load().coords, coords)


def test_stamp_before_it_wrote_units(study, tmp_path):
    path = tmp_path / "bags" / "P4.h5"
    coords = foreign(path, "feats", scale=7)  # steps of 224
    table = pd.DataFrame({"patient": ["P4"], "path": [str(path)], "mpp": [8.0]})
    report = study.add_bags(table, format="stamp", extractor="uni")
    assert "P4, slide P4: STAMP before version 2 wrote x and y, or" in str(report)
    ref = study.matrix(None, features="uni").X["uni.bag"]["P4"]
    np.testing.assert_array_equal(ref.load().coords, coords)
    foreign(path, "feats", scale=3)
    report = study.add_bags(table, format="stamp", extractor="uni")
    reason = report.failures["reason"].item()
    for word in ("Patient P4", str(path), "unit of its coordinates is None", "96"):
        assert word in reason
