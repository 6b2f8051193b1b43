"""Every golden case: ``python -m pytest tests/golden --golden DIR``."""

import pytest

from tests.golden import conftest, harness


def pytest_generate_tests(metafunc):
    root = metafunc.config.getoption("--golden") or conftest.DEFAULT
    cases = harness.find_cases(root)
    metafunc.parametrize("case", cases, ids=[case.name for case in cases])


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
