import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from sarcfeat.encoders import (
    CNN2D,
    DenseNet3D,
    Encoded,
    Encoder,
    forward,
    lesion_cube,
)
from sarcfeat.encoders.pretrained import VARIABLE
from sarcfeat.exceptions import EmptyROI, InputMissing, InvalidInput, UnknownName
from sarcfeat.nets import draw_weights, resnet, save_net
from sarcfeat.store import FeatureStore
from tests.encoders.conftest import ellipsoid, texture, write
from tests.store.fakes import (
    add_files,
    clinical,
    image_path,
    mask_path,
    patients,
    write_patient,
)

SMALL = {"weights": "random", "random_state": 0, "size": 32}


@pytest.fixture(scope="module")
def phases(tmp_path_factory):
    """Three phases of three patients and their masks."""
    folder = tmp_path_factory.mktemp("phases")
    found = []
    for p in range(3):
        inside = ellipsoid(radius=8.0 + p)
        images = [
            write(folder / f"P{p}_{k}.nii.gz", texture(seed=10 * p + k))
            for k in range(3)
        ]
        mask = write(folder / f"P{p}_mask.nii.gz", inside.astype("uint8"))
        found.append((images, mask))
    return found


def test_it_is_an_encoder_of_fixed_width(phases):
    images, mask = phases[0]
    encoder = CNN2D(**SMALL)
    assert isinstance(encoder, Encoder)
    found = encoder.encode(images[0], mask)
    assert found.names == encoder.feature_names
    assert found.names[::511] == ["f0001", "f0512"]
    assert found.values.shape == (512,)
    assert found.values.dtype == np.float64
    assert np.isfinite(found.values).all()
    assert found.values.std() > 0


def test_features_are_the_nets_penultimate_layer_of_the_normalised_slice(phases):
    import SimpleITK

    images, mask = phases[0]
    array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(images[0])))
    inside = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(mask))) > 0
    held = np.flatnonzero(inside.any(axis=(1, 2)))
    k = held[np.argmin(np.abs(held - (held[0] + held[-1]) / 2))]
    rows, columns = (np.flatnonzero(inside[k].any(axis=a)) for a in (1, 0))
    cut = array[k, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert cut.shape[0] == cut.shape[1]  # a ball: no pixel is interpolated
    picture = torch.tensor(np.clip((cut + 500) / 2000, 0, 1)).expand(1, 3, *cut.shape)
    mean, sd = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    picture = (picture - mean.view(1, 3, 1, 1)) / sd.view(1, 3, 1, 1)
    net = resnet("resnet18").eval()
    draw_weights(net, 0)
    with torch.inference_mode():
        expected = net(picture.float())[0]
    encoder = CNN2D(**{**SMALL, "size": len(cut)}, window=(-500.0, 1500.0))
    found = encoder.encode(images[0], mask).values
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_every_slice_is_pooled(phases):
    images, mask = phases[0]
    one, mean, most = (
        CNN2D(**SMALL, slices=slices, pooling=pooling).encode(images[0], mask).values
        for slices, pooling in (("largest", "max"), ("all", "mean"), ("all", "max"))
    )
    assert (most >= mean - 1e-9).all()
    assert not np.allclose(one, mean)


def test_three_phases_one_by_one_or_as_channels(phases):
    images, mask = phases[0]
    apart = [CNN2D(**SMALL).encode(image, mask).values for image in images]
    assert np.concatenate(apart).shape == (1536,)
    together = CNN2D(**SMALL, channels="phases")
    assert together.encode(images, mask).values.shape == (512,)
    with pytest.raises(
        InvalidInput, match=r"takes 3 image.*given 1: .*channels='grey'"
    ):
        together.encode(images[0], mask)
    with pytest.raises(InvalidInput, match=r"takes 1 image.*given 3"):
        CNN2D(**SMALL).encode(images, mask)


def test_same_bits_whatever_lies_beside_it_and_one_failure_is_its_own(phases, tmp_path):
    empty = write(tmp_path / "empty.nii.gz", np.zeros((20, 32, 36), "uint8"))
    items = [(images[0], mask, None) for images, mask in phases]
    broken = [items[0], (phases[0][0][0], empty, None), *items[1:]]
    for slices in ("middle", "all"):
        many = CNN2D(**SMALL, slices=slices, batch_size=5).encode_many(broken)
        assert isinstance(many[1], EmptyROI)
        assert "empty.nii.gz" in str(many[1])
        alone = [CNN2D(**SMALL, slices=slices).encode(*item[:2]) for item in items]
        for one, other in zip([many[0], *many[2:]], alone, strict=True):
            assert isinstance(one, Encoded)
            assert (one.values == other.values).all()


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_torch_keeps_its_threads_and_generator(phases, two_threads):
    before = torch.random.get_rng_state()
    CNN2D(**{**SMALL, "random_state": 77}).encode(phases[0][0][0], phases[0][1])
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.random.get_rng_state(), before)


def test_two_sequences_in_three_dimensions(phases):
    images, mask = phases[0]
    told = {"weights": "random", "random_state": 0, "size": 32}
    encoder = DenseNet3D(**told)
    found = encoder.encode(images[:2], mask)
    assert found.values.shape == (1024,)
    assert found.values.std() > 0
    shown = encoder.pictures(images[:2], mask)
    assert shown.shape == (1, 2, 32, 32, 32)
    np.testing.assert_array_equal(shown[0], lesion_cube(images[:2], mask, size=32))
    swapped = encoder.encode(images[1::-1], mask)
    assert not np.allclose(found.values, swapped.values)
    one = DenseNet3D(**told, channels=1)
    assert one.encode(images[0], mask).values.shape == (1024,)
    with pytest.raises(InvalidInput, match=r"takes 2 image.*in a store.*channels=1"):
        encoder.encode(images[0], mask)


def test_fault_049_other_weights_are_another_extractor(tmp_path, monkeypatch):
    paths = []
    for seed in (1, 2):
        net = resnet("resnet18", n_outputs=10)
        draw_weights(net, seed)
        paths.append(tmp_path / f"{seed}" / "resnet18.safetensors")
        save_net(paths[-1], net)
    first, second = (CNN2D("resnet18", weights=p, size=32) for p in paths)
    assert first.fingerprint() != second.fingerprint()
    assert (
        first.fingerprint()["weights_sha256"] != second.fingerprint()["weights_sha256"]
    )
    monkeypatch.setenv(VARIABLE, str(paths[0].parent))
    assert CNN2D("resnet18", size=32).fingerprint() == first.fingerprint()
    told = json.dumps(first.fingerprint())
    assert str(tmp_path) not in told  # the bytes count, not where they lie


def test_weights_from_a_file_are_used(phases, tmp_path):
    net = resnet("resnet18", n_outputs=10)
    draw_weights(net, 0)
    torch.save(net.state_dict(), tmp_path / "resnet18.pth")
    images, mask = phases[0]
    of_file = CNN2D(weights=tmp_path / "resnet18.pth", size=32)
    assert not of_file.fingerprint()["random_weights"]
    assert not any("random" in note for note in of_file.notes)
    net_alone = CNN2D(**{**SMALL, "random_state": 5}).encode(images[0], mask).values
    found = of_file.encode(images[0], mask).values
    assert not np.allclose(found, net_alone)
    # Without its head the net draws fewer numbers, and the same ones first.
    np.testing.assert_array_equal(found, CNN2D(**SMALL).encode(images[0], mask).values)
    with pytest.raises(InvalidInput, match=r"resnet18\.pth for resnet50 do not fit"):
        CNN2D("resnet50", weights=tmp_path / "resnet18.pth", size=32).encode(
            images[0], mask
        )


def test_random_weights_are_flagged():
    encoder = CNN2D(**SMALL)
    mark = encoder.fingerprint()
    assert mark["random_weights"] is True
    assert mark["weights_sha256"] is None
    assert (mark["params"]["weights"], mark["params"]["random_state"]) == ("random", 0)
    assert "it has learned nothing" in encoder.notes[0]
    assert mark != CNN2D(**{**SMALL, "random_state": 1}).fingerprint()
    assert json.loads(json.dumps(mark)) == mark


@pytest.mark.parametrize(
    "change",
    [
        {"slices": "all"},
        {"channels": "neighbours"},
        {"size": 64},
        {"margin": 5.0},
        {"masked": True},
        {"window": (0, 100)},
        {"preprocess": ["ZScore"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_value_changes_the_fingerprint(phases, change):
    images, mask = phases[0]
    a, b = CNN2D(**SMALL), CNN2D(**{**SMALL, **change})
    assert a.fingerprint() != b.fingerprint()
    if "preprocess" not in change:  # a z-score is undone by the range of the lesion
        assert not np.allclose(
            a.encode(images[0], mask).values, b.encode(images[0], mask).values
        )
    assert a.fingerprint() == CNN2D(**SMALL, batch_size=2).fingerprint()


def test_bfloat16_is_taken_where_it_is_there_and_agrees(phases, monkeypatch):
    images, mask = phases[0]
    told = {**SMALL, "random_state": 11}
    exact = CNN2D(**told, precision="float32").encode(images[0], mask).values
    monkeypatch.setattr(forward, "_has_bfloat16", lambda device: True)
    half = CNN2D(**told)
    assert half.params["precision"] == "bfloat16"
    assert "cosine of bfloat16 and float32 features is at least 0.99" in half.notes[-1]
    found = half.encode(images[0], mask).values
    assert not (found == exact).all()
    cosine = found @ exact / np.linalg.norm(found) / np.linalg.norm(exact)
    assert cosine > 0.999
    monkeypatch.setattr(forward, "LEAST_COSINE", 1.1)
    forward._agreed.cache_clear()
    other = CNN2D(**told)
    assert other.params["precision"] == "float32"
    assert "computed in float32 on cpu: the cosine of bfloat16" in other.notes[-1]
    forward._agreed.cache_clear()


def test_what_is_asked_for_wrongly_is_answered():
    with pytest.raises(UnknownName, match="Did you mean 'resnet18'"):
        CNN2D("resnet81", **SMALL)
    with pytest.raises(UnknownName, match=r"choice of slices 'midle'.*'middle'"):
        CNN2D(**SMALL, slices="midle")
    with pytest.raises(InvalidInput, match="window is"):
        CNN2D(**SMALL, window=(3, 1))
    with pytest.raises(InvalidInput, match="size is 4"):
        CNN2D(weights="random", random_state=0, size=4)
    with pytest.raises(InvalidInput, match="without a dot"):
        CNN2D(**SMALL, name="resnet.18")
    with pytest.raises(InputMissing, match=r"gone\.nii"):
        CNN2D(**SMALL).encode("gone.nii", "mask.nii")


def test_importing_and_building_costs_no_torch():
    code = (
        "import sys\n"
        "from sarcfeat.encoders import CNN2D, DenseNet3D\n"
        "CNN2D(weights='random', random_state=0).feature_names\n"
        "print('torch' in sys.modules, 'monai' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_it_is_light_to_send_to_a_worker(phases):
    encoder = CNN2D(**SMALL)
    images, mask = phases[0]
    before = encoder.encode(images[0], mask).values
    sent = pickle.dumps(encoder)
    assert len(sent) < 10_000
    again = pickle.loads(sent)
    assert again.fingerprint() == encoder.fingerprint()
    assert (again.encode(images[0], mask).values == before).all()


def study(tmp_path, n):
    for patient in patients(n):
        for sequence in ("T1", "T2"):
            write_patient(tmp_path, patient, sequence)
    store = FeatureStore(tmp_path / "study")
    store.add_patients(clinical(n))
    add_files(store, tmp_path)
    return store


def test_a_store_encodes_a_cohort_of_two_sequences(tmp_path):
    told = {**SMALL, "name": "deep"}
    with study(tmp_path, 3) as store:
        report = store.encode(CNN2D(**told), progress=False)
        assert (report.encoded, report.failed) == (6, 0), str(report)
        again = store.encode(CNN2D(**told), progress=False)
        assert (again.encoded, again.skipped) == (0, 6)
        X = store.matrix(None, features=["deep.t1", "deep.t2"]).X
        deep = [c for c in X.columns if c.startswith("deep.")]
        assert (len(X), len(deep)) == (3, 1024)
        assert (deep[0], deep[-1]) == ("deep.t1.f0001", "deep.t2.f0512")
        other = store.encode(CNN2D(**{**told, "random_state": 1}), progress=False)
        assert (other.encoded, other.skipped) == (6, 0)
        flags = store.sql(
            "SELECT fingerprint->>'random_weights' AS flag FROM extractor"
        )
        assert set(flags["flag"]) == {"true"}


def test_two_sequences_enter_a_store_as_a_table(tmp_path):
    with study(tmp_path, 2) as store:
        encoder = DenseNet3D(weights="random", random_state=0, size=32)
        items = [
            (
                [image_path(tmp_path, p, sequence) for sequence in ("T1", "T2")],
                mask_path(tmp_path, p, "T1"),
                None,
            )
            for p in patients(2)
        ]
        rows = [found.to_series() for found in encoder.encode_many(items)]
        frame = pd.DataFrame(rows).assign(patient=patients(2), sequence="T1T2")
        store.import_features(frame, extractor=encoder.name, format="wide")
        X = store.matrix(None, features=["densenet121.t1t2"]).X
        deep = [c for c in X.columns if c.endswith("f1024")]
        assert X[deep].to_numpy().ravel().tolist() == [row["f1024"] for row in rows]


@pytest.mark.slow
def test_two_jobs_give_the_bits_of_one(tmp_path):
    told = {**SMALL, "name": "deep", "slices": "all", "size": 64}
    with study(tmp_path, 4) as store:
        store.encode(CNN2D(**told), n_jobs=2, progress=False)
        # Other numbers than before would be failures.
        again = store.encode(CNN2D(**told), retry="all", n_jobs=1, progress=False)
        assert (again.encoded, again.failed) == (8, 0), str(again)
