"""Bags of tiles: one file a slide, checked on the way in, sampled on the way out."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from sarcfeat import FeatureStore
from sarcfeat.exceptions import (
    CohortError,
    InputCorrupt,
    InputMissing,
    InvalidInput,
    NonDeterministicExtraction,
    StoreError,
    UnknownName,
)


def bag(n=50, dim=8, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, dim)).astype(np.float32)
    coords = np.stack([np.arange(n) * 256, np.arange(n) * 512], axis=1)
    return features, coords


@pytest.fixture
def study(tmp_path):
    with FeatureStore(tmp_path / "study") as store:
        store.add_patients(pd.DataFrame({"age": [1, 2]}, index=["P1", "P2"]))
        yield store


def add(store, patient="P1", slide="S1", seed=0, n=50, **kwargs):
    kwargs.setdefault("extractor", "uni")
    features, coords = bag(n, seed=seed)
    store.add_bag(patient, slide, features, coords, **kwargs)
    return features, coords


def the_file(store, **kwargs):
    return store.path / store.bags(**kwargs)["file"].iloc[0]


def test_a_bag_is_one_safetensors_file_with_its_provenance(study, tmp_path):
    slide = tmp_path / "scan_1.svs"
    slide.write_bytes(b"a slide")
    features, coords = bag()
    told = {"name": "uni", "version": "2", "params": {"mag": 20}}
    study.add_bag("P1", slide, features, coords, extractor=told)
    row = study.bags().iloc[0]
    assert (row["patient"], row["slide"], row["tiles"]) == ("P1", "scan_1", 50)
    held = load_file(row["file"])
    np.testing.assert_array_equal(held["features"], features)
    np.testing.assert_array_equal(held["coords"], coords)
    with safe_open(row["file"], "numpy") as file:
        header = file.metadata()
    assert json.loads(header["extractor"])["params"] == {"mag": 20}
    assert header["slide_sha256"] == hashlib.sha256(b"a slide").hexdigest()
    assert (header["patient"], header["slide"]) == ("P1", "scan_1")
    found = study.sql("SELECT checksum, bytes FROM embedding_file").iloc[0]
    content = the_file(study).read_bytes()
    assert hashlib.sha256(content).hexdigest() == found["checksum"]
    assert len(content) == found["bytes"]
    assert not list((study.path / "arrays").rglob("*.tmp"))


def test_tiles_are_the_same_for_a_seed_and_never_twice(study):
    features, coords = add(study, n=200)
    some = study.tiles("P1", n=20, seed=3)
    assert some.features.shape == (20, 8)
    assert not some.fewer
    rows = some.coords[:, 0] // 256
    assert len(set(rows)) == 20
    np.testing.assert_array_equal(some.features, features[rows])
    np.testing.assert_array_equal(some.coords, coords[rows])
    again = study.tiles("P1", n=20, seed=3)
    np.testing.assert_array_equal(again.features, some.features)
    other = study.tiles("P1", n=20, seed=4)
    assert not np.array_equal(other.coords, some.coords)
    np.testing.assert_array_equal(study.tiles("P1", n=None).features, features)


def test_fault_042_fewer_tiles_than_asked_for(study):
    features, _ = add(study, n=7)
    some = study.tiles("P1", n=10)
    np.testing.assert_array_equal(some.features, features)
    assert some.fewer
    assert "P1" in repr(some)
    assert "fewer than the 10 asked for" in repr(some)


def test_fault_048_several_slides_are_one_pool(study):
    first, _ = add(study, slide="S1", n=60)
    second, _ = add(study, slide="S2", n=40, seed=1)
    whole = study.tiles("P1", n=100)
    np.testing.assert_array_equal(whole.features, np.concatenate([first, second]))
    assert whole.slides == ("S1", "S2")
    assert np.bincount(whole.slide).tolist() == [60, 40]
    some = study.tiles("P1", n=50)
    assert set(some.slide) == {0, 1}
    held = [first, second]
    for tile, which, (x, _) in zip(some.features, some.slide, some.coords, strict=True):
        np.testing.assert_array_equal(tile, held[which][x // 256])
    one = study.tiles("P1", slide="S2", n=None)
    np.testing.assert_array_equal(one.features, second)
    with pytest.raises(UnknownName, match="No slide of patient P1 'S3'"):
        study.tiles("P1", slide="S3")


def test_the_same_bag_again_changes_nothing_and_mends_its_file(study):
    features, coords = add(study)
    version = study.version
    path = the_file(study)
    content = path.read_bytes()
    add(study)
    assert study.version == version
    path.write_bytes(content[:-1] + b"?")
    add(study)
    assert path.read_bytes() == content
    path.unlink()
    study.add_bag("P1", "S1", features, coords, extractor="uni")
    assert path.read_bytes() == content


def test_float16_is_a_choice(study):
    features, _ = add(study, dtype="float16")
    held = study.tiles("P1", n=None).features
    assert held.dtype == np.float16
    np.testing.assert_array_equal(held, features.astype(np.float16))
    with pytest.raises(InvalidInput, match=r"P1, slide S1: .*kept as float16 already"):
        add(study)
    with pytest.raises(InvalidInput, match=r"P2, slide S1: 1 tiles .*65,504"):
        study.add_bag(
            "P2",
            "S1",
            np.array([[70000.0]], np.float32),
            [[0, 0]],
            extractor="u",
            dtype="float16",
        )
    with pytest.raises(InvalidInput, match=r"P2, slide S1: features are float64"):
        study.add_bag("P2", "S1", np.zeros((1, 8)), [[0, 0]], extractor="uni")


def test_fault_045_other_dimension(study):
    add(study)
    features, coords = bag(dim=16)
    with pytest.raises(InvalidInput, match=r"P2, slide S9: 16 numbers .* uni gave 8"):
        study.add_bag("P2", "S9", features, coords, extractor="uni")
    assert list(study.bags()["patient"]) == ["P1"]


def test_fault_046_coordinates_and_features_differ_in_length(study):
    features, coords = bag()
    with pytest.raises(InvalidInput, match=r"P1, slide S1: 50 tiles .* and 49 have"):
        study.add_bag("P1", "S1", features, coords[:-1], extractor="uni")
    with pytest.raises(InvalidInput, match=r"P1, slide S1: coords have the shape"):
        study.add_bag("P1", "S1", features, coords.astype(float), extractor="uni")
    with pytest.raises(InvalidInput, match=r"P1, slide S1: features have the shape"):
        study.add_bag("P1", "S1", features[0], coords, extractor="uni")


def test_fault_047_rows_with_nan_are_counted_and_refused(study):
    features, coords = bag()
    features[3, 2] = np.nan
    features[9] = np.inf
    with pytest.raises(InvalidInput, match=r"P1, slide S1: 2 of 50 tiles have NaN"):
        study.add_bag("P1", "S1", features, coords, extractor="uni")
    study.add_bag("P1", "S1", features, coords, extractor="uni", nan="drop")
    kept = study.tiles("P1", n=None)
    np.testing.assert_array_equal(kept.features, np.delete(features, [3, 9], axis=0))
    np.testing.assert_array_equal(kept.coords, np.delete(coords, [3, 9], axis=0))
    with safe_open(the_file(study), "numpy") as file:
        assert file.metadata()["tiles_left_out"] == "2"


def test_fault_049_changed_weights_are_a_new_extractor(study):
    add(study, extractor={"name": "uni", "weights_sha256": "a"})
    add(study, extractor={"name": "uni", "weights_sha256": "b"}, seed=1)
    assert study.bags()["extractor_id"].nunique() == 2


def test_fault_092_missing_bag_is_named(study):
    add(study)
    the_file(study).unlink()
    with pytest.raises(InputMissing, match=r"P1, slide S1: missing_file.*relocate"):
        study.tiles("P1")


def test_fault_097_other_numbers_are_kept_aside_and_not_served(study):
    features, _ = add(study)
    other = bag(seed=1)
    with pytest.raises(NonDeterministicExtraction, match=r"P1, slide S1: uni gave"):
        study.add_bag("P1", "S1", *other, extractor="uni")
    np.testing.assert_array_equal(study.tiles("P1", n=None).features, features)
    (aside,) = (study.path / "quarantine").iterdir()
    np.testing.assert_array_equal(load_file(aside)["features"], other[0])


def test_fault_100_one_name_and_other_parameters_are_two_extractors(study):
    add(study, extractor={"name": "uni", "params": {"mag": 20}})
    add(study, extractor={"name": "uni", "params": {"mag": 10}}, seed=1)
    first, second = study.bags()["extractor_id"]
    assert first != second
    with pytest.raises(StoreError, match=r"2 extractors gave tiles of patient P1") as e:
        study.tiles("P1", "uni")
    for word in (first, second, "name (tag) of their own"):
        assert word in str(e.value)
    assert study.tiles("P1", first[:10]).extractor_id == first


def test_truncated_bag_is_refused_when_read(study):
    add(study)
    path = the_file(study)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputCorrupt, match=r"P1, slide S1: .* bytes; it had"):
        study.tiles("P1")


def test_tiles_of_nobody(study):
    with pytest.raises(UnknownName, match="No patient 'P9'"):
        study.tiles("P9")
    with pytest.raises(StoreError, match=r"Patient P2 has no bag .*add_bag"):
        study.tiles("P2")
    with pytest.raises(InvalidInput, match="n=0"):
        study.tiles("P1", n=0)


def test_tiles_at_an_earlier_version(study):
    features, _ = add(study, slide="S1")
    before = study.version
    add(study, slide="S2", seed=1)
    then = study.at(before).tiles("P1", n=None)
    np.testing.assert_array_equal(then.features, features)
    assert len(study.at(before).bags()) == 1


# Bags that TRIDENT and CLAM wrote --------------------------------------------------


def write_h5(path, features, coords, lead=False):
    h5py = pytest.importorskip("h5py")
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        held = features[None] if lead else features
        file.create_dataset("features", data=held, chunks=True)
        places = file.create_dataset("coords", data=coords)
        places.attrs["patch_size_level0"] = 512
    return path


@pytest.fixture
def trident(tmp_path):
    folder = tmp_path / "features_uni_v1"
    for i, name in enumerate(["P1-a", "P1-b", "P2-a"]):
        write_h5(folder / f"{name}.h5", *bag(30, seed=i), lead=i == 1)
    return folder


def test_bags_in_place(study, trident):
    def add():
        return study.add_bags(
            trident,
            format="trident",
            extractor="uni_v1",
            pattern="{patient}-{slide}.h5",
        )

    assert str(add()) == "3 files ok (3 read), 0 failed"
    assert add().read == 0
    assert not list((study.path / "arrays").iterdir())
    table = study.bags()
    assert list(table["slide"]) == ["P1-a", "P1-b", "P2-a"]
    whole = study.tiles("P1", n=None)
    expected = np.concatenate([bag(30, seed=0)[0], bag(30, seed=1)[0]])
    np.testing.assert_array_equal(whole.features, expected)
    some = study.tiles("P1", n=4)
    for tile, which, (x, _) in zip(some.features, some.slide, some.coords, strict=True):
        np.testing.assert_array_equal(tile, bag(30, seed=int(which))[0][x // 256])


def test_a_bag_extracted_again_is_a_new_unit(study, trident):
    table = pd.DataFrame({"patient": ["P1"], "path": [str(trident / "P1-a.h5")]})
    study.add_bags(table, format="clam", extractor="uni")
    before = study.version
    old = study.bags()["unit_id"].item()
    write_h5(trident / "P1-a.h5", *bag(31, seed=7))
    assert study.add_bags(table, format="clam", extractor="uni").read == 1
    assert study.bags()["unit_id"].item() != old
    assert len(study.tiles("P1").features) == 31
    with pytest.raises(InputCorrupt, match="P1, slide P1-a"):
        study.at(before).tiles("P1")


def test_fault_044_truncated_h5_is_not_taken_as_done(study, trident):
    broken = trident / "P1-b.h5"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])

    def add():
        return study.add_bags(
            trident, format="trident", extractor="uni", pattern="{patient}-{slide}.h5"
        )

    report = add()
    assert (report.ok, report.failed) == (2, 1)
    row = report.failures.iloc[0]
    assert (row["patient"], row["code"]) == ("P1", "InputCorrupt")
    for word in ("P1", "P1-b", str(broken), f"{len(whole) // 2:,} bytes"):
        assert word in row["reason"]
    attempts = study.sql("SELECT path, error_code FROM attempt WHERE step = 'bag'")
    assert attempts.to_numpy().tolist() == [[str(broken), "InputCorrupt"]]
    assert list(study.bags()["slide"]) == ["P1-a", "P2-a"]
    broken.write_bytes(whole)
    assert str(add()) == "3 files ok (1 read), 0 failed"
    # Cut after it was catalogued: refused by name, and again not "done".
    broken.write_bytes(whole[:-1])
    with pytest.raises(InputCorrupt, match="P1, slide P1-b"):
        study.tiles("P1")
    assert add().failed == 1


def test_faults_in_h5_files_stop_no_other(study, trident):
    features, coords = bag(30)
    features[1] = np.nan
    nan = write_h5(trident / "P1-nan.h5", features, coords)
    short = write_h5(trident / "P1-short.h5", bag(30)[0], coords[:7])
    wide = write_h5(trident / "P1-wide.h5", *bag(30, dim=9))
    h5py = pytest.importorskip("h5py")
    with h5py.File(trident / "P2-empty.h5", "w") as file:
        file["tiles"] = 1
    report = study.add_bags(
        trident, format="trident", extractor="uni", pattern="{patient}-{slide}.h5"
    )
    reasons = dict(zip(report.failures["file"], report.failures["reason"], strict=True))
    assert report.ok == 3
    assert "1 of 30 tiles have NaN" in reasons[str(nan)]
    assert "30 tiles have features and 7 have coordinates" in reasons[str(short)]
    assert "9 numbers a tile; uni gave 8" in reasons[str(wide)]
    assert "no dataset 'features'" in reasons[str(trident / "P2-empty.h5")]
    assert all("Patient P" in reason for reason in reasons.values())


def test_where_the_patient_stands(study, trident):
    def add(source, **kwargs):
        return study.add_bags(source, format="clam", extractor="uni", **kwargs)

    with pytest.raises(CohortError, match="say where the patient stands"):
        add(trident)
    with pytest.raises(CohortError, match=r"fits the pattern 'x\{patient\}.h5'.*P1-a"):
        add(trident, pattern="x{patient}.h5")
    with pytest.raises(UnknownName, match="No field in the pattern"):
        add(trident, pattern="{patient}{sequence}.h5")
    with pytest.raises(InputMissing, match="No folder or manifest"):
        add(trident / "nowhere")
    with pytest.raises(CohortError, match="no column 'path'"):
        add(pd.DataFrame({"patient": ["P1"]}))
    with pytest.raises(UnknownName, match="No format of bags 'zarr'"):
        study.add_bags(
            trident, format="zarr", extractor="uni", pattern="{patient}-{slide}.h5"
        )
    report = add(trident, pattern="{patient}.h5")
    assert report.notes == ("3 patients have bags and no row: P1-a, P1-b, P2-a",)
