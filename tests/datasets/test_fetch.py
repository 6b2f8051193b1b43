import hashlib

import pandas as pd
import pytest

from sarcfeat.datasets import fetch
from sarcfeat.datasets.fetch import checksum_notes, data_root, download, read_registry
from sarcfeat.exceptions import CohortError, InputCorrupt

CONTENT = b"voxels of one patient"


@pytest.fixture
def server(tmp_path, serve):
    source = tmp_path / "source"
    (source / "STS_001").mkdir(parents=True)
    (source / "STS_001" / "PET_image.nii.gz").write_bytes(CONTENT)
    return serve(source)


@pytest.fixture(autouse=True)
def no_retries(monkeypatch):
    monkeypatch.setattr(fetch, "RETRIES", 0)


def registry_of(content=CONTENT, file="images/sts/STS_001/PET_image.nii.gz"):
    row = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return pd.DataFrame([row], index=pd.Index([file], name="file"))


def test_a_file_comes_once_and_is_checked(server, tmp_path):
    registry = registry_of()
    download(registry, tmp_path / "cache", {"images/sts/": server})
    file = tmp_path / "cache" / registry.index[0]
    assert file.read_bytes() == CONTENT
    before = file.stat().st_mtime_ns
    download(registry, tmp_path / "cache", {"images/sts/": "http://127.0.0.1:9/"})
    assert file.stat().st_mtime_ns == before


def test_another_file_than_the_pinned_one_is_refused(server, tmp_path):
    registry = registry_of(b"something else")
    with pytest.raises(InputCorrupt, match=r"PET_image.*not the pinned one.*refused"):
        download(registry, tmp_path / "cache", {"images/sts/": server})
    assert not (tmp_path / "cache" / registry.index[0]).exists()


def test_a_source_that_cannot_be_reached_says_what_to_do(server, tmp_path):
    registry = registry_of(file="images/sts/STS_999/PET_image.nii.gz")
    with pytest.raises(CohortError, match=r"cannot be downloaded.*SARCFEAT_DATA"):
        download(registry, tmp_path / "cache", {"images/sts/": server})


def test_a_file_without_address_is_named(tmp_path):
    with pytest.raises(CohortError, match="No address for images/sts"):
        download(registry_of(), tmp_path, {"tables/": "http://127.0.0.1:9/"})


def test_changed_local_files_are_noted_not_refused(tmp_path):
    registry = pd.concat([registry_of(), registry_of(file="other"), registry_of()[:0]])
    same, changed = registry.index
    for file, content in {same: CONTENT, changed: CONTENT[::-1]}.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content)
    assert checksum_notes(tmp_path, registry, [same, "unknown"]) == []
    notes = checksum_notes(tmp_path, registry, [same, changed])
    assert notes == [
        "1 local files differ from the pinned source (sha256), and were taken as they "
        "are: other."
    ]


def test_the_root_is_the_argument_then_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SARCFEAT_DATA", str(tmp_path))
    assert data_root(None) == tmp_path
    (tmp_path / "mine").mkdir()
    assert data_root(tmp_path / "mine") == tmp_path / "mine"
    monkeypatch.setenv("SARCFEAT_DATA", str(tmp_path / "gone"))
    with pytest.raises(CohortError, match=r"SARCFEAT_DATA is .*gone.*no such folder"):
        data_root(None)
    monkeypatch.delenv("SARCFEAT_DATA")
    assert data_root(None) is None


def test_the_registry_lists_all_51_patients():
    registry = read_registry("sts")
    images = registry.index[registry.index.str.endswith("_image.nii.gz")]
    count = images.str.extract(r"/(\w+)_image")[0].value_counts()
    assert count.to_dict() == {"PET": 51, "MR_T1": 49, "CT": 20}
    assert registry["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert registry.index.is_unique
