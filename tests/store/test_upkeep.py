"""Changed bytes are found and named, moved files followed, garbage collected."""

import shutil

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import InputMissing
from sarcfeat.store.inbox import RunFolder
from tests.store.fakes import FakeEncoder, OddEncoder, clinical, image_path, mask_path

BLOCKS = 12_288


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))


def bag(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(20, 4)).astype(np.float32), np.zeros((20, 2), int)


@pytest.fixture
def full(study):
    """A store with vectors, readings and a bag of P001 and P002."""
    study.encode(FakeEncoder())
    study.readings("fake.t1")
    for patient in ("P001", "P002"):
        study.add_bag(patient, "S1", *bag(), extractor="uni")
    return study


def test_nothing_is_wrong_with_a_new_store(full):
    found = full.verify(sources=True)
    assert found.ok, str(found)
    assert found.checked["vectors"] == 12
    assert found.checked["bags"] == 2
    assert found.checked["readings"] == 1
    assert found.checked["source files"] == 18
    assert str(found).startswith("no problem in ")


def test_fault_091_changed_numbers_name_the_patient(full):
    unit = full.explain("P004", "fake.t1.mean").chain["run"]["unit_id"]
    with full._open.commit("bit rot"):
        full._open.update(
            "UPDATE feature_vector SET v = [1.0, 2.0] WHERE unit_id = ?", [unit]
        )
    found = full.verify()
    assert found.patients == ["P004"]
    row = found.problems.iloc[0]
    assert row["code"] == "changed_numbers"
    assert "Patient P004, T1, reader A" in row["reason"]
    # The others are served.
    assert full.matrix("all", features="fake.t1").X.loc["P001"].notna().all()


def test_fault_091_bit_rot_in_files_names_the_patient(full):
    path = full.path / full.sql("SELECT uri FROM embedding_file").iloc[0, 0]
    (readings,) = (full.path / "readings").iterdir()
    size = path.stat().st_size
    rng = np.random.default_rng(0)
    whole = path.read_bytes()
    for position in (0, 9, size - 1, *rng.integers(0, size, 10)):
        flip(path, position)
        found = full.verify()
        row = found.problems.iloc[0]
        assert found.patients == [row["patient"]]
        assert row["patient"] in ("P001", "P002")
        assert (row["code"], row["file"]) == ("changed_bytes", str(path))
        assert f"Patient {row['patient']}, slide S1" in row["reason"]
        path.write_bytes(whole)
    whole = readings.read_bytes()
    for position in (0, 10, 12, *rng.integers(0, len(whole), 10)):
        flip(readings, position)
        found = full.verify()
        assert set(found.problems["what"]) == {"readings"}
        assert set(found.problems["code"]) == {"changed_bytes"}
        readings.write_bytes(whole)
    assert full.verify().ok


def test_fault_091_bit_rot_in_the_catalogue(tmp_path, root):
    """Any byte of the file, and the patients where it holds their numbers."""
    rng = np.random.default_rng(0)
    names = tuple(f"f{i}" for i in range(9000))
    with FeatureStore(tmp_path / "s") as store:
        store.add_images(root / "images", pattern="{patient}/{sequence}_image.nii.gz")
        store.add_masks(root / "masks_A", pattern="{patient}/{sequence}_mask.nii.gz")
        store.encode(OddEncoder(names=names, values=tuple(rng.normal(size=9000))))
    with FeatureStore(tmp_path / "s") as store:
        path = store.path / "catalog.duckdb"
        whole = path.read_bytes()
        assert store.verify().ok
        for position in rng.integers(0, len(whole), 6):
            flip(path, int(position))
            found = store.verify()
            assert not found.ok, position
            assert set(found.problems["what"]) == {"catalogue"}
            path.write_bytes(whole)
        segments = store.sql(
            "SELECT block_id FROM pragma_storage_info('feature_vector') "
            "WHERE column_name = 'v' AND column_path = '[2, 1]' AND block_id >= 0"
        )["block_id"]
        flip(path, BLOCKS + int(segments.iloc[0]) * 262_144 + 5000)
        found = store.verify()
        assert 1 <= len(found.patients) <= 6
        assert set(found.patients) <= {f"P{i:03d}" for i in range(1, 7)}
        row = found.problems.dropna(subset=["patient"]).iloc[0]
        assert "feature_vector.v has changed bytes" in row["reason"]
        assert row["patient"] in row["reason"]
        path.write_bytes(whole)
        assert store.verify().ok
        assert not list(store.path.glob(".verify-*"))


def test_fault_091_any_changed_byte_of_any_file_is_found(full, root, monkeypatch):
    """Catalogue, log, copies, bags, readings, volumes, fragments and notes."""
    folder = full.path / "images" / "P001"
    folder.mkdir(parents=True)
    shutil.copy(image_path(root, "P001"), folder / "T9_a_image.nii.gz")
    path = str(folder / "T9_a_image.nii.gz")
    full.add_images(
        pd.DataFrame({"patient": ["P001"], "sequence": ["T9"], "path": [path]})
    )
    full.publish()
    shutil.copy(full.publish(), full.path / "backups.duckdb")
    (full.path / "backups").mkdir()
    shutil.move(full.path / "backups.duckdb", full.path / "backups" / "old.duckdb")
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "clear", lambda self: None)
        patch.setattr(RunFolder, "remove", lambda self, paths: None)
        full.encode(FakeEncoder(name="other"), sequences=["T1"])
    full.add_patients(clinical(3).assign(weight=70.0))
    found = sorted(full.path.rglob("*"))  # the bytes that are drawn hang on the order
    files = [p for p in found if p.is_file() and p.name != "writer.json"]
    kinds = {p.relative_to(full.path).parts[0] for p in files}
    assert kinds == {
        *("arrays", "backups", "images", "inbox", "readings", "snapshots"),
        *("catalog.duckdb", "catalog.duckdb.wal", "commits.log", "store.toml"),
    }
    assert full.verify().ok
    rng = np.random.default_rng(0)
    fragments = [p for p in files if p.suffix == ".safetensors" and "inbox" in str(p)]
    for file in [p for p in files if p not in fragments[2:]]:
        size = file.stat().st_size
        for position in rng.integers(0, size, 2):
            flip(file, int(position))
            found = full.verify()
            assert not found.ok, (file, position)
            told = " ".join(found.problems["reason"])
            assert file.name.removesuffix(".wal") in told
            flip(file, int(position))
    assert full.verify().ok


def test_a_store_opens_whatever_its_notes_say(full):
    told = (full.path / "store.toml").read_text()
    full.close()
    (full.path / "store.toml").write_text('store_id = "')
    with FeatureStore(full.path) as store:
        assert store.verify().ok
    assert (full.path / "store.toml").read_text() == told


def test_changed_bytes_in_the_log_and_in_a_published_copy(full):
    copy = full.publish()
    flip(copy, BLOCKS + 100)
    found = full.verify()
    assert set(found.problems["what"]) == {"copy of the catalogue"}
    copy.unlink()
    full.add_patients(clinical(3).assign(weight=70.0))
    log = full.path / "catalog.duckdb.wal"
    flip(log, log.stat().st_size // 2)
    found = full.verify()
    assert set(found.problems["what"]) == {"catalogue"}
    assert "cannot be opened from disk" in found.problems["reason"].iloc[0]
    flip(log, log.stat().st_size // 2)


def test_fault_091_a_log_that_would_be_cut_short_is_found(full):
    """DuckDB says nothing when the length of an entry has changed."""
    full._open.checkpoint()
    full.add_patients(clinical(3).assign(weight=70.0))
    log, n = full.path / "catalog.duckdb.wal", full.version
    for position in (0, *range(32, 48, 3)):
        flip(log, position)
        row = full.verify().problems.iloc[0]
        assert (row["what"], row["code"]) == ("catalogue", "changed_bytes")
        flip(log, position)
    assert full.verify().ok
    log.write_bytes(log.read_bytes()[:-300])
    reason = full.verify().problems["reason"].item()
    assert f"{log} has changed bytes or is cut short" in reason
    assert f"up to commit {n - 1} of {n}" in reason
    full.close()  # writes what it holds
    with FeatureStore(full.path) as store:
        assert store.version == n
        assert store.verify().ok


def test_changed_and_missing_sources(full, root):
    assert full.verify().ok
    image_path(root, "P003").write_bytes(b"other")
    mask_path(root, "P005", reader="B").unlink()
    found = full.verify(sources=True)
    rows = found.problems.set_index("patient")
    assert rows.loc["P003", "code"] == "changed_bytes"
    assert rows.loc["P005", "code"] == "missing_file"
    assert str(mask_path(root, "P005", reader="B")) in rows.loc["P005", "reason"]
    assert full.verify().ok


def test_fault_092_missing_bag_is_a_row(full):
    path = full.bags().query("patient == 'P002'")["file"].item()
    shutil.move(path, path + ".away")
    found = full.verify()
    row = found.problems.iloc[0]
    assert (row["patient"], row["code"], row["file"]) == ("P002", "missing_file", path)
    assert "relocate" in row["reason"]


def test_fault_092_relocate_sources(full, root):
    shutil.move(root / "images", root / "moved")
    assert len(full.verify(sources=True).problems) == 6
    done = full.relocate(root / "images", root / "moved")
    assert done.moved == 6
    assert done.failures.empty
    assert full.verify(sources=True).ok
    again = full.encode(FakeEncoder())
    assert (again.encoded, again.failed) == (0, 0)
    told = full.explain("P001", "fake.t1.mean").chain["image"]
    assert told["path"] == str(root / "moved" / "P001" / "T1_image.nii.gz")
    assert told["file_is_unchanged"] is True
    report = full.add_images(
        root / "moved", pattern="{patient}/{sequence}_image.nii.gz"
    )
    assert (report.ok, report.read) == (6, 0)


def test_relocate_follows_only_the_same_bytes(full, root):
    shutil.move(root / "images", root / "moved")
    shutil.copy(
        root / "moved" / "P002" / "T1_image.nii.gz",
        root / "moved" / "P001" / "T1_image.nii.gz",
    )
    (root / "moved" / "P003" / "T1_image.nii.gz").unlink()
    done = full.relocate(root / "images", root / "moved")
    assert done.moved == 4
    rows = done.failures.set_index("patient")
    assert rows.loc["P001", "code"] == "changed_bytes"
    assert rows.loc["P003", "code"] == "missing_file"
    for patient in ("P001", "P003"):
        assert patient in str(done)
    with pytest.raises(InputMissing, match="nowhere"):
        full.relocate(root / "images", root / "nowhere")


def test_relocate_bags_in_place(study, tmp_path):
    h5py = pytest.importorskip("h5py")
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    with h5py.File(old / "P001.h5", "w") as file:
        file["features"], file["coords"] = bag()
    study.add_bags(old, format="clam", extractor="uni", pattern="{patient}.h5")
    old.rename(new)
    with pytest.raises(InputMissing, match="P001, slide P001"):
        study.tiles("P001")
    assert study.relocate(old, new).moved == 1
    np.testing.assert_array_equal(study.tiles("P001").features, bag()[0])
    again = study.add_bags(new, format="clam", extractor="uni", pattern="{patient}.h5")
    assert again.read == 0


def test_gc_lists_and_then_removes_orphans_only(full):
    assert full.gc().empty
    arrays = next((full.path / "arrays").iterdir())
    orphan = arrays / "orphan.safetensors"
    orphan.write_bytes(b"12345")
    half = arrays / "half.safetensors.77.tmp"
    half.write_bytes(b"1")
    left = full.path / ".verify-left"
    left.mkdir()
    reading = full.path / "readings" / "0.1.tmp"
    reading.write_bytes(b"1")
    listed = full.gc()
    assert set(listed["file"]) == {str(p) for p in (orphan, half, left, reading)}
    assert listed.set_index("file").loc[str(orphan), "bytes"] == 5
    assert orphan.exists()
    assert full.gc(dry_run=False).equals(listed)
    assert not any(p.exists() for p in (orphan, half, left, reading))
    assert full.gc().empty
    assert full.verify().ok
    assert len(full.tiles("P001").features) == 20
    assert list(full.gc(readings=True)["what"]) == ["readings"]


def test_gc_of_volumes_that_no_image_is_read_from(full, root):
    folder = full.path / "images" / "P001"
    folder.mkdir(parents=True)
    kept, orphan = folder / "T9_a_image.nii.gz", folder / "T9_b_image.nii.gz"
    shutil.copy(image_path(root, "P001"), kept)
    table = {"patient": ["P001"], "sequence": ["T9"], "path": [str(kept)]}
    full.add_images(pd.DataFrame(table))
    assert full.gc().empty
    orphan.write_bytes(b"12345")
    half = full.path / "images" / "P002" / ".new-left"
    half.mkdir(parents=True)
    listed = full.gc()
    assert set(listed["what"]) == {"volume"}
    assert set(listed["file"]) == {str(orphan), str(half)}
    full.gc(dry_run=False)
    assert not half.parent.exists()
    assert (kept.exists(), orphan.exists()) == (True, False)
    assert full.verify().ok


def test_gc_of_fragments_that_the_catalogue_holds(full, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "clear", lambda self: None)
        patch.setattr(RunFolder, "remove", lambda self, paths: None)
        full.encode(FakeEncoder(name="other"))
    found = full.gc()
    assert set(found["what"]) == {"fragment"}
    assert len(found) == 12
    full.gc(dry_run=False)
    assert not list((full.path / "inbox").rglob("*.safetensors"))


def test_verify_of_a_damaged_fragment(full, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "clear", lambda self: None)
        patch.setattr(RunFolder, "remove", lambda self, paths: None)
        full.encode(FakeEncoder(name="other"))
    assert full.verify().checked["fragments"] == 12
    part = next((full.path / "inbox").rglob("*.safetensors"))
    flip(part, part.stat().st_size - 3)
    found = full.verify()
    assert found.problems["file"].tolist() == [str(part)]
    shutil.rmtree(part.parent)


def test_problems_are_a_table(full):
    assert list(full.verify().problems.columns) == [
        "patient",
        "what",
        "file",
        "code",
        "reason",
    ]
    assert isinstance(full.gc(), pd.DataFrame)
