import pytest

from sarcfeat.encoders import CNN2D
from sarcfeat.encoders.pretrained import VARIABLE, find_weights
from sarcfeat.exceptions import InputMissing, InvalidInput, UntrustedFile


def test_without_weights_the_three_ways_are_said(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InputMissing, match=r"weights=FILE .*SARCFEAT_WEIGHTS.*random"):
        CNN2D("resnet18")


def test_random_weights_are_asked_for_by_name_and_number():
    assert find_weights("random", 3, "resnet18").random_state == 3
    with pytest.raises(InvalidInput, match="needs random_state=N"):
        find_weights("random", None, "resnet18")
    with pytest.raises(InvalidInput, match="random_state=3 goes with weights='random'"):
        find_weights("file.pth", 3, "resnet18")


def test_the_variable_names_a_file_or_a_folder(tmp_path, monkeypatch):
    for name in ("resnet18-f37072fd.pth", "resnet50.safetensors", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    found = find_weights(None, None, "resnet18")
    assert found.path.endswith("resnet18-f37072fd.pth")
    assert len(found.sha256) == 64
    monkeypatch.setenv(VARIABLE, str(tmp_path / "resnet50.safetensors"))
    assert find_weights(None, None, "resnet18").path.endswith("resnet50.safetensors")
    with pytest.raises(InputMissing, match=r"has no weights files named densenet121"):
        find_weights(tmp_path, None, "densenet121")
    (tmp_path / "resnet18.safetensors").write_bytes(b"")
    with pytest.raises(InputMissing, match=r"holds 2 \(resnet18-f37072fd"):
        find_weights(tmp_path, None, "resnet18")
    with pytest.raises(InputMissing, match=r"No weights file .*gone\.pth for resnet18"):
        find_weights(tmp_path / "gone.pth", None, "resnet18")
    with pytest.raises(UntrustedFile, match=r"notes\.txt.*expected \.safetensors"):
        find_weights(tmp_path / "notes.txt", None, "resnet18")


def test_a_file_that_changes_under_the_encoder_is_refused(tmp_path):
    path = tmp_path / "resnet18.safetensors"
    path.write_bytes(b"one")
    found = find_weights(path, None, "resnet18")
    found.check()
    path.write_bytes(b"two")
    with pytest.raises(InvalidInput, match=r"resnet18\.safetensors have changed"):
        found.check()
    path.unlink()
    with pytest.raises(InputMissing, match=r"resnet18\.safetensors is gone"):
        found.check()
