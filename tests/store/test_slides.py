"""Slides and the regions drawn on them: looked at once, followed, counted, encoded."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from sarcfeat import FeatureStore
from sarcfeat.exceptions import CohortError, InvalidInput, StoreError, UnknownName
from sarcfeat.store import migrations
from tests.store.fake_slides import MPP, FakeSlides, box, write_geojson, write_slide

pytest.importorskip("shapely")
SLIDES = [("P1", "a"), ("P1", "b"), ("P2", "a")]


def write_files(root):
    for i, (patient, slide) in enumerate(SLIDES):
        write_slide(root / "slides" / patient / f"{slide}.png", seed=i)
    for patient in ("P1", "P2"):
        write_geojson(root / "drawn" / patient / "a.geojson")
    return root


@pytest.fixture
def files(tmp_path):
    return write_files(tmp_path)


@pytest.fixture
def study(tmp_path):
    with FeatureStore(tmp_path / "study") as store:
        store.add_patients(pd.DataFrame({"age": [1, 2, 3]}, index=["P1", "P2", "P3"]))
        yield store


def add_slides(store, files, **kwargs):
    pattern = "{patient}/{slide}.png"
    return store.add_slides(files / "slides", pattern=pattern, mpp=MPP, **kwargs)


def add_drawn(store, files, **kwargs):
    pattern = "{patient}/{slide}.geojson"
    return store.add_annotations(files / "drawn", pattern=pattern, **kwargs)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store with its slides encoded, to look at."""
    root = write_files(tmp_path_factory.mktemp("slides"))
    with FeatureStore(root / "study") as store:
        store.add_patients(pd.DataFrame({"age": [1, 2, 3]}, index=["P1", "P2", "P3"]))
        add_slides(store, root)
        add_drawn(store, root)
        assert str(store.encode(FakeSlides())).startswith("encoded 3 units, 0 already")
        yield store


@pytest.fixture
def ready(study, files):
    assert add_slides(study, files).ok == 3
    assert add_drawn(study, files).ok == 2
    return study


def test_slides_are_looked_at_once(study, files):
    assert str(add_slides(study, files)) == "3 files ok (3 read), 0 failed"
    assert str(add_slides(study, files)) == "3 files ok (0 read), 0 failed"
    assert add_slides(study, files, rehash=True).read == 0
    table = study.slides()
    assert table[["patient", "slide"]].to_numpy().tolist() == list(map(list, SLIDES))
    assert table["mpp"].tolist() == [MPP] * 3
    assert table["width"].tolist() == [256] * 3
    told = json.loads(study.sql("SELECT told FROM slide LIMIT 1")["told"].item())
    assert set(told) == {
        *("reader", "width", "height", "mpp", "mpp_from", "magnification"),
        "downsamples",
    }
    assert int(study.status().loc["slides", "count"]) == 3


def test_manifest_names_slides_and_their_resolution(study, files):
    table = pd.DataFrame(
        {
            "patient": ["P1", "P2"],
            "slide": ["resection", "biopsy"],
            "path": [str(files / "slides" / p / "a.png") for p in ("P1", "P2")],
            "mpp": [0.25, 1.0],
        }
    )
    assert study.add_slides(table).ok == 2
    assert study.slides()["mpp"].tolist() == [0.25, 1.0]
    assert study.slides()["slide"].tolist() == ["resection", "biopsy"]
    # Another resolution is another slide: its tiles are others.
    before = study.slides()["slide_id"].tolist()
    study.add_slides(table.assign(mpp=[0.5, 1.0]))
    after = study.slides()["slide_id"].tolist()
    assert before[0] != after[0]
    assert before[1] == after[1]
    with pytest.raises(InvalidInput, match="mpp of slide resection is 'x'"):
        study.add_slides(table.assign(mpp="x"))


def test_where_slides_lie(study, files):
    with pytest.raises(CohortError, match=r"pattern='\{patient\}/\{slide\}.svs'"):
        study.add_slides(files / "slides")
    with pytest.raises(CohortError, match=r"No file in .* fits the pattern"):
        study.add_slides(files / "slides", pattern="{patient}.ndpi")
    with pytest.raises(CohortError, match="no column 'path'"):
        study.add_slides(pd.DataFrame({"patient": ["P1"]}))


def test_fault_040_slide_without_resolution(study, files):
    report = study.add_slides(files / "slides", pattern="{patient}/{slide}.png")
    assert (report.ok, report.failed) == (0, 3)
    row = report.failures.iloc[0]
    assert (row["patient"], row["sequence"], row["code"]) == ("P1", "a", "NoResolution")
    for word in ("Patient P1, slide a", "a.png", "mpp="):
        assert word in row["reason"]
    assert add_slides(study, files).ok == 3


def test_a_slide_that_cannot_be_read_stops_no_other(study, files):
    broken = files / "slides" / "P2" / "a.png"
    broken.write_bytes(broken.read_bytes()[:500])
    empty = files / "slides" / "P2" / "b.png"
    empty.touch()
    report = add_slides(study, files)
    assert (report.ok, report.failed) == (2, 2)
    reasons = dict(zip(report.failures["file"], report.failures["reason"], strict=True))
    assert "Patient P2, slide a" in reasons[str(broken)]
    assert "0 bytes" in reasons[str(empty)]


def test_moved_and_renamed_slides_are_the_same_slides(ready, files):
    ready.encode(FakeSlides())
    before = ready.slides()
    (files / "slides" / "P1").rename(files / "slides" / "P01")
    (files / "slides" / "P01" / "b.png").rename(files / "slides" / "P01" / "c.png")
    paths = [files / "slides" / "P01" / f"{name}.png" for name in "ac"]
    moved = pd.DataFrame({"patient": "P1", "path": map(str, paths)})
    assert ready.add_slides(moved, mpp=MPP).ok == 2
    after = ready.slides()
    assert after["slide_id"].tolist() == before["slide_id"].tolist()
    assert after["slide"].tolist() == ["a", "c", "a"]
    report = ready.encode(FakeSlides())
    assert (report.encoded, report.skipped) == (0, 3)


def test_the_same_slide_twice_counts_once(study, files):
    shutil.copy(files / "slides/P1/a.png", files / "slides/P1/copy.png")
    report = add_slides(study, files)
    assert any("copy.png is " in n and "counts once" in n for n in report.notes)
    assert study.slides()["slide"].tolist() == ["a", "b", "a"]


def test_the_same_slide_of_two_patients_is_named(study, files):
    shutil.copy(files / "slides/P1/a.png", files / "slides/P2/a.png")
    notes = " ".join(add_slides(study, files).notes)
    assert "patients P1 and P2 have the same slide" in notes


def test_two_slides_of_one_name_are_refused(study, files):
    table = pd.DataFrame(
        {
            "patient": "P1",
            "slide": "S",
            "path": [str(files / "slides/P1" / f"{n}.png") for n in "ab"],
        }
    )
    report = study.add_slides(table, mpp=MPP)
    assert (report.ok, report.failed) == (1, 1)
    row = report.failures.iloc[0]
    assert row["code"] == "AmbiguousImage"
    for word in ("Patient P1, slide S", "a.png", "b.png", "column slide"):
        assert word in row["reason"]


def test_a_file_given_to_another_patient_is_that_patients(study, files):
    path = str(files / "slides/P1/a.png")
    study.add_slides(pd.DataFrame({"patient": ["P1"], "path": [path]}), mpp=MPP)
    report = study.add_slides(
        pd.DataFrame({"patient": ["P2"], "path": [path]}), mpp=MPP
    )
    assert f"{path} was of P1 and is now of P2" in report.notes
    assert study.slides()["patient"].tolist() == ["P2"]


def test_fault_022_slide_outside_its_folder(study, files, tmp_path):
    outside = write_slide(tmp_path / "elsewhere" / "x.png")
    (files / "slides" / "P2" / "link.png").symlink_to(outside)
    report = add_slides(study, files)
    row = report.failures.iloc[0]
    assert (row["patient"], row["code"]) == ("P2", "UntrustedFile")
    assert "link.png leads out of its folder" in row["reason"]


def test_fault_102_no_text_of_a_slide_enters_the_store(study, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    canary = "MUSTERMANN^ERIKA 1957-03-09"
    path = tmp_path / "slides" / "P1" / "a.tiff"
    path.parent.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 200, (256, 256, 3), np.uint8)
    label = np.zeros((64, 64, 3), np.uint8)
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, tile=(64, 64), photometric="rgb", description=canary)
        file.write(label, photometric="rgb", description=f"label {canary}")
    study.add_slides(path.parents[1], pattern="{patient}/{slide}.tiff", mpp=MPP)
    assert len(study.slides()) == 1
    assert study.encode(FakeSlides()).encoded == 1
    study.publish()
    study.close()
    held = [p for p in study.path.rglob("*") if p.is_file()]
    assert len(held) > 3
    for path in held:
        assert b"MUSTERMANN" not in path.read_bytes(), path


# Regions ------------------------------------------------------------------


def test_annotations_are_linked_to_slides(shared):
    assert shared.slides()["regions"].tolist() == ["C P", "", "C P"]
    held = shared.sql("SELECT regions, regions_sha256 FROM annotation")
    assert json.loads(held["regions"][0])["names"] == ["C", "P", "R"]
    assert re.fullmatch("[0-9a-f]{64}", held["regions_sha256"][0])


def test_an_annotation_without_its_slide(study, files):
    add_slides(study, files)
    write_geojson(files / "drawn" / "P1" / "z.geojson")
    report = add_drawn(study, files)
    row = report.failures.iloc[0]
    assert (row["patient"], row["sequence"]) == ("P1", "z")
    for word in ("P1", "z.geojson", "'z'", "has a, b", "add_slides"):
        assert word in row["reason"]
    write_slide(files / "slides" / "P1" / "z.png", seed=9)
    add_slides(study, files)
    assert add_drawn(study, files).failed == 0


def test_an_unknown_name_is_refused_and_can_be_told(study, files):
    add_slides(study, files)
    drawn = write_geojson(files / "drawn/P1/a.geojson", box("Zone 1", 0, 0, 99, 99))
    row = add_drawn(study, files).failures.iloc[0]
    for word in ("Patient P1, slide a", "'Zone 1'", "names="):
        assert word in row["reason"]
    assert add_drawn(study, files, names={"C": "zone", "P": "Periphery"}).failed == 1
    assert add_drawn(study, files, ignore=["Zone 1"]).failed == 1
    drawn.unlink()
    with pytest.raises(InvalidInput, match=r"names= and derive= were both"):
        add_drawn(study, files, names={"C": "a"}, derive=True)
    with pytest.raises(UnknownName, match="No setting in derive 'rings'"):
        add_drawn(study, files, derive={"rings": 1})


def test_regions_derived_from_the_outline(study, files):
    add_slides(study, files)
    for patient in ("P1", "P2"):
        outline = box("tumour", 32, 32, 224, 160)
        write_geojson(files / "drawn" / patient / "a.geojson", outline)
    report = add_drawn(study, files, derive={"periphery": 0.02, "ring": 0.01})
    assert report.failed == 0
    assert any("periphery 0.02 mm" in note for note in report.notes)
    assert study.slides()["regions"].tolist() == ["C P R", "", "C P R"]
    assert "0.02 mm" not in study.sql("SELECT regions FROM annotation").to_string()


def test_a_later_file_replaces_the_regions(ready, files):
    other = write_geojson(files / "other" / "P1_a.geojson", box("C", 0, 0, 99, 99))
    table = pd.DataFrame({"patient": ["P1"], "slide": ["a"], "path": [str(other)]})
    report = ready.add_annotations(table)
    assert any("P1_a.geojson replaces" in note for note in report.notes)
    assert ready.slides()["regions"].tolist() == ["C", "", "C P"]
    ready.encode(FakeSlides())  # looks at changed files: the first is not one
    assert ready.slides()["regions"].tolist() == ["C", "", "C P"]


# Bags ---------------------------------------------------------------------


def test_each_slide_gives_one_bag(shared):
    table = shared.bags()
    assert table["tiles"].tolist() == [28, 48, 28]
    assert set(table["extractor"]) == {"tiny"}
    held = load_file(table["file"][0])
    assert set(held) == {"features", "coords", "region", "tissue"}
    assert np.bincount(held["region"]).tolist() == [0, 8, 20]
    centres = held["coords"][held["region"] == 1] + 16
    assert centres.min(axis=0).tolist() == [80, 48]
    assert set(load_file(table["file"][1])) == {"features", "coords", "tissue"}
    with safe_open(table["file"][0], "numpy") as file:
        told = file.metadata()
    assert json.loads(told["region_names"]) == ["C", "P", "R"]
    assert (told["patient"], told["slide"]) == ("P1", "a")
    assert (
        told["slide_sha256"] == shared.sql("SELECT file_sha256 FROM slide").iloc[0, 0]
    )
    assert float(told["tile_px"]) == 32
    assert shared.verify().ok
    assert shared.gc().empty


def test_nothing_is_encoded_twice(ready, files):
    encoder = FakeSlides(log=str(files / "log"))
    ready.encode(encoder)
    assert add_drawn(ready, files).read == 0
    assert ready.encode(encoder).skipped == 3
    assert sorted((files / "log").read_text().split()) == ["a.png", "a.png", "b.png"]


def test_only_a_slide_that_is_drawn_anew_is_encoded_again(ready, files):
    encoder = FakeSlides(log=str(files / "log"))
    ready.encode(encoder)
    before = ready.version
    first = ready.bags()
    (files / "log").unlink()
    drawn = files / "drawn" / "P2" / "a.geojson"
    old = drawn.read_text()
    write_geojson(drawn, box("Centre", 0, 0, 256, 192))
    report = ready.encode(encoder)
    assert (report.encoded, report.skipped) == (1, 2)
    assert (files / "log").read_text().split() == ["a.png"]
    assert ready.bags()["tiles"].tolist() == [28, 48, 48]
    assert ready.at(before).bags().equals(first)
    # What stood there before is still there: nothing is computed.
    drawn.write_text(old)
    assert ready.encode(encoder).encoded == 0
    assert ready.bags()["unit_id"].tolist() == first["unit_id"].tolist()


def test_a_changed_slide_is_another_slide(ready, files):
    ready.encode(FakeSlides())
    before = ready.slides()["slide_id"].tolist()
    write_slide(files / "slides" / "P2" / "a.png", seed=77)
    report = ready.encode(FakeSlides())
    assert (report.encoded, report.skipped) == (1, 2)
    after = ready.slides()["slide_id"].tolist()
    assert (after[:2], after[2] != before[2]) == (before[:2], True)
    assert ready.slides()["regions"].tolist() == ["C P", "", "C P"]
    assert len(ready.bags()) == 3


def test_tile_counts(ready):
    ready.encode(FakeSlides())
    table = ready.tile_counts()
    assert table.columns.tolist() == ["patient", "slide", "region", "group", "tiles"]
    sums = table.groupby(["patient", "slide", "region"])["tiles"].sum()
    assert sums["P1", "a"].to_dict() == {"": 20, "C": 8, "P": 20}
    assert sums["P1", "b"].to_dict() == {"": 48}
    ready.add_cohort("one", patients=["P2"])
    assert set(ready.tile_counts("one")["patient"]) == {"P2"}
    ready.encode(FakeSlides(name="other"))
    with pytest.raises(StoreError, match=r"2 extractors .* never added up"):
        ready.tile_counts()
    assert ready.tile_counts(extractor="tiny").equals(table)
    with pytest.raises(UnknownName, match="tinny"):
        ready.tile_counts(extractor="tinny")


def test_fault_041_a_slide_without_tissue_is_an_outcome(study, files):
    write_slide(files / "slides" / "P2" / "a.png", blank=True)
    add_slides(study, files)
    report = study.encode(FakeSlides())
    assert (report.encoded, report.failed) == (3, 0)
    assert len(report.notes) == 1
    assert report.notes[0].startswith("P2/a: NoTissue")
    assert f"note: {report.notes[0]}" in str(report)
    assert study.encode(FakeSlides()).notes == ()
    assert study.bags()["tiles"].tolist() == [48, 48, 0]
    warnings = study.sql(
        "SELECT u.warnings FROM unit u JOIN slide s ON s.slide_id = u.image_id "
        "WHERE s.patient_id = 'P2'"
    )
    assert "NoTissue" in warnings["warnings"].item()
    counts = study.tile_counts().query("patient == 'P2'")
    assert counts[["group", "tiles"]].to_numpy().tolist() == [["D", 48]]
    assert len(study.tiles("P2").features) == 0
    assert study.verify().ok


def test_fault_039_a_slide_that_cannot_be_encoded_stops_no_other(ready):
    report = ready.encode(FakeSlides(broken="b.png"))
    assert (report.encoded, report.failed) == (2, 1)
    row = report.failures.iloc[0]
    assert (row["patient"], row["sequence"], row["code"]) == ("P1", "b", "InputCorrupt")
    assert row["file"].endswith("b.png")
    for word in ("Patient P1, slide b", "b.png", "40 tiles of 50"):
        assert word in row["reason"]
    # Known, listed, and not tried again until asked.
    assert str(ready.encode(FakeSlides())).startswith("encoded 0 units, 2 already")
    assert ready.encode(FakeSlides(), retry="failed").encoded == 1


@pytest.mark.slow
def test_fault_020_a_worker_that_dies_costs_one_slide(ready, files):
    encoder = FakeSlides(victim="b.png")
    report = ready.encode(encoder)
    assert (report.encoded, report.failed) == (2, 1)
    row = report.failures.iloc[0]
    assert (row["patient"], row["sequence"], row["code"]) == ("P1", "b", "WorkerDied")
    assert "Patient P1, slide b" in row["reason"]
    assert row["file"].endswith("b.png")
    assert "b.png" in row["reason"]
    # Known, listed, and not tried again until asked.
    assert ready.encode(encoder).failed == 1
    mended = FakeSlides()
    assert mended.fingerprint() == encoder.fingerprint()
    assert ready.encode(mended, retry="failed").encoded == 1


def test_fault_044_a_damaged_bag_is_not_taken_as_done(ready):
    ready.encode(FakeSlides())
    first, second, third = (ready.path / file for file in ready.bags()["file"])
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    second.unlink()
    report = ready.encode(FakeSlides())
    assert (report.encoded, report.skipped, report.failed) == (2, 1, 0)
    assert first.read_bytes() == whole
    assert ready.verify().ok
    # Of the same size: what verify names, encode(retry="all") mends.
    content = bytearray(third.read_bytes())
    content[-1] ^= 1
    third.write_bytes(content)
    found = ready.verify()
    assert found.patients == ["P2"]
    assert "slide a" in str(found)
    assert ready.encode(FakeSlides(), retry="all").failed == 0
    assert ready.verify().ok


def test_fault_045_other_dimension_of_one_encoder(ready, files):
    ready.encode(FakeSlides())
    write_slide(files / "slides" / "P2" / "b.png", seed=5)
    add_slides(ready, files)
    report = ready.encode(FakeSlides(dim=7))
    row = report.failures.iloc[0]
    assert (row["patient"], row["sequence"]) == ("P2", "b")
    assert "7 numbers a tile; tiny gave 5" in row["reason"]


def test_fault_046_an_encoder_that_loses_coordinates(ready, monkeypatch):
    class Short(FakeSlides):
        def encode_slide(self, path, **kwargs):
            made = super().encode_slide(path, **kwargs)
            object.__setattr__(made, "coords", made.coords[:-1])
            return made

    report = ready.encode(Short())
    assert report.encoded == 0
    reason = report.failures["reason"][0]
    assert "28 tiles have features and 27 have coordinates" in reason
    assert "Patient P1, slide a" in reason
    assert ready.bags().empty


def test_fault_097_other_numbers_of_a_slide_are_kept_aside(ready):
    ready.encode(FakeSlides())
    before = [(ready.path / f).read_bytes() for f in ready.bags()["file"]]
    report = ready.encode(FakeSlides(noise=True), retry="all")
    assert (report.encoded, report.failed) == (0, 3)
    row = report.failures.iloc[0]
    assert row["code"] == "NonDeterministicExtraction"
    assert "Patient P1, slide a" in row["reason"]
    after = [(ready.path / f).read_bytes() for f in ready.bags()["file"]]
    assert before == after
    assert len(list((ready.path / "quarantine").iterdir())) == 3
    assert ready.gc().empty


def test_encode_refuses_a_timeout_in_words(shared):
    with pytest.raises(UnknownName, match="timeout in words 'long'"):
        shared.encode(FakeSlides(), timeout="long")


def test_a_store_of_the_schema_before_takes_slides(tmp_path, files, monkeypatch):
    scripts = migrations.scripts()
    with monkeypatch.context() as patch:
        old = {number: text for number, text in scripts.items() if number < 3}
        patch.setattr(migrations, "scripts", lambda: old)
        from sarcfeat.store.connection import Connection

        (tmp_path / "old").mkdir()
        db = Connection(tmp_path / "old" / "catalog.duckdb")
        migrations.migrate(db)
        db.rows(
            "INSERT INTO file (slot, what, patient_id, phase, path, commit_no) "
            "VALUES ('s', 'image', 'P1', 'T1', '/nowhere/x.nii', 1)"
        )
        db.rows(
            "INSERT INTO source (source_id, what, commit_no) VALUES ('x', 'mask', 1)"
        )
        db.close()
    with FeatureStore(tmp_path / "old") as store:
        assert store.sql("SELECT path FROM file")["path"].tolist() == ["/nowhere/x.nii"]
        assert store.sql("SELECT what FROM source")["what"].tolist() == ["mask"]
        assert add_slides(store, files).ok == 3
