import logging
import warnings

import SimpleITK

from sarcfeat.encoders.quiet import quiet


def test_says_nothing_keeps_what_was_said_and_restores(capfd):
    logger = logging.getLogger("talkative")
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    itk = SimpleITK.ProcessObject
    threads = itk.GetGlobalDefaultNumberOfThreads()
    root = logging.getLogger().handlers[:]
    with quiet("talkative") as said:
        assert itk.GetGlobalDefaultNumberOfThreads() == 1
        logging.getLogger("talkative.child").error("FAILED: Traceback\n  why: because")
        logger.info("chatter")
        warnings.warn("odd", RuntimeWarning, stacklevel=1)
        warnings.warn("odd", RuntimeWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert said == ["why: because", "odd"]
    assert logger.handlers == [handler]
    assert logger.level == logging.INFO
    assert logger.propagate
    assert logging.getLogger().handlers == root
    assert itk.GetGlobalDefaultNumberOfThreads() == threads
    assert capfd.readouterr() == ("", "")
    logger.removeHandler(handler)
