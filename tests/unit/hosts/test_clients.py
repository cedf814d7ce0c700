"""What callers can ask of a host is what a host can do, by the same names and types."""

import re
from inspect import Parameter, getmembers, isfunction, signature
from pathlib import Path

import pytest

import pytest_infer
from pytest_infer.activity import AHEAD, START, WAIT
from pytest_infer.errors import CacheError, InferError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.hosts.file_client import FileClient
from pytest_infer.hosts.graph_client import GraphClient
from pytest_infer.hosts.host_client import HostClient
from pytest_infer.hosts.model_client import ModelClient
from pytest_infer.hosts.operations import Operations
from pytest_infer.plugin.durations import KINDS

CLIENTS = {
    "engine": EngineClient,
    "files": FileClient,
    "graph": lambda host: GraphClient(lambda: host),
    "host": HostClient,
    "model": lambda host: ModelClient(lambda: host),
}
GROUPS = {name: type(group) for name, group in Operations()._groups.items()}
CALLERS_OWN = {"doing", "error"}
"""What a client takes besides an operation's own parameters."""


class AskedError(Exception):
    """Ends a call before there is an answer to convert."""


class Host:
    """Writes down what it is asked, and answers nothing."""

    def __init__(self):
        self.asked = []

    def call(self, operation, /, *, error, doing, **arguments):
        """Write down one operation."""
        self.asked.append((operation, error, doing, arguments))
        raise AskedError


def public(kind):
    """Return a class's public methods by name."""
    return {name: each for name, each in getmembers(kind, isfunction) if not name.startswith("_")}


def client_of(group, host=None):
    """Return the client of a group of operations."""
    return CLIENTS[group](host)


OPERATIONS = [(group, name) for group, kind in GROUPS.items() for name in public(kind)]


def sides(group, name):
    """Return the signatures of a client's method and of its operation."""
    return signature(public(type(client_of(group)))[name]), signature(public(GROUPS[group])[name])


def test_every_operation_has_a_method():
    """No client can ask for what no host can do, and nothing of what it can do is left out."""
    for group, kind in GROUPS.items():
        assert public(type(client_of(group))).keys() == public(kind).keys()


@pytest.mark.parametrize(("group", "name"), OPERATIONS)
def test_parameters_are_the_operations_own(group, name):
    """Names, order and defaults are the same; all are named when a client is asked."""
    client, operation = sides(group, name)
    assert {"doing"} <= client.parameters.keys() - operation.parameters.keys() <= CALLERS_OWN
    own = [each for each in client.parameters.values() if each.name not in CALLERS_OWN]
    assert [(each.name, each.default) for each in own] == [
        (each.name, each.default) for each in operation.parameters.values()
    ]
    assert {each.kind for each in own[1:]} <= {Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(("group", "name"), OPERATIONS)
def test_types_are_the_operations_own(group, name):
    """Results have one type; so have arguments, but for dataclasses that come as dicts."""
    client, operation = sides(group, name)
    assert client.return_annotation == operation.return_annotation
    for each in list(operation.parameters.values())[1:]:
        if "dict[str, Any]" not in each.annotation and not each.annotation.startswith("list["):
            assert client.parameters[each.name].annotation == each.annotation


@pytest.mark.parametrize(("group", "name"), OPERATIONS)
def test_what_is_asked(group, name):
    """A method asks for the operation of its name, with its arguments as they are."""
    host = Host()
    _, operation = sides(group, name)
    given = {each: [each] for each in list(operation.parameters)[1:]}
    with pytest.raises(AskedError):
        getattr(client_of(group, host), name)(**given, doing="ask")
    ((asked, error, doing, arguments),) = host.asked
    assert (asked, doing, arguments) == (f"{group}.{name}", "ask", given)
    assert issubclass(error, InferError)
    assert error is not InferError


def test_stage_that_the_caller_decides():
    """Outputs are computed by tests and by timers: either says whose error it is."""
    host = Host()
    with pytest.raises(AskedError):
        EngineClient(host).infer(runner=1, feeds={}, doing="time", error=CacheError)
    assert host.asked[0][1] is CacheError


def test_a_model_is_asked_of_the_host_that_lives():
    """The host is looked up for each call."""
    hosts = [Host(), Host()]
    client = ModelClient(iter(hosts).__next__)
    for _ in hosts:
        with pytest.raises(AskedError):
            client.labels(model="net", doing="ask")
    assert [len(host.asked) for host in hosts] == [1, 1]


def test_nothing_but_clients_names_an_operation():
    """Elsewhere no string is the name of an operation, but where they are put into words."""
    operations = "|".join(f"{group}[.]{name}" for group, name in OPERATIONS)
    quoted = re.compile(f"[\"'](?:{operations})[\"']|[\"'](?:{'|'.join(GROUPS)})[.]{{")
    folder = Path(pytest_infer.__file__).parent
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if quoted.search(path.read_text())
    }
    names = ("engine", "file", "graph", "host", "model")
    clients = {f"hosts/{name}_client.py" for name in names}
    assert found == clients | {"plugin/durations.py"}


def test_words_are_of_operations():
    """Each kind of activity that is put into words is one that there is."""
    there = {f"{group}.{name}" for group, name in OPERATIONS} | {AHEAD, START, WAIT}
    assert set(KINDS) <= there
