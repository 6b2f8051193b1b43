"""Every number leads back to its files."""

import hashlib
import json

import numpy as np
import pytest

from sarcfeat.exceptions import InvalidInput, StoreError, UnknownName
from sarcfeat.io import pixel_hash, read_volume
from tests.store.fakes import FakeEncoder, OddEncoder, image_path, mask_path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_chain_down_to_the_files(study, root):
    study.encode(FakeEncoder())
    told = study.explain("P002", "fake.t1.mean", reader="B")
    chain = told.chain
    X = study.matrix("all", features="fake.t1", reader="B").X
    assert told.value == X.loc["P002", "fake.t1.mean"]
    image, mask = image_path(root, "P002"), mask_path(root, "P002", reader="B")
    assert chain["image"]["path"] == str(image)
    assert chain["image"]["file_sha256"] == sha256(image)
    assert chain["image"]["image_id"] == pixel_hash(read_volume(image))
    assert chain["mask"]["path"] == str(mask)
    assert chain["mask"]["file_sha256"] == sha256(mask)
    assert (chain["mask"]["reader"], chain["mask"]["session"]) == ("B", 1)
    assert chain["extractor"]["params"] == FakeEncoder().params
    assert chain["extractor"]["version"] == "1"
    assert chain["feature"]["unit"] == "HU"
    assert chain["run"]["warnings"] == ["a note"]
    assert chain["run"]["host"]
    assert json.loads(told.to_json()) == told.to_dict()
    for word in ("P002", str(image), chain["image"]["file_sha256"], "reader B"):
        assert word in str(told)
    assert chain["image"]["file_is_unchanged"] is True
    image.write_bytes(b"changed")
    chain = study.explain("P002", "fake.t1.mean").chain
    assert chain["image"]["file_is_unchanged"] is False


def test_clinical_value(study):
    told = study.explain("P001", "clinical.age")
    assert told.chain["clinical"]["unit"] == "years"
    assert told.chain["clinical"]["known_at"] == "2020-01-15"
    assert told.chain["clinical"]["role"] == "predictor"


def test_not_a_number_is_json(study):
    study.encode(OddEncoder(names=("a",), values=(np.nan,)))
    assert json.loads(study.explain("P001", "fake.t1.a").to_json())["value"] == "nan"


def test_errors(study):
    study.encode(FakeEncoder())
    with pytest.raises(UnknownName, match="No patient 'P01'"):
        study.explain("P01", "fake.t1.mean")
    with pytest.raises(InvalidInput, match="means 2 features"):
        study.explain("P001", "fake.t1")
    with pytest.raises(StoreError, match=r"has no fake.t1 by reader any, session 3"):
        study.explain("P001", "fake.t1.mean", session=3)
    with pytest.raises(StoreError, match=r"no value for clinical.weight"):
        study.explain("P001", "clinical.weight")
