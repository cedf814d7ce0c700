"""How hosts are started, and which GPU they see."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from time import monotonic, sleep
from types import SimpleNamespace

import pytest

from pytest_infer.errors import HostError
from pytest_infer.hosts import host_role, pool
from pytest_infer.hosts.host_role import HostRole
from pytest_infer.hosts.pool import HostPool
from pytest_infer.storage.cache import Cache


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Return the environment of an engine's host, and the GPUs of this place.

    A host is fresh, for a measurement, unless it ``is_shared``.
    """

    def call(specs, engine, *, gpu="", threads=0, is_shared=False):
        asked = []

        def start(spec, *, environment, **_):
            asked.append((spec, environment))
            return SimpleNamespace(close=lambda: None, is_alive=True)

        monkeypatch.setattr(pool, "start_host", start)
        made = HostPool(
            specs,
            timeout_s=1,
            sources=list,
            cache=Cache(tmp_path),
            guard=lambda _: nullcontext(),
            gpu=gpu,
        )
        if is_shared:
            made.shared(engine)
        else:
            with made.fresh(engine, threads):
                pass
        ((spec, environment),) = asked
        assert spec == specs.get(engine, "popen")
        return environment, made.here.gpus

    return call


def test_a_host_here_sees_its_workers_gpu(started):
    """So the device is cuda:0 for every worker; another interpreter here is bound as well."""
    bound = {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert started({}, "ort", gpu="GPU-b") == (bound, ("GPU-b",))
    assert started({"trt": "popen//python=/opt/python"}, "trt", gpu="GPU-b")[0] == bound


@pytest.mark.parametrize("spec", ["ssh=me@jetson", "popen//env:CUDA_VISIBLE_DEVICES=3", "inline"])
def test_a_host_that_is_not_bound(started, spec):
    """Another machine has other GPUs; what a user says of a host stays so."""
    assert started({"ort": spec}, "ort", gpu="GPU-b")[0] == {}


def test_a_host_of_few_threads(started):
    """Libraries find the number in their environment."""
    assert started({}, "ort", threads=1)[0] == dict.fromkeys(host_role.THREADS, "1")


@pytest.mark.parametrize("spec", ["popen", "ssh=me@jetson"])
def test_the_environment_where_nothing_is_timed(started, monkeypatch, spec):
    """Threads do not spin, and memory is kept; a measurement has both as libraries have them."""
    for name in host_role.UNTIMED:
        monkeypatch.delenv(name, raising=False)
    assert started({"ort": spec}, "ort", is_shared=True)[0] == host_role.UNTIMED
    assert started({"ort": spec}, "ort")[0] == {}
    assert host_role.UNTIMED["OMP_WAIT_POLICY"] == "passive"


@pytest.mark.parametrize("name", host_role.UNTIMED)
def test_what_a_user_says_of_the_environment(started, monkeypatch, name):
    """By the environment of pytest, or by that of a host."""
    for each in host_role.UNTIMED:
        monkeypatch.delenv(each, raising=False)
    others = {each: value for each, value in host_role.UNTIMED.items() if each != name}
    assert started({"ort": f"popen//env:{name}=1"}, "ort", is_shared=True)[0] == others
    monkeypatch.setenv(name, "1")
    assert started({}, "ort", is_shared=True)[0] == others


def test_calls_of_a_measurement(monkeypatch, tmp_path):
    """Each shows those who wait for the device that the measurement goes on."""
    seen = []
    host = SimpleNamespace(place="here", call=lambda *_, **__: seen.append("call"), close=list)
    monkeypatch.setattr(pool, "start_host", lambda *_, **__: host)

    @contextmanager
    def measuring(place):
        seen.append(place)
        yield

    made = HostPool(
        {}, timeout_s=1, sources=list, cache=Cache(tmp_path), guard=None, fresh_guard=measuring
    )
    with made.fresh("ort") as fresh:
        fresh.call("engine.time", error=None, doing="time")
        fresh.call("engine.time", error=None, doing="time")
    assert seen == ["here", "call", "here", "call"]


def test_a_companion_is_kept_until_an_error(monkeypatch, tmp_path):
    """What failed may still run there, so nobody else is answered by that process."""
    started, ended = [], []

    class Started:
        def __init__(self, spec, **_):
            self.is_alive, self.place = True, "here"
            started.append(spec)

        def close(self):
            self.is_alive = False
            ended.append(self)

    monkeypatch.setattr(pool, "start_host", Started)
    made = HostPool({}, timeout_s=1, sources=list, cache=Cache(tmp_path), guard=None)
    assert not made.has_companion("eager")
    for _ in range(2):
        with made.companion("eager"):
            assert made.has_companion("eager")
    assert (len(started), len(ended)) == (1, 0)
    with pytest.raises(KeyError), made.companion("eager"):
        raise KeyError
    assert not made.has_companion("eager")
    with made.companion("eager"):
        pass
    assert (len(started), len(ended)) == (2, 1)
    made.close()
    assert len(ended) == 2


class Hosts:
    """Stands for processes: notes which were started, and what each of them was asked."""

    def __init__(self):
        self.started = []

    def start(self, _spec, *, environment, **_):
        """Start one."""
        host = StartedHost(environment)
        self.started.append(host)
        return host

    def wait_until(self, is_so):
        """Wait for what a thread does."""
        end_s = monotonic() + 60
        while not is_so():
            assert monotonic() < end_s
            sleep(0.01)


class StartedHost:
    """One of them."""

    def __init__(self, environment):
        self.environment = environment
        self.is_alive, self.place, self.asked = True, "here", []
        self.has_died = False

    def call(self, operation, /, *, error, doing, **arguments):
        """Answer, unless it has died."""
        if self.has_died:
            raise error(f"cannot {doing}", why="its engine host died", mend="")
        self.asked.append((operation, arguments.get("engine")))
        return []

    def close(self):
        """End."""
        self.is_alive = False


@pytest.fixture
def hosts(monkeypatch):
    """Hosts that are started."""
    found = Hosts()
    monkeypatch.setattr(pool, "start_host", found.start)
    return found


@pytest.fixture
def pooled(hosts, tmp_path):
    """Return a pool; it ends with the test."""
    made = []

    def call(specs=None):
        made.append(
            HostPool(
                specs or {},
                timeout_s=1,
                sources=list,
                cache=Cache(tmp_path),
                guard=lambda _: nullcontext(),
            )
        )
        return made[-1]

    yield call
    for each in made:
        each.close()
    assert not any(each.is_alive for each in hosts.started)


IMPORT = "engine.import_libraries"


@pytest.mark.parametrize("role", ["shared", "beside", "companion", "fresh"])
def test_a_host_is_begun_ahead(pooled, hosts, role):
    """Its libraries are imported; whoever needs it gets that one, and the next one another."""
    made = pooled()
    made.begin([HostRole("ort", role)])
    hosts.wait_until(lambda: hosts.started and hosts.started[0].asked == [(IMPORT, "ort")])
    ways = {
        "shared": lambda: nullcontext(made.shared("ort")),
        "beside": lambda: nullcontext(made.beside("ort")),
        "companion": lambda: made.companion("ort"),
        "fresh": lambda: made.fresh("ort"),
    }
    for _ in range(2):
        with ways[role]() as host:
            host.call("engine.open", error=None, doing="open")
    assert hosts.started[0].asked[:3] == [(IMPORT, "ort")] * 2 + [("engine.open", None)]
    assert len(hosts.started) == (2 if role == "fresh" else 1)
    timed = role in {"companion", "fresh"}
    assert (hosts.started[0].environment == {}) is timed


def test_a_host_with_its_own_threads_is_not_begun_ahead(pooled, hosts):
    """One that was begun has other threads, and waits for another."""
    made = pooled()
    made.begin([HostRole("ort", "fresh")])
    hosts.wait_until(lambda: hosts.started and hosts.started[0].asked)
    with made.fresh("ort", threads=1):
        assert hosts.started[1].environment == dict.fromkeys(host_role.THREADS, "1")
    with made.fresh("ort"):
        assert len(hosts.started) == 2


def test_a_host_that_runs_already_imports(pooled, hosts):
    """No second one is started."""
    made = pooled()
    made.shared("ort")
    made.begin([HostRole("ort", "shared")])
    hosts.wait_until(lambda: hosts.started[0].asked == [(IMPORT, "ort")])
    assert len(hosts.started) == 1


def test_a_host_that_is_needed_before_its_turn(pooled, hosts):
    """It is started at once, and imports in its turn."""
    made = pooled()
    with made.paused():
        made.begin([HostRole("eager", "shared"), HostRole("ort", "shared")])
        made.shared("ort")
        assert [each.asked for each in hosts.started] == [[]]
    hosts.wait_until(lambda: hosts.started[0].asked == [(IMPORT, "ort")])
    assert [each.asked for each in hosts.started[1:]] == [[(IMPORT, "eager")]]


def test_a_host_begun_ahead_that_has_died(pooled, hosts):
    """Another one is started."""
    made = pooled()
    made.begin([HostRole("ort", "shared")])
    hosts.wait_until(lambda: hosts.started and hosts.started[0].asked)
    hosts.started[0].has_died = True  # of which its caller has not heard
    host = made.shared("ort")
    assert host.is_alive
    assert host.call("engine.open", error=HostError, doing="open") == []
    assert [each.is_alive for each in hosts.started] == [False, True]


@pytest.mark.parametrize("spec", ["inline", "ssh=me@jetson", "socket=jetson:8888"])
def test_hosts_that_are_not_begun_ahead(pooled, hosts, spec):
    """Those that are this process, or on other machines."""
    made = pooled({"ort": spec})
    made.begin([HostRole("ort", "shared"), HostRole("eager", "shared")])
    hosts.wait_until(lambda: hosts.started and hosts.started[0].asked)
    assert [each.asked for each in hosts.started] == [[(IMPORT, "eager")]]


def test_a_pool_ends_what_nobody_has_taken(pooled, hosts):
    """Hosts that were begun ahead end with the others, by the fixture."""
    made = pooled()
    made.begin([HostRole("ort", "fresh"), HostRole("eager", "companion")])
    hosts.wait_until(lambda: len(hosts.started) == 2 and hosts.started[1].asked)


@pytest.mark.usefixtures("hosts")
def test_one_call_at_a_time(pooled, monkeypatch):
    """A process answers one thread after the other."""
    made, running, most = pooled(), [], []

    def call(_self, operation, /, **_):
        running.append(operation)
        most.append(len(running))
        sleep(0.02)
        running.remove(operation)

    monkeypatch.setattr(StartedHost, "call", call)
    host = made.shared("ort")
    with ThreadPoolExecutor(4) as threads:
        for number in range(8):
            way = host if number % 2 else made.alone("ort")
            threads.submit(way.call, "engine.infer", error=None, doing="run")
    assert most == [1] * 8
