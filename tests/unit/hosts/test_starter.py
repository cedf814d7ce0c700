"""Processes are started by one thread, with which they end."""

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread, current_thread
from time import sleep

import pytest

from pytest_infer.hosts.gateway import Gateway
from pytest_infer.hosts.starter import Starter

ECHO = "while True: channel.send(channel.receive())"


def test_one_thread_starts_all():
    """Whoever asks gets what was started, and none of them is that thread."""
    starter = Starter()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: starter(current_thread), range(8)))
    assert len(set(found)) == 1
    assert found[0] not in {current_thread(), *threads._threads}
    assert found[0].is_alive()


def test_an_error_is_raised_where_it_was_asked():
    """And the next one is started."""
    starter = Starter()
    with pytest.raises(FileNotFoundError, match="python"):
        starter(lambda: open("/no/such/python"))  # noqa: SIM115, PTH123 - it opens nothing
    assert starter(lambda: 7) == 7


def test_whoever_is_interrupted_waits_for_the_start(monkeypatch):
    """It would close what the process is still to be given."""
    starter, ended = Starter(), []

    def interrupted(_future):
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        starter(lambda: sleep(0.2) or ended.append(True))
    assert ended


def test_a_process_outlives_the_thread_that_wanted_it():
    """A test may time engines in a thread: hosts that are kept are there for the next test."""
    made = []
    thread = Thread(target=lambda: made.append(Gateway("popen", ECHO, timeout_s=60)))
    thread.start()
    thread.join()
    gateway = made[0]
    for number in range(3):
        gateway.send(number)
        assert gateway.receive(10) == number
    gateway.close()
