"""Eager mode stays open for a series of references, and else for one call."""

from types import SimpleNamespace

import pytest

from pytest_infer.session.opened_eager import OpenedEager


class Host:
    """Counts what is open."""

    def __init__(self):
        self.is_alive, self.calls = True, []

    def call(self, operation, /, *, error, doing, **arguments):
        """Answer one operation."""
        assert error
        assert doing
        if operation == "engine.open":
            self.calls.append(f"open {arguments['built']}")
            return arguments["built"]
        self.calls.append(f"{operation.removeprefix('engine.')} {arguments['runner']}")
        if arguments.get("feeds") == "bad":
            raise ValueError
        return {}


@pytest.fixture
def host():
    """A host."""
    return Host()


@pytest.fixture
def eager(host):
    """Eager mode in it."""
    return OpenedEager(SimpleNamespace(shared=lambda _: host))


def test_a_single_reference(eager, host):
    """It is opened and closed."""
    eager.outputs("fp64", "feeds", "compute")
    assert host.calls == ["open fp64", "infer fp64", "close fp64"]


def test_a_series(eager, host):
    """Both precisions are opened once, and closed at the end."""
    with eager.kept():
        for _ in range(3):
            eager.outputs("fp64", "feeds", "compute")
            eager.outputs("fp16", "feeds", "compute")
    assert host.calls.count("open fp64") == host.calls.count("open fp16") == 1
    assert host.calls[-2:] == ["close fp64", "close fp16"]
    assert len(host.calls) == 10


def test_closed_after_an_error(eager, host):
    """Neither a call nor a series that fails leaves anything open."""
    with pytest.raises(ValueError):  # noqa: PT011 - the double's own
        eager.outputs("fp64", "bad", "compute")
    assert host.calls[-1] == "close fp64"
    with pytest.raises(ValueError), eager.kept():  # noqa: PT011
        eager.outputs("fp64", "bad", "compute")
    assert host.calls[-1] == "close fp64"


def test_a_host_that_died(eager, host):
    """What it had open has gone, and is opened again."""
    with eager.kept():
        eager.outputs("fp64", "feeds", "compute")
        host.is_alive = False
        eager.outputs("fp64", "feeds", "compute")
    assert host.calls == ["open fp64", "infer fp64", "open fp64", "infer fp64"]
