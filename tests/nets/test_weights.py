import math
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sarcfeat.exceptions import (
    InputCorrupt,
    InputMissing,
    InvalidInput,
    UnknownName,
    UntrustedFile,
)
from sarcfeat.nets import (
    densenet121,
    draw_weights,
    load_net,
    load_weights,
    monai_keys,
    read_weights,
    resnet,
    save_net,
)
from tests.nets.torchvision_layout import LAYOUTS

PARAMETERS = {"resnet18": 11_689_512, "resnet50": 25_557_032, "densenet121": 7_978_856}
TENSORS = {"resnet18": 62, "resnet50": 161, "densenet121": 364}
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def build(name, n_outputs=1000):
    if name == "densenet121":
        return densenet121(spatial_dims=2, channels=3, n_outputs=n_outputs)
    return resnet(name, n_outputs=n_outputs)


def published(name, seed=0):
    """Return a state dict laid out as torchvision's, with numbers of its own."""
    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.rand(shape, generator=generator) * 0.1 + 0.01
        if shape
        else torch.tensor(7)
        for key, shape in LAYOUTS[name].items()
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_names_and_shapes_are_torchvisions(name):
    net = build(name)
    renamed = monai_keys(LAYOUTS[name])
    layout = {renamed[key]: shape for key, shape in LAYOUTS[name].items()}
    assert {k: tuple(v.shape) for k, v in net.state_dict().items()} == layout
    learned = [k for k in LAYOUTS[name] if not k.endswith(BUFFERS)]
    assert len(learned) == len(list(net.parameters())) == TENSORS[name]
    assert sum(math.prod(LAYOUTS[name][k]) for k in learned) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_published_weights_load_and_come_back(tmp_path, name, suffix):
    state, path = published(name), tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    net = build(name)
    load_weights(net, read_weights(path), what="weights")
    held, renamed = net.state_dict(), monai_keys(state)
    assert all(torch.equal(held[renamed[key]], state[key]) for key in state)


def test_the_penultimate_layer_takes_weights_without_or_with_a_head():
    for name, width in (("resnet18", 512), ("densenet121", 1024)):
        net = build(name, None).eval()
        state = published(name)
        load_weights(net, state, what="whole")
        load_weights(
            net,
            {k: v for k, v in state.items() if "fc." not in k and "class" not in k},
            what="headless",
        )
        with torch.inference_mode():
            assert net(torch.zeros(1, 3, 64, 64)).shape == (1, width)


def test_a_wrapped_prefixed_old_style_file_loads(tmp_path):
    """As a y-aware DenseNet checkpoint, and torchvision's own old file, are named."""
    state = published("densenet121")
    old = {
        "module." + k.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): v
        for k, v in state.items()
        if not k.endswith("num_batches_tracked")
    }
    torch.save({"epoch": 3, "model": old}, tmp_path / "old.pth")
    net = build("densenet121")
    load_weights(net, read_weights(tmp_path / "old.pth"), what="old.pth")
    key = "features.denseblock2.denselayer3.norm1.weight"
    held = net.state_dict()["features.denseblock2.denselayer3.layers.norm1.weight"]
    assert torch.equal(held, state[key])


def test_three_dimensional_densenet_takes_renamed_weights():
    torch_like = {
        key.replace(".layers.", ".").replace("class_layers.out", "classifier"): value
        for key, value in densenet121(n_outputs=2).state_dict().items()
    }
    net = densenet121()
    load_weights(net, torch_like, what="3-D")
    key = "features.denseblock1.denselayer1.conv2.weight"
    assert torch_like[key].shape == (32, 128, 3, 3, 3)
    held = net.state_dict()["features.denseblock1.denselayer1.layers.conv2.weight"]
    assert torch.equal(held, torch_like[key])


def test_weights_of_another_net_are_refused_by_name():
    with pytest.raises(
        InvalidInput, match=r"r18\.pth on resnet50 do not fit: .*layer1"
    ):
        load_weights(
            build("resnet50"), published("resnet18"), what="r18.pth on resnet50"
        )
    state = published("resnet18")
    state["conv1.weight"] = state["conv1.weight"][:, :1]
    with pytest.raises(InvalidInput, match=r"conv1.weight is \(64, 1, 7, 7\)"):
        load_weights(build("resnet18"), state, what="grey.pth")


class Runs:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


def test_files_that_run_code_are_refused(tmp_path):
    torch.save({"fc.weight": torch.zeros(1), "x": Runs()}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Runs()))
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(UntrustedFile, match=name):
            read_weights(tmp_path / name)
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({}))
    with pytest.raises(UntrustedFile, match=r"weights\.pkl.*'\.pkl'"):
        read_weights(tmp_path / "weights.pkl")


def test_broken_and_missing_files_are_named(tmp_path):
    with pytest.raises(InputMissing, match=r"gone\.pth"):
        read_weights(tmp_path / "gone.pth")
    torch.save({"a": torch.zeros(1000)}, tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:900])
    with pytest.raises(InputCorrupt, match=r"cut\.pth \(900 bytes\)"):
        read_weights(tmp_path / "cut.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(InputCorrupt, match=r"cut\.safetensors"):
        read_weights(tmp_path / "cut.safetensors")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(InvalidInput, match=r"list\.pth hold list"):
        read_weights(tmp_path / "list.pth")


def test_drawn_weights_depend_on_the_number_alone():
    before = torch.random.get_rng_state()
    nets = [nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2)) for _ in range(3)]
    after_building = torch.random.get_rng_state()
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        draw_weights(net, seed)
    assert torch.equal(torch.random.get_rng_state(), after_building)
    assert not torch.equal(before, after_building)
    assert torch.equal(nets[0][0].weight, nets[1][0].weight)
    assert not torch.equal(nets[0][1].weight, nets[2][1].weight)


def test_saved_nets_come_back_whole(tmp_path):
    net = nn.Linear(3, 2)
    save_net(tmp_path / "net.safetensors", net, {"inputs": ["age", "size"]})
    other = nn.Linear(3, 2)
    assert load_net(tmp_path / "net.safetensors", other) == {"inputs": ["age", "size"]}
    assert torch.equal(other.weight, net.weight)
    assert np.isfinite(other.bias.detach().numpy()).all()
    with pytest.raises(InvalidInput, match=r"net\.safetensors.*weight is \(2, 3\)"):
        load_net(tmp_path / "net.safetensors", nn.Linear(4, 2))


def test_unknown_depth_is_answered_with_the_near_miss():
    with pytest.raises(UnknownName, match="Did you mean 'resnet18'"):
        resnet("resnet19")
