"""Work in processes that may die, hang or raise."""

import os
import signal
import threading
import time

import pytest

from sarcfeat.exceptions import InvalidInput, WorkerDied, WorkerTimedOut
from sarcfeat.io.isolation import isolated, isolated_each


def work(shared, item):
    if item == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "hang":
        time.sleep(600)
    if item == "raise":
        raise KeyError(item)
    return shared + item, os.getpid()


def test_values_and_what_was_raised_come_back():
    assert isolated(divmod, 17, 5) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        isolated(divmod, 1, 0)
    with pytest.raises(WorkerDied, match="exit code 3"):
        isolated(os._exit, 3)
    with pytest.raises(InvalidInput, match="cannot be sent to a worker process"):
        isolated(id, threading.Lock())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fault_020_and_021_an_item_costs_itself_only(n_jobs):
    items = ["a", "die", "b", "hang", "c", "raise", "d"]
    answers = list(isolated_each(work, "x", items, n_jobs=n_jobs, timeout=2.0))
    found = {answer.item: answer for answer in answers}
    assert len(answers) == len(items)
    assert [found[item].value[0] for item in "abcd"] == ["xa", "xb", "xc", "xd"]
    assert os.getpid() not in {found[item].value[1] for item in "abcd"}
    assert isinstance(found["die"].error, WorkerDied)
    assert "SIGSEGV: a library crashed" in str(found["die"].error)
    assert isinstance(found["hang"].error, WorkerTimedOut)
    assert isinstance(found["raise"].error, KeyError)


def test_a_worker_is_kept_for_the_next_call():
    assert isolated(os.getpid) == isolated(os.getpid)


def test_work_that_is_given_up_is_ended():
    answers = isolated_each(work, "x", ["a", "hang", "b"])
    assert next(answers).value[0] == "xa"
    start = time.monotonic()
    answers.close()
    assert time.monotonic() - start < 300
    assert isolated(divmod, 7, 2) == (3, 1)
