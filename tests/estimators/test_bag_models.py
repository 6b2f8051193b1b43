"""Models of bags: what they learn, keep, refuse, and how they stop and go on."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sarcfeat.estimators import (
    AttentionMIL,
    MeanPoolCox,
    TransformerPool,
)
from sarcfeat.exceptions import FewEvents, InvalidInput, NoEvents, SarcfeatWarning
from sarcfeat.io import BagArray, BagRef, load_model, save_model
from sarcfeat.io.bag_ref import BagPart
from sarcfeat.io.bagfile import write_bag
from sarcfeat.splits import EventStratifiedKFold
from sarcfeat.survival import make_y

NET = {"epochs": 3, "width": 8, "lr": 0.02, "batch_size": 32, "device": "cpu"}
MODELS = [
    AttentionMIL(**NET),
    AttentionMIL(**NET, gated=False, validation=None),
    TransformerPool(**NET, heads=2, queries=2),
    MeanPoolCox(cv=3, n_lambda=5),
]


def cohort(n=40, tiles=20, dim=4, seed=0):
    """Patients whose tiles in C and P, not those in R, tell the hazard."""
    rng = np.random.default_rng(seed)
    hazard = rng.normal(size=n)
    codes = (np.arange(tiles) % 3 + 1).astype(np.uint8)
    bags = []
    for i in range(n):
        features = rng.normal(size=(tiles, dim))
        features[codes < 3, 0] += hazard[i]
        coords = np.stack([np.arange(tiles), np.full(tiles, i)], 1)
        told = (features.astype(np.float32), coords, codes, ("C", "P", "R"))
        bags.append(BagArray(f"P{i}", *told))
    X = pd.DataFrame(
        {
            "site": "A",
            "cnn.bag": pd.Series(bags, dtype=object),
            "clinical.age": rng.normal(60, 9, n),
        }
    ).set_axis([f"P{i}" for i in range(n)])
    time = rng.exponential(np.exp(-1.5 * hazard))
    return X, make_y(rng.random(n) < 0.8, time), hazard


@pytest.fixture(scope="module")
def data():
    return cohort()


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_it_learns_saves_and_says_the_same_again(model, data, tmp_path):
    X, y, hazard = data
    one = clone(model).fit(X, y)
    risk = one.predict(X)
    assert np.corrcoef(risk, hazard)[0, 1] > 0.5
    assert abs(risk.mean()) < 1e-6
    np.testing.assert_array_equal(clone(model).fit(X, y).predict(X), risk)
    np.testing.assert_array_equal(one.predict(X.iloc[3:5]), risk[3:5])
    ids = [f"P{i}_SECRET" for i in range(40)]
    one = one.fit(X.set_axis(ids), y)
    file = save_model(one, tmp_path / "model.skops", patients=ids)
    np.testing.assert_array_equal(load_model(file).predict(X), risk)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).predict(X), risk)
    surviving = one.predict_survival_function(X, [0.1, 0.5, 2.0])
    assert (np.diff(surviving, axis=1) <= 0).all()
    assert np.corrcoef(surviving[:, 1], risk)[0, 1] < -0.8


@pytest.mark.parametrize("model", MODELS[:3], ids=lambda m: type(m).__name__)
def test_attention_sums_to_one_and_follows_the_places(model, data):
    X, y, _ = data
    fitted = clone(model).set_params(regions=("C", "P")).fit(X, y)
    found = fitted.attention(X.iloc[:3])
    assert list(found) == ["P0", "P1", "P2"]
    places = X["cnn.bag"].iloc[0].places(("C", "P"))
    assert len(found["P0"]) == len(places) < 20
    for weights in found.values():
        assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_history_stopping_and_validation_are_honest(data):
    X, y, _ = data
    params = {**NET, "lr": 0.3, "epochs": 40, "patience": 3}
    model = AttentionMIL(**params).fit(X, y)
    loss = model.history_.query("split == 'valid' and metric == 'loss'")["value"]
    assert len(loss) == model.best_epoch_ + 3 < 40
    assert model.best_epoch_ == int(loss.argmin()) + 1
    assert (model.n_train_, model.n_validation_) == (32, 8)
    for share, aside in ((0.4, 16), (0.3, 12), (0.5, 20)):
        asked = AttentionMIL(**{**NET, "epochs": 1}, validation=share).fit(X, y)
        assert asked.n_validation_ == aside
    with pytest.warns(FewEvents, match=r"too few to set 20% of the patients aside"):
        few = AttentionMIL(**NET).fit(X.iloc[:9], y[:9])
    assert few.n_validation_ == 0


def test_same_numbers_whatever_the_ceiling_at_prediction(data):
    X, y, _ = data
    model = AttentionMIL(**NET).fit(X, y)
    whole = model.predict(X)
    model.set_params(max_bytes=2000)
    np.testing.assert_allclose(model.predict(X), whole, rtol=1e-5, atol=1e-7)
    attention = model.attention(X.iloc[:1])["P0"]
    np.testing.assert_allclose(
        attention, model.set_params(max_bytes=10**9).attention(X)["P0"], rtol=1e-5
    )
    with pytest.raises(InvalidInput, match=r"A bag of 20 tiles × 4 needs .* MiB"):
        clone(model).set_params(max_bytes=2000).fit(X, y)
    with pytest.raises(InvalidInput, match=r"A bag of 20 tiles × 4 needs .* MiB"):
        clone(model).set_params(max_bytes=100_000, attention_width=500).fit(X, y)
    # Several batches a step, where they do not fit together.
    small = clone(model).set_params(max_bytes=200_000, dropout=0.0, epochs=2)
    large = clone(small).set_params(max_bytes=10**9)
    assert np.corrcoef(small.fit(X, y).predict(X), large.fit(X, y).predict(X))[0, 1] > (
        0.99
    )


@pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=["net", "mean"])
def test_fault_041_and_missing_references(model, data):
    X, y, _ = data
    X = X.copy()
    none = BagArray("EMPTY", np.zeros((0, 4), np.float32))
    X["cnn.bag"] = [None, none, np.nan, *X["cnn.bag"].iloc[3:]]
    with pytest.raises(InvalidInput, match=r"3 of 40 patients .*: P0, P1, P2.*'drop'"):
        clone(model).fit(X, y)
    dropping = clone(model).set_params(missing="drop")
    with pytest.warns(SarcfeatWarning, match=r"P0, P1, P2\. They are left out"):
        dropping.fit(X, y)
    assert dropping.n_missing_ == 3
    with pytest.warns(SarcfeatWarning, match="given the mean risk in training"):
        risk = dropping.predict(X)
    assert (risk[:3] == 0).all()
    assert np.ptp(risk[3:]) > 0
    np.testing.assert_array_equal(risk[3:], dropping.predict(X.iloc[3:]))
    for nobody in (X.iloc[:2], X[["cnn.bag"]].iloc[:1].to_numpy()):
        with pytest.warns(SarcfeatWarning, match="given the mean risk in training"):
            assert (dropping.predict(nobody) == 0).all()


@pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=["net", "mean"])
def test_refusals_say_what_to_do(model, data):
    X, y, _ = data
    with pytest.raises(InvalidInput, match=r"has none among 2 columns.*store\.matrix"):
        clone(model).fit(X[["site", "clinical.age"]], y)
    two = X.assign(**{"uni.bag": X["cnn.bag"]})
    with pytest.raises(InvalidInput, match=r"cnn\.bag, uni\.bag .* Choose one"):
        clone(model).fit(two, y)
    clone(model).set_params(bags="uni.bag").fit(two, y)
    with pytest.raises(InvalidInput, match=r"bags='cnn\.bags' .*Did you mean 'cnn\.b"):
        clone(model).set_params(bags="cnn.bags").fit(X, y)
    with pytest.raises(InvalidInput, match=r"no tiles in X1: P0"):
        clone(model).set_params(regions=("X1",)).fit(X, y)
    with pytest.raises(NoEvents):
        clone(model).fit(X, make_y(np.arange(40) == 3, y["time"]))
    fitted = clone(model).fit(X, y)
    other = cohort(5, dim=7)[0]
    with pytest.raises(InvalidInput, match=r"7"):
        fitted.predict(other)
    bad = X.copy()
    features = X["cnn.bag"].iloc[4].features.copy()
    features[2, 1] = np.nan
    bad["cnn.bag"] = [
        *X["cnn.bag"].iloc[:4],
        BagArray("P4", features),
        *X["cnn.bag"][5:],
    ]
    with pytest.raises(InvalidInput, match=r"Patient P4: .*NaN"):
        clone(model).fit(bad, y)
    if "n_tiles" in model.get_params():  # also where that tile is not trained on
        with pytest.raises(InvalidInput, match=r"Patient P4: 1 of 20 tiles have NaN"):
            clone(model).set_params(n_tiles=2).fit(bad, y)
    with pytest.raises(InvalidInput, match=r"Patient P4: .*NaN"):
        fitted.predict(bad)


def test_an_array_of_references_will_do(data):
    X, y, _ = data
    column = X[["cnn.bag"]].to_numpy()
    model = AttentionMIL(**NET).fit(column, y)
    np.testing.assert_array_equal(
        model.predict(column), AttentionMIL(**NET).fit(X, y).predict(X)
    )


class Counted(BagRef):
    """A reference that counts how often tiles are read."""

    reads = 0

    def load(self, *args, **kwargs):
        type(self).reads += 1
        return super().load(*args, **kwargs)

    def chunks(self, *args, **kwargs):
        type(self).reads += 1
        return super().chunks(*args, **kwargs)


@pytest.fixture
def on_disk(tmp_path):
    X, y, _ = cohort()
    refs = []
    for bag in X["cnn.bag"]:
        path = tmp_path / f"{bag.patient}.safetensors"
        coords = np.ascontiguousarray(bag.coords, dtype="<i8")
        told = {"region": bag.region, "region_names": bag.region_names}
        write_bag(path, bag.features, coords, {}, **told)
        part = BagPart("S1", str(path), "safetensors", len(bag.features))
        refs.append(Counted(bag.patient, (part,), 4))
    Counted.reads = 0
    return X.assign(**{"cnn.bag": refs}), y


def test_the_cohort_is_not_loaded_to_be_sliced_or_cloned(on_disk):
    X, y = on_disk
    for train, _ in EventStratifiedKFold(5, random_state=0).split(X, y):
        X.iloc[train].copy(deep=True)
        clone(AttentionMIL(**NET))
    pickle.dumps(X)
    assert Counted.reads == 0
    AttentionMIL(**NET, validation=None).fit(X.iloc[:12], y[:12])
    # The scales (2), the epochs and the final risk: once each for each patient.
    assert Counted.reads <= 12 * (2 + NET["epochs"] + 1)


def test_it_runs_in_pipelines_cross_validation_and_searches(on_disk):
    X, y = on_disk
    cv = EventStratifiedKFold(2, random_state=0)
    chain = make_pipeline("passthrough", MeanPoolCox(cv=2, n_lambda=3))
    found = cross_validate(chain, X[["cnn.bag"]], y, cv=cv, error_score="raise")
    assert found["test_score"].mean() > 0.6
    search = GridSearchCV(
        AttentionMIL(**{**NET, "epochs": 1}, validation=None),
        {"gated": [True, False]},
        cv=cv,
        error_score="raise",
    ).fit(X, y)
    np.testing.assert_allclose(
        search.best_estimator_.predict(X),
        AttentionMIL(**{**NET, "epochs": 1}, validation=None, **search.best_params_)
        .fit(X, y)
        .predict(X),
    )


def test_a_study_of_optuna_tunes_it(on_disk):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    X, y = on_disk
    cv = EventStratifiedKFold(2, random_state=0)

    def objective(trial):
        model = MeanPoolCox(
            regions=trial.suggest_categorical("regions", ("C", "R")), cv=2, n_lambda=3
        )
        model.set_params(regions=(model.regions,))
        return cross_validate(model, X, y, cv=cv)["test_score"].mean()

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.GridSampler({"regions": ["C", "R"]}),
    )
    study.optimize(objective)
    assert study.best_params == {"regions": "C"}


def test_a_checkpoint_of_other_tiles_is_refused(data, tmp_path):
    X, y, _ = data
    model = AttentionMIL(**NET, checkpoint=str(tmp_path), regions=("C",)).fit(X, y)
    risk = model.predict(X)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict(X), risk)
    for other in ({"regions": ("P",)}, {"dropout": 0.5}, {"n_tiles": 5}):
        with pytest.raises(InvalidInput, match=r"checkpoint of another run: "):
            clone(model).set_params(**other).fit(X, y)
    with pytest.raises(InvalidInput, match=r"inputs of training .*; inputs of valid"):
        clone(model).fit(cohort(seed=1)[0], y)


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tests.estimators.test_bag_models import AttentionMIL, NET, cohort
X, y, _ = cohort()
AttentionMIL(**{{**NET, "epochs": 60, "batch_size": 8}}, patience=None,
             checkpoint={folder!r}).fit(X, y)
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = textwrap.dedent(SCRIPT).format(root=root, folder=str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", code])
    file = tmp_path / "training.safetensors"
    while child.poll() is None and not file.exists():
        multiprocessing.Event().wait(0.02)
    assert child.poll() is None, "it ended before it could be killed"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    from sarcfeat.nets.weights import read_tensors

    done = read_tensors(file)[1]["epoch"]
    assert 1 <= done < 60
    X, y, _ = cohort()
    params = {**NET, "epochs": 60, "batch_size": 8, "patience": None}
    again = AttentionMIL(**params, checkpoint=str(tmp_path)).fit(X, y)
    straight = AttentionMIL(**params).fit(X, y)
    pd.testing.assert_frame_equal(again.history_, straight.history_)
    for name, value in straight.weights_.items():
        np.testing.assert_array_equal(again.weights_[name], value)
