import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.exceptions import InvalidInput, NoEvents, UnknownName
from sarcfeat.nets import (
    CoxLoss,
    LogisticHazardLoss,
    hazard_cuts,
    survival_of_hazard,
)
from sarcfeat.survival import RiskSets, cox_state, make_y


def cohort(n=60, seed=0, ties=True):
    rng = np.random.default_rng(seed)
    time = rng.exponential(10, n)
    if ties:
        time = np.ceil(time / 3)
    return rng.random(n) < 0.6, time, rng.normal(size=n), rng.integers(0, 3, n)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("stratified", [False, True])
def test_cox_loss_is_the_kernels_likelihood_and_gradient(ties, stratified):
    event, time, eta, strata = cohort()
    strata = strata if stratified else None
    loss = CoxLoss(ties)
    target = loss.target(make_y(event, time), strata)
    prediction = torch.tensor(eta, requires_grad=True)
    value = loss(prediction, target)
    value.backward()
    value = value.detach()
    sets = RiskSets(event, time, ties=ties, strata=strata)
    state = cox_state([1.0], eta[:, None], sets)
    assert float(value) * event.sum() == pytest.approx(-state.loglik, rel=1e-12)
    np.testing.assert_allclose(
        prediction.grad * event.sum(), -state.martingale, atol=1e-12
    )


# coxph(Surv(time, event) ~ x [+ strata(s)], ties =, init = 0.7, iter.max = 0) of R's
# survival: the log-likelihood, and the martingale residuals of the first six.
TIMES = [1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6, 7, 7]
EVENTS = [1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0]
IN_R = {
    "efron": (
        *(-46.8955990941, -28.1716295885),
        [0.820256, 0.801749, 0.932540, -0.029656, 0.954116, 0.881120],
    ),
    "breslow": (
        *(-47.9906724003, -28.6040247050),
        [0.743873, 0.717501, 0.903873, -0.027458, 0.944132, 0.855251],
    ),
}


@pytest.mark.parametrize("ties", IN_R)
def test_cox_loss_of_heavy_ties_is_rs(ties):
    whole, stratified, residuals = IN_R[ties]
    x = np.round(np.sin(np.arange(1, 25)) * 2, 2)
    eta = torch.tensor(0.7 * x, requires_grad=True)
    y, loss, n = make_y(EVENTS, TIMES), CoxLoss(ties), sum(EVENTS)
    value = loss(eta, loss.target(y))
    value.backward()
    assert value.item() * n == pytest.approx(-whole, abs=1e-9)
    np.testing.assert_allclose(-eta.grad[:6] * n, residuals, atol=1e-6)
    value = loss(eta, loss.target(y, np.tile([1, 2, 3], 8)))
    assert value.item() * n == pytest.approx(-stratified, abs=1e-9)


@pytest.mark.filterwarnings("ignore:.*keyword-only")  # lifelines under pandas 3
def test_cox_loss_is_lifelines_likelihood():
    from lifelines import CoxPHFitter

    event, time, x, _ = cohort(seed=1)
    frame = pd.DataFrame({"x": x, "time": time, "event": event})
    fitted = CoxPHFitter().fit(frame, "time", "event")
    loss = CoxLoss()
    eta = torch.tensor(x * fitted.params_["x"])
    value = float(loss(eta, loss.target(make_y(event, time)))) * event.sum()
    assert value == pytest.approx(-fitted.log_likelihood_, rel=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_gradient_by_finite_differences(ties):
    event, time, eta, strata = cohort(12, seed=2)
    loss = CoxLoss(ties)
    target = loss.target(make_y(event, time), strata)
    given_ = torch.tensor(eta, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: loss(e, target), (given_,))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-500, 500))
def test_cox_loss_moves_with_neither_level_nor_order(seed, shift):
    event, time, eta, strata = cohort(25, seed=seed)
    event[0] = True
    loss, rng = CoxLoss(), np.random.default_rng(seed)
    value = loss(torch.tensor(eta), loss.target(make_y(event, time), strata))
    assert torch.isfinite(value)
    assert float(value) >= -1e-12
    order = rng.permutation(25)
    other = loss(
        torch.tensor(eta + shift)[order],
        loss.target(make_y(event[order], time[order]), strata[order]),
    )
    assert float(other) == pytest.approx(float(value), rel=1e-8, abs=1e-10)


def test_cox_loss_survives_extreme_predictions():
    event, time, eta, _ = cohort(seed=3)
    loss = CoxLoss()
    prediction = torch.tensor(eta * 1e4, requires_grad=True)
    value = loss(prediction, loss.target(make_y(event, time)))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(prediction.grad).all()


def test_cox_loss_refuses_what_it_cannot_judge():
    loss = CoxLoss()
    with pytest.raises(NoEvents, match="None of the 3"):
        loss.target(make_y([0, 0, 0], [1, 2, 3]))
    target = loss.target(make_y([1, 0, 0], [1, 2, 3]))
    with pytest.raises(InvalidInput, match=r"shape \(3, 2\) for 3 patients"):
        loss(torch.zeros(3, 2), target)
    with pytest.raises(UnknownName, match="efron"):
        CoxLoss("exact")


def test_logistic_hazard_is_the_likelihood_by_hand():
    logits = torch.tensor([[0.3, -0.2, 0.8]] * 4, dtype=torch.float64)
    hazard = torch.sigmoid(logits[0]).tolist()
    loss = LogisticHazardLoss([1.0, 2.0, 3.0])
    # In the second interval; on its very end; censored within it; past the last one.
    y = make_y([1, 1, 0, 1], [1.5, 2.0, 1.5, 3.5])
    each = [
        np.log(1 - hazard[0]) + np.log(hazard[1]),
        np.log(1 - hazard[0]) + np.log(hazard[1]),
        np.log(1 - hazard[0]),
        sum(np.log(1 - h) for h in hazard),
    ]
    value = float(loss(logits, loss.target(y)))
    assert value == pytest.approx(-np.mean(each), rel=1e-12)


def test_logistic_hazard_is_least_at_the_life_table():
    event, time, _, _ = cohort(200, seed=4, ties=False)
    y = make_y(event, time)
    loss = LogisticHazardLoss(hazard_cuts(y, 5))
    target = loss.target(y).numpy()
    table = target[:, 1].sum(0) / target[:, 0].sum(0)
    free = torch.tensor(np.log(table / (1 - table)), requires_grad=True)
    loss(free.expand(200, 5), torch.tensor(target)).backward()
    np.testing.assert_allclose(free.grad, 0, atol=1e-12)
    curve = survival_of_hazard(free.detach()[None])[0]
    np.testing.assert_allclose(curve, np.cumprod(1 - table), rtol=1e-12)


def test_logistic_hazard_by_finite_differences():
    event, time, _, _ = cohort(10, seed=5)
    y = make_y(event, time)
    loss = LogisticHazardLoss([1.0, 2.0, 4.0])
    target = loss.target(y)
    logits = torch.randn(
        10, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda e: loss(e, target), (logits,))


def test_cuts_share_the_events_and_wrong_ones_are_refused():
    event, time, _, _ = cohort(400, seed=6, ties=False)
    cuts = hazard_cuts(make_y(event, time), 4)
    assert len(cuts) == 4
    assert cuts[-1] == time[event].max()
    for wrong in ([], [0.0, 1.0], [2.0, 1.0]):
        with pytest.raises(InvalidInput, match="rising times above 0"):
            LogisticHazardLoss(wrong)
    with pytest.raises(InvalidInput, match=r"expected \(2, 1\)"):
        LogisticHazardLoss([1.0])(torch.zeros(2, 3), torch.zeros(2, 2, 1))
