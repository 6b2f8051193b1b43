import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from sarcfeat.exceptions import InvalidInput, NotConverged
from sarcfeat.nets import (
    Arrays,
    CoxLoss,
    LogisticHazardLoss,
    Recipe,
    event_balanced,
    fit,
    hazard_cuts,
    predict,
)
from sarcfeat.survival import count_pairs, make_y


def cohort(n=60, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    time = rng.exponential(10 * np.exp(-1.5 * x[:, 0]))
    censored = rng.exponential(25, n)
    return x, make_y(time <= censored, np.minimum(time, censored))


def net(width=1, dropout=0.3, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(4, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(8, width),
        )


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("step_size", [None, 50])
def test_it_learns_what_is_there(step_size):
    x, y = cohort(150)
    xv, yv = cohort(150, seed=1)
    done = fit(
        net(),
        Arrays(x),
        y,
        CoxLoss(),
        Recipe(epochs=20, lr=0.03, batch_size=32, step_size=step_size),
    )
    risk = predict(done.module, Arrays(xv))[:, 0].numpy()
    assert count_pairs(yv["event"], yv["time"], risk).c_index > 0.75


def test_logistic_hazard_learns_too():
    x, y = cohort(150)
    loss = LogisticHazardLoss(hazard_cuts(y, 4))
    recipe = Recipe(epochs=20, lr=0.02, batch_size=25, step_size=50)
    done = fit(net(len(loss.cuts)), Arrays(x), y, loss, recipe)
    late = done.history_.query("metric == 'loss'")["value"]
    assert late.iloc[-1] < late.iloc[0] - 0.1


def gradient(recipe, whole):
    """Return a gradient-descent step of size 1, which is minus the gradient."""
    x, y = cohort(30)
    module = net(dropout=0.0)
    module[1] = nn.Identity()  # batch normalisation would see other batches
    done = fit(module, Arrays(x), y, whole, recipe)
    return [
        (before - after).detach()
        for before, after in zip(
            module.parameters(), done.module.parameters(), strict=True
        )
    ]


@pytest.mark.parametrize(
    "loss", [CoxLoss(), LogisticHazardLoss([5.0])], ids=["cox", "hazard"]
)
def test_accumulated_gradient_is_that_of_the_whole_cohort(loss):
    told = {"epochs": 1, "optimizer": "sgd", "momentum": 0.0, "lr": 1.0}
    small = gradient(Recipe(batch_size=4, **told), loss)
    whole = gradient(Recipe(batch_size=30, **told), loss)
    for a, b in zip(small, whole, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert max(float(a.abs().max()) for a in whole) > 0.01


@pytest.mark.parametrize("batch_size", [4, 12])
def test_a_small_step_judges_its_patients_against_the_last_of_the_others(batch_size):
    x, y = cohort(30)
    told = {"optimizer": "sgd", "momentum": 0.0, "lr": 0.1, "epochs": 3}
    module, loss = nn.Linear(4, 1, bias=False), CoxLoss()
    recipe = Recipe(batch_size=batch_size, step_size=12, **told)
    done = fit(module, Arrays(x), y, loss, recipe)
    inputs = torch.tensor(x, dtype=torch.float32)
    weight = module.weight.detach().clone()
    last = inputs @ weight.T
    for epoch in (1, 2, 3):
        rng = np.random.default_rng([recipe.random_state, epoch])
        for rows in event_balanced(y["event"], 12, rng):
            weight.requires_grad_(True)
            fresh = inputs[rows] @ weight.T
            value = loss(last.index_put((torch.tensor(rows),), fresh), loss.target(y))
            (pull,) = torch.autograd.grad(value * 30 / len(rows), weight)
            weight, last[rows] = (weight - 0.1 * pull).detach(), fresh.detach()
    torch.testing.assert_close(done.module.weight, weight, rtol=1e-5, atol=1e-6)


def test_first_pass_leaves_no_trace_in_batch_normalisation():
    x, y = cohort(40)
    recipe = Recipe(epochs=3, batch_size=10)
    done = fit(net(dropout=0.0), Arrays(x), y, CoxLoss(), recipe)
    assert int(done.module[1].num_batches_tracked) == 3 * 4


def test_same_seed_same_bits_and_the_global_generators_rest():
    x, y = cohort()
    recipe = Recipe(epochs=4, batch_size=8, step_size=24, random_state=3)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = fit(net(), Arrays(x), y, CoxLoss(), recipe)
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    again = fit(net(), Arrays(x), y, CoxLoss(), recipe)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert same(first.module, again.module)
    other = fit(
        net(), Arrays(x), y, CoxLoss(), Recipe(**{**vars(recipe), "random_state": 4})
    )
    assert not same(first.module, other.module)


def test_the_module_given_is_left_alone():
    x, y = cohort()
    module = net()
    fit(module, Arrays(x), y, CoxLoss(), Recipe(epochs=2))
    assert same(module, net())
    assert module.training


def test_best_epoch_is_that_of_the_whole_validation_loss():
    x, y = cohort(40)
    xv, yv = cohort(40, seed=5)
    loss = CoxLoss()
    done = fit(
        net(),
        Arrays(x),
        y,
        loss,
        Recipe(epochs=200, lr=0.05, patience=10, batch_size=10),
        valid=(Arrays(xv), yv),
    )
    history = done.history_
    assert list(history.columns) == ["epoch", "split", "metric", "value"]
    valid = history.query("split == 'valid'").set_index("epoch")["value"]
    assert done.best_epoch_ == valid.idxmin()
    assert len(valid) == done.best_epoch_ + 10  # stopped after its patience
    told = float(loss(predict(done.module, Arrays(xv)), loss.target(yv)))
    assert told == pytest.approx(valid.min(), rel=1e-5)


def test_predictions_do_not_depend_on_the_batch():
    x, _ = cohort(33)
    module = net()
    one, all_ = (predict(module, Arrays(x), batch_size=size) for size in (1, 64))
    torch.testing.assert_close(one, all_, rtol=1e-5, atol=1e-6)
    assert module.training


class Counter:
    """A hook with a memory."""

    def __init__(self, stop_at=None):
        self.seen, self.stop_at = [], stop_at

    def __call__(self, epoch):
        self.seen.append(epoch.number)
        if epoch.number == self.stop_at:
            raise KeyboardInterrupt
        return {"spread": float(epoch.predict("train").std())}

    def state_dict(self):
        return self.seen

    def load_state_dict(self, seen):
        self.seen = list(seen)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path, optimizer):
    x, y = cohort()
    recipe = Recipe(
        epochs=8,
        batch_size=8,
        step_size=20,
        schedule="onecycle",
        optimizer=optimizer,
        lr=0.01,
    )
    told = {"valid": (Arrays(x[:20]), y[:20])}
    whole = fit(net(), Arrays(x), y, CoxLoss(), recipe, hooks=[Counter()], **told)
    with pytest.raises(KeyboardInterrupt):
        fit(
            net(),
            Arrays(x),
            y,
            CoxLoss(),
            recipe,
            hooks=[Counter(stop_at=5)],
            checkpoint=tmp_path,
            **told,
        )
    hook = Counter()
    on = fit(
        net(seed=7),
        Arrays(x),
        y,
        CoxLoss(),
        recipe,
        hooks=[hook],
        checkpoint=tmp_path,
        **told,
    )
    assert same(whole.module, on.module)
    assert hook.seen == list(range(1, 9))
    assert on.history_.equals(whole.history_)
    with pytest.raises(InvalidInput, match=r"another run: .*lr 0\.01, now 0\.5"):
        fit(
            net(),
            Arrays(x),
            y,
            CoxLoss(),
            Recipe(**{**vars(recipe), "lr": 0.5}),
            checkpoint=tmp_path,
        )


def test_a_checkpoint_of_another_net_is_refused(tmp_path):
    x, y = cohort()
    recipe = Recipe(epochs=1)
    fit(net(), Arrays(x), y, CoxLoss(), recipe, checkpoint=tmp_path)
    wrong = nn.Sequential(nn.Linear(4, 1))
    with pytest.raises(InvalidInput, match=r"training\.safetensors do not fit: .*0\.w"):
        fit(wrong, Arrays(x), y, CoxLoss(), recipe, checkpoint=tmp_path)


KILLED = """
    import os, signal, sys
    from tests.nets.test_train import Arrays, CoxLoss, Recipe, cohort, fit, net
    x, y = cohort()
    def die(epoch):
        if epoch.number == 4:
            os.kill(os.getpid(), signal.SIGKILL)
    fit(net(), Arrays(x), y, CoxLoss(), Recipe(epochs=6, batch_size=16),
        hooks=[die], checkpoint=sys.argv[1])
"""


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    code = textwrap.dedent(KILLED)
    # The same bits need as many threads.
    here = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-c", code, str(tmp_path)]
    died = subprocess.run(command, check=False, env=here)
    assert died.returncode == -9
    x, y = cohort()
    recipe = Recipe(epochs=6, batch_size=16)
    hooks = [lambda epoch: None]
    on = fit(net(), Arrays(x), y, CoxLoss(), recipe, hooks=hooks, checkpoint=tmp_path)
    assert same(fit(net(), Arrays(x), y, CoxLoss(), recipe).module, on.module)


def test_a_loss_that_explodes_is_said():
    x, y = cohort()

    class Bad(CoxLoss):
        calls = 0

        def __call__(self, prediction, target):
            self.calls += 1
            value = super().__call__(prediction, target)
            return value * float("nan") if self.calls > 2 else value

    with pytest.warns(NotConverged, match="epoch 3; the weights of epoch 2 count"):
        done = fit(net(), Arrays(x), y, Bad(), Recipe(epochs=9, batch_size=60))
    assert done.best_epoch_ == 2
    bad = Bad()
    bad.calls = 5
    with pytest.raises(InvalidInput, match="nan in epoch 1, before any"):
        fit(net(), Arrays(x), y, bad, Recipe(epochs=9))


def test_what_cannot_be_trained_is_refused():
    x, y = cohort()
    with pytest.raises(InvalidInput, match="patience=3 needs validation"):
        fit(net(), Arrays(x), y, CoxLoss(), Recipe(patience=3))
    with pytest.raises(InvalidInput, match="data has 10 patients and y 60"):
        fit(net(), Arrays(x[:10]), y, CoxLoss())
    with pytest.raises(InvalidInput, match="batch_size is 0"):
        Recipe(batch_size=0)
    with pytest.raises(InvalidInput, match="lr is -1"):
        Recipe(lr=-1)


def test_mixed_precision_trains_on_the_cpu():
    x, y = cohort(80)
    recipe = Recipe(epochs=15, lr=0.03, precision="bfloat16", batch_size=40)
    done = fit(net(dropout=0.0), Arrays(x), y, CoxLoss(), recipe)
    assert done.module[0].weight.dtype == torch.float32
    losses = done.history_.query("metric == 'loss'")["value"]
    assert losses.iloc[-1] < losses.iloc[0]


def test_one_cycle_rises_and_falls():
    recipe = Recipe(schedule="onecycle", lr=1.0)
    assert recipe.rate(0) == pytest.approx(1 / 25)
    assert recipe.rate(0.3) == pytest.approx(1.0)
    assert recipe.rate(1) < 1e-5
