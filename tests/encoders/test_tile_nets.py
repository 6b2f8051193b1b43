import json
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sarcfeat.encoders import (
    SlideTiles,
    TileNet,
    forward,
    known_tile_nets,
    register_tile_net,
)
from sarcfeat.encoders.tile_model import build_tile_model
from sarcfeat.encoders.tile_nets import tile_net
from sarcfeat.exceptions import (
    InputCorrupt,
    InvalidInput,
    MissingDependency,
    UnknownName,
    UntrustedFile,
)
from sarcfeat.nets import draw_weights, resnet, save_net
from sarcfeat.nets.weights import write_tensors


def projection():
    """Return a stand-in for a foundation encoder: patches, a token, a norm."""
    return nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.Flatten(2), Mean())


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.token = nn.Parameter(torch.randn(6))

    def forward(self, x):
        return self.norm(x.mean(dim=2) + self.token)


@pytest.fixture
def known(monkeypatch):
    """Let a test register nets and forget them."""
    from sarcfeat.encoders import tile_nets as module

    monkeypatch.setattr(module, "_KNOWN", dict(module._KNOWN))
    return {"dimension": 6, "size": 32}


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    net = projection()
    save_net(tmp_path / "w.safetensors", net)
    return tmp_path / "w.safetensors", net


def test_the_nets_here():
    found = known_tile_nets().set_index("name")["dimension"].to_dict()
    assert found == {"resnet18": 512, "resnet50": 2048, "densenet121": 1024} | found
    with pytest.raises(UnknownName, match="resnet50"):
        SlideTiles("random", net="resnet5")


def test_a_net_of_ones_own_computes_what_it_computes(known, weights):
    path, net = weights
    register_tile_net("mine", projection, mean=(0.5,) * 3, sd=(0.25,) * 3, **known)
    encoder = SlideTiles(path, net="mine", size=32)
    tiles = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    how = forward.Precision("float32")
    found = forward.forward(
        encoder._spec, tiles.transpose(0, 3, 1, 2), how=how, batch_size=2
    )
    with torch.inference_mode():
        shown = (torch.from_numpy(tiles).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
        expected = net.eval()(shown).numpy()
    assert np.allclose(found, expected, atol=1e-5)


def test_the_transform_and_weights_of_a_published_net_are_torchvisions(tmp_path):
    net = resnet("resnet18", n_outputs=1000)
    draw_weights(net, 3)
    save_net(tmp_path / "resnet18.safetensors", net)
    encoder = SlideTiles(tmp_path, net="resnet18", size=64)
    tile = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), dtype=np.uint8)
    found = encoder._spec.build()(torch.from_numpy(tile).permute(0, 3, 1, 2))
    mean, sd = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    shown = torch.from_numpy(tile).permute(0, 3, 1, 2) / 255
    shown = (shown - mean.view(3, 1, 1)) / sd.view(3, 1, 1)
    net.fc = nn.Identity()
    with torch.inference_mode():
        assert torch.allclose(found, net.eval()(shown), atol=1e-4)


def test_fault_045_a_net_that_gives_another_number_than_declared(known, weights):
    register_tile_net("mine", projection, dimension=7, size=32)
    encoder = SlideTiles(weights[0], net="mine", size=32)
    with pytest.raises(
        InvalidInput, match=r"'mine' .*w\.safetensors.* \(1, 6\).*; 7 numbers are decl"
    ):
        encoder._spec.build()


def test_weights_of_another_net_are_refused_by_their_tensors(known, tmp_path):
    write_tensors(tmp_path / "x.safetensors", {"head.weight": torch.zeros(2)}, {})
    register_tile_net("mine", projection, **known)
    encoder = SlideTiles(tmp_path / "x.safetensors", net="mine", size=32)
    with pytest.raises(InvalidInput, match=r"x\.safetensors for mine.*head\.weight"):
        encoder._spec.build()


def test_fault_049_another_weights_file_under_the_same_name(known, tmp_path):
    register_tile_net("mine", projection, **known)
    path, told = tmp_path / "w.safetensors", []
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_net(path, projection())
        encoder = SlideTiles(path, net="mine", size=32)
        told.append(encoder.fingerprint())
    assert told[0]["name"] == told[1]["name"] == "mine"
    assert told[0]["weights_sha256"] != told[1]["weights_sha256"]
    assert {k: v for k, v in told[0].items() if k != "weights_sha256"} == {
        k: v for k, v in told[1].items() if k != "weights_sha256"
    }
    torch.manual_seed(2)
    save_net(path, projection())
    with pytest.raises(InvalidInput, match=r"w\.safetensors have changed: sha256"):
        encoder._spec.build()


def test_what_is_declared_is_in_the_fingerprint(known):
    first = register_tile_net("mine", projection, version="1", **known)
    told = first.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert len(told["factory"]) == 64
    changed = [
        register_tile_net("mine", f, replace=True, **{**known, **more}).to_dict()
        for f, more in (
            (projection, {"version": "2"}),
            (projection, {"mean": (0, 0, 0)}),
            (Mean, {}),
        )
    ]
    assert all(told != other for other in changed)


def test_random_weights_follow_from_the_seed_whatever_the_factory_draws(known):
    net = register_tile_net("mine", projection, **known)
    before = torch.random.get_rng_state()
    a, b, c = (
        SlideTiles("random", net=net, size=32, random_state=s)._spec.build()
        for s in (0, 0, 1)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(a.net[2].token, b.net[2].token)
    assert not torch.equal(a.net[2].token, c.net[2].token)


def test_torchscript_is_code_and_needs_trust(known, tmp_path):
    torch.manual_seed(0)
    net = projection().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(
            torch.jit.trace(net, torch.zeros(1, 3, 32, 32)), tmp_path / "n.pt"
        )
    register_tile_net("script", kind="torchscript", **known)
    told = {"net": "script", "size": 32}
    with pytest.raises(UntrustedFile, match=r"code that runs.*n\.pt.*trusted=True"):
        SlideTiles(tmp_path / "n.pt", **told)
    with pytest.raises(InvalidInput, match="has no random ones"):
        SlideTiles("random", trusted=True, **told)
    encoder = SlideTiles(tmp_path / "n.pt", trusted=True, **told)
    tile = torch.randint(0, 255, (1, 3, 32, 32), dtype=torch.uint8)
    mean, sd = (
        torch.tensor(v).view(3, 1, 1) for v in (encoder.net.mean, encoder.net.sd)
    )
    with torch.inference_mode():
        found, expected = encoder._spec.build()(tile), net((tile / 255 - mean) / sd)
    assert torch.allclose(found, expected, atol=1e-5)
    save_net(tmp_path / "state.pt", net)
    encoder = SlideTiles(tmp_path / "state.pt", trusted=True, **told)
    with pytest.raises(
        InputCorrupt, match=r"state\.pt for script cannot be read as Tor"
    ):
        encoder._spec.build()


def test_onnx_without_onnxruntime_says_what_to_do(known, tmp_path, monkeypatch):
    (tmp_path / "n.onnx").write_bytes(b"onnx")
    register_tile_net("onnx net", kind="onnx", **known)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    encoder = SlideTiles(tmp_path / "n.onnx", net="onnx net", size=32)
    with pytest.raises(MissingDependency, match="pip install onnxruntime"):
        encoder._spec.build()
    with pytest.raises(UntrustedFile, match=r"expected \.onnx"):
        SlideTiles(__file__, net="onnx net", size=32)


@pytest.mark.parametrize("batch", ["n", 1, 8])
def test_onnx_runs_through_a_session(known, tmp_path, monkeypatch, batch):
    class Session:
        def __init__(self, path, options, providers):
            if not Path(path).read_bytes():
                raise Exception("INVALID_PROTOBUF")

        def get_inputs(self):
            return [types.SimpleNamespace(name="pixels", shape=[batch, 3, 32, 32])]

        def run(self, names, given):
            assert batch == "n" or len(given["pixels"]) == batch
            return [given["pixels"].mean(axis=(2, 3)).repeat(2, axis=1)]

    fake = types.SimpleNamespace(
        SessionOptions=types.SimpleNamespace, InferenceSession=Session
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    (tmp_path / "n.onnx").write_bytes(b"onnx")
    net = register_tile_net("o", kind="onnx", mean=(0, 0, 0), sd=(1, 1, 1), **known)
    encoder = SlideTiles(tmp_path / "n.onnx", net=net, size=32)
    if batch == 8:
        with pytest.raises(InvalidInput, match="takes 8 tiles at a time"):
            build_tile_model(net, encoder.weights, 32)
        return
    found = build_tile_model(net, encoder.weights, 32)(
        torch.full((2, 3, 32, 32), 51, dtype=torch.uint8)
    )
    assert torch.allclose(found, torch.full((2, 6), 0.2))
    (tmp_path / "e.onnx").touch()
    empty = SlideTiles(tmp_path / "e.onnx", net=net, size=32)
    with pytest.raises(InputCorrupt, match=r"e\.onnx for o .* INVALID_PROTOBUF"):
        build_tile_model(net, empty.weights, 32)


def test_what_cannot_be_registered(known):
    register_tile_net("mine", projection, **known)
    with pytest.raises(InvalidInput, match="pass replace=True"):
        register_tile_net("mine", projection, **known)
    with pytest.raises(InvalidInput, match="Take another name"):
        register_tile_net("resnet50", projection, replace=True, **known)
    with pytest.raises(InvalidInput, match="whose file holds the net"):
        register_tile_net("x", projection, kind="torchscript", **known)
    with pytest.raises(InvalidInput, match="dimension of net 'x' is 0"):
        register_tile_net("x", projection, dimension=0)
    with pytest.raises(InvalidInput, match=r"sd of net 'x' is \(0, 1, 1\)"):
        register_tile_net("x", projection, sd=(0, 1, 1), **known)
    with pytest.raises(InvalidInput, match="takes tiles of 32 pixels, size is 224"):
        SlideTiles("random", net="mine")
    assert tile_net(TileNet("y", projection, 6)).name == "y"
    net = register_tile_net("list", list, **known)
    with pytest.raises(InvalidInput, match=r"factory of net 'list' returns list"):
        SlideTiles("random", net=net, size=32)._spec.build()
