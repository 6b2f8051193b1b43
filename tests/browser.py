"""Pages opened in Chromium; skipped where there is none, or none that starts."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

SECONDS = 300  # a busy machine may take long to start a browser
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--no-first-run"),
    *("--virtual-time-budget=4000", "--enable-logging=stderr", "--dump-dom"),
)


def opened(page):
    """Return what Chromium says of a page: the document, after its scripts ran."""
    why = trouble()
    if why:
        pytest.skip(why)
    return tried(page.as_uri()) or run(page.as_uri())


@functools.cache
def trouble():
    """Return why no page can be opened on this machine, or nothing."""
    if shutil.which("chromium") is None:
        return "Chromium is not installed, so no page was opened"
    if tried("about:blank") is None and tried("about:blank") is None:
        return "Chromium is installed but does not start, so no page was opened"
    return ""


def tried(address):
    """Open an address; None where the browser broke, as it does now and then."""
    try:
        return run(address)
    except (OSError, subprocess.SubprocessError):
        return None


def run(address):
    # Of two browsers with one profile, the second hands its page to the first.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        done = subprocess.run(
            ["chromium", *FLAGS, f"--user-data-dir={Path(folder)}", address],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=True,
        )
    if "</html>" not in done.stdout:
        raise subprocess.SubprocessError(f"no document: {done.stderr[-500:]}")
    return done
