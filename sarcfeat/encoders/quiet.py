"""Run a talkative library without a line on the screen, and keep what it said."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

# Said on every run, true by definition or decided by the parameter file.
_KNOWN = (
    "GLCM is symmetrical, therefore Sum Average",
    "Fixed bin Count enabled!",
)


class _Collector(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.said = said

    def emit(self, record: logging.LogRecord) -> None:
        # A logged traceback says what went wrong in its last line.
        self.said.append(record.getMessage().strip().splitlines()[-1].strip())


@contextmanager
def quiet(logger_name: str) -> Iterator[list[str]]:
    """Collect a library's log lines and Python warnings instead of showing them.

    The logger's level, handlers and propagation, SimpleITK's thread count (1 inside:
    parallelism is over patients) and its C++ warnings are as before afterwards.

    Parameters
    ----------
    logger_name : str
        The library's top logger.

    Yields
    ------
    list of str
        Filled, without repeats, when the block ends. Deprecations are left out: they
        are for developers.
    """
    import SimpleITK

    logger = logging.getLogger(logger_name)
    before = (logger.level, logger.handlers[:], logger.propagate)
    itk = SimpleITK.ProcessObject
    threads = itk.GetGlobalDefaultNumberOfThreads()
    display = itk.GetGlobalWarningDisplay()
    heard: list[str] = []
    said: list[str] = []
    try:
        logger.handlers, logger.propagate = [_Collector(heard)], False
        logger.setLevel(logging.WARNING)
        itk.SetGlobalDefaultNumberOfThreads(1)
        itk.SetGlobalWarningDisplay(False)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
    finally:
        logger.setLevel(before[0])
        logger.handlers, logger.propagate = before[1], before[2]
        itk.SetGlobalDefaultNumberOfThreads(threads)
        itk.SetGlobalWarningDisplay(display)
    heard += [
        str(w.message).strip()
        for w in caught
        if not issubclass(w.category, (DeprecationWarning, PendingDeprecationWarning))
    ]
    said += [s for s in dict.fromkeys(heard) if not s.startswith(_KNOWN)]
