"""The ``--golden DIR`` option and the closing report of the golden harness."""

from pathlib import Path

DEFAULT = Path(__file__).parent / "cases"
REPORT = []


def pytest_terminal_summary(terminalreporter):
    if not REPORT:
        return
    terminalreporter.section("golden values")
    for line in sorted(REPORT):
        terminalreporter.write_line(line)
