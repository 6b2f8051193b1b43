"""Every golden case: ``python -m pytest tests/golden --golden DIR``."""

import pytest

from tests.golden import conftest, harness

# A second to a minute each; without a marker expression every case runs all the
# same.
SLOW = (
    "calibration_surv/gbsg2",
    "glmnet_cox/breast_enet05",
    "glmnet_cox/breast_lasso",
    "glmnet_cox/nostd",
    "glmnet_cox/synth_n120_p200_lasso",
    "nomogram_logistic/whas500",
)


def pytest_generate_tests(metafunc):
    root = metafunc.config.getoption("--golden") or conftest.DEFAULT
    cases = [
        pytest.param(
            case, id=case.name, marks=[pytest.mark.slow] if case.name in SLOW else []
        )
        for case in harness.find_cases(root)
    ]
    metafunc.parametrize("case", cases)


def test_golden_case(case):
    module = harness.method_module(case.method)
    if module is None:
        conftest.REPORT.append(f"{case.name}: not implemented")
        pytest.skip(f"not implemented: {case.method}")
    compared, listed, problems = harness.compare(case, module)
    conftest.REPORT.append(
        f"{case.name}: {compared} keys compared, {len(listed)} listed with a reason, "
        f"{len(problems)} wrong"
    )
    assert not problems, "\n".join(problems)
