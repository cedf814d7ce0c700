"""A process that cannot be asked again is ended: broken off, or its GPU lost."""

from __future__ import annotations

import re
from errno import EMFILE
from math import inf
from typing import TYPE_CHECKING

import pytest

from pytest_infer.errors import BuildError, HostError, LoadError, RunError
from pytest_infer.hosts import process_host
from pytest_infer.hosts.gateway import NoGatewayError
from pytest_infer.hosts.process_host import LOST_GPU, ProcessHost
from pytest_infer.models.source import Source
from pytest_infer.storage.lock_wait import listen, stop_listening

if TYPE_CHECKING:
    from pathlib import Path

LOSING = """
from pytest_infer.engines import registry as engines
from pytest_infer.errors import BuildError
from pytest_infer.hosts import server
from pytest_infer.testing import FakeEngine

LOST = RuntimeError("CUDA error: an illegal memory access was encountered")


class Losing(FakeEngine):
    @property
    def libraries(self):
        server.has_lost_gpu = lambda: {is_lost}
        raise {error}


engines.register(Losing("losing"))
"""
"""An engine that fails, in a process of which the driver says whether its GPU is lost."""

KNOWN = 'BuildError("cannot parse", why="illegal memory access", mend="another graph")'


@pytest.mark.parametrize("is_raised_first", [True, False])
def test_too_many_open_files(monkeypatch: pytest.MonkeyPatch, is_raised_first: bool) -> None:
    """The mend is another limit, not another Python."""

    def full(*_: object, **__: object) -> None:
        lack = OSError(EMFILE, "Too many open files")
        if is_raised_first:
            raise lack
        raise NoGatewayError(str(lack)) from lack

    monkeypatch.setattr(process_host, "Gateway", full)
    with pytest.raises(HostError, match="Too many open files") as caught:
        ProcessHost("popen", timeout_s=60)
    assert caught.value.mend == "allow more open files: ulimit -n 4096"


def test_interrupted_request_ends_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a call: whoever goes on gets a new host, not the answer to the old question."""
    host = ProcessHost("popen", timeout_s=60)
    ask = {"error": LoadError, "doing": "ask", "engine": "eager"}
    try:
        assert host.call("engine.runtime", **ask)
        monkeypatch.setattr(host._gateway, "receive", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            host.call("engine.runtime", **ask)
        assert not host.is_alive
        monkeypatch.undo()
        with pytest.raises(LoadError, match="cannot ask"):
            host.call("engine.missing", device="cpu", **ask)
    finally:
        host.close()


@pytest.fixture
def failed(tmp_path: Path):
    """Let an engine fail; return its error, and whether the host can be asked again."""
    hosts = []

    def call(error: str, *, is_lost: bool) -> tuple[Exception, bool]:
        file = tmp_path / "losing.py"
        file.write_text(LOSING.format(is_lost=is_lost, error=error))
        host = ProcessHost("popen", timeout_s=60)
        hosts.append(host)
        ask = {"error": RunError, "doing": "run it"}
        host.call("host.import_sources", sources=[Source("losing", str(file))], **ask)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever it is, it is returned
            host.call("engine.runtime", engine="losing", **ask)
        return caught.value, host.is_alive

    yield call
    for host in hosts:
        host.close()


def test_lost_gpu_ends_the_host(failed) -> None:
    """CUDA refuses all that comes after an illegal access, and only a new process helps."""
    error, is_alive = failed("LOST", is_lost=True)
    assert not is_alive
    assert isinstance(error, RunError)
    assert error.why.startswith("RuntimeError: CUDA error: an illegal memory access")
    assert "in libraries" in error.why
    assert error.mend == LOST_GPU


def test_gpu_lost_behind_a_known_error(failed) -> None:
    """An error that an adapter explains stays as it is; the host ends all the same."""
    error, is_alive = failed(KNOWN, is_lost=True)
    assert not is_alive
    assert (type(error), error.mend) == (BuildError, "another graph")


def test_host_with_a_healthy_gpu_goes_on(failed) -> None:
    """Out of memory, say: the error has its debugger's mend, and the host is asked again."""
    error, is_alive = failed('RuntimeError("CUDA out of memory")', is_lost=False)
    assert is_alive
    assert error.mend == "rerun this case with --infer-host=ENGINE=inline under a debugger"


def test_time_stands_still_while_the_host_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host says of a lock that it waits for is passed on, and is not the engine's time."""
    host = ProcessHost("popen", timeout_s=60)
    messages = iter(
        [
            {"waiting": "it is held", "is_over": False},
            {"waiting": "it is held still", "is_over": False},
            {"waiting": "it is free", "is_over": True},
            {"result": 7},
        ]
    )
    allowed: list[float] = []
    told: list[tuple[str, bool]] = []

    def receive(timeout_s: float) -> object:
        allowed.append(timeout_s)
        return next(messages)

    def tell(line: str, is_over: bool) -> None:
        told.append((line, is_over))

    monkeypatch.setattr(host._gateway, "receive", receive)
    listen(tell)
    try:
        assert host.call("engine.runtime", error=LoadError, doing="ask", engine="eager") == 7
    finally:
        stop_listening(tell)
        monkeypatch.undo()
        host.close()
    assert allowed == [60, inf, inf, 60]
    assert told == [("it is held", False), ("it is held still", False), ("it is free", True)]


ENDS = {
    "os._exit(0)": "left with exit status 0: something in it called exit",
    "os._exit(3)": "left with exit status 3: something in it called exit",
    "os.kill(os.getpid(), 15)": "died: killed by SIGTERM",
    "os.abort()": "died: killed by SIGABRT\nFatal Python error: Aborted",
}


@pytest.mark.parametrize("code", ENDS)
def test_how_it_ended(tmp_path: Path, code: str) -> None:
    """A host's exit status or signal is reported, though its keeper is what was waited for."""
    file = tmp_path / "ends.py"
    file.write_text(f"import os\n{code}\n")
    host = ProcessHost("popen", timeout_s=60)
    with pytest.raises(RunError) as caught:
        host.call(
            "host.import_sources", error=RunError, doing="run", sources=[Source("", str(file))]
        )
    assert re.match(rf"its engine host (has )?{re.escape(ENDS[code])}", caught.value.why)


THREADS = """
import os, threading, time
for _ in range(12):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
os.abort()
"""


def test_where_it_crashed(tmp_path: Path) -> None:
    """Of many threads the one that crashed is shown."""
    file = tmp_path / "ends.py"
    file.write_text(THREADS)
    host = ProcessHost("popen", timeout_s=60)
    with pytest.raises(RunError) as caught:
        host.call(
            "host.import_sources", error=RunError, doing="run", sources=[Source("", str(file))]
        )
    _, signal, thread, call, *_ = caught.value.why.splitlines()
    assert signal == "Fatal Python error: Aborted"
    assert thread.startswith("Current thread 0x")
    assert f'File "{file}", line 5 in <module>' in call


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        (3, 4, "and the kernel has ended a process for lack of memory since the host started"),
        (3, 3, "not by the kernel for lack of memory"),
        (None, None, "perhaps by the kernel for lack of memory"),
    ],
)
def test_who_has_killed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, now: int, word: str
) -> None:
    """Lack of memory is named where the kernel says so, or says nothing."""
    counts = iter([before, now])
    monkeypatch.setattr("pytest_infer.hosts.process_host.memory_kills", lambda: next(counts))
    file = tmp_path / "dies.py"
    file.write_text("import os\nos.kill(os.getpid(), 9)\n")
    host = ProcessHost("popen", timeout_s=60)
    with pytest.raises(RunError) as caught:
        host.call(
            "host.import_sources", error=RunError, doing="run", sources=[Source("", str(file))]
        )
    assert caught.value.why == f"its engine host died: killed by SIGKILL, {word}"


def _interrupt(_timeout_s: float) -> None:
    raise KeyboardInterrupt
