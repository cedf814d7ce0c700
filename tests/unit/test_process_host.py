"""A request that is broken off leaves no answer behind for the next one."""

from __future__ import annotations

import pytest

from pytest_infer.errors import LoadError
from pytest_infer.hosts.process_host import ProcessHost


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


def _interrupt(_timeout_s: float) -> None:
    raise KeyboardInterrupt
