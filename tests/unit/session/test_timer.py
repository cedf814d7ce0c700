"""The order, warm-up and number of timed calls, on hosts and a clock that are not real."""

from contextlib import contextmanager
from threading import Barrier, current_thread, main_thread
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_infer.case import Case
from pytest_infer.engines import registry
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine
from pytest_infer.errors import LoadError, TimingError
from pytest_infer.session import timed_arm
from pytest_infer.session.timed_arm import CallCounts
from pytest_infer.session.timer import GpuTimer
from pytest_infer.timing.split import Split

MS = 1_000_000
FEEDS = {"x": np.zeros((1, 3))}


class FakeHost:
    """Answers as a host whose engine takes a fixed time, and writes down what it was asked."""

    def __init__(self, engine, world):
        self.engine, self.world = engine, world
        self.place = SimpleNamespace(machine=f"machine of {engine}")

    def call(self, operation, /, *, error, doing, **arguments):
        """Return what a host would."""
        self.world.calls.append((self.engine, operation, arguments.get("calls")))
        self.world.errors[operation] = (error, doing)
        self.world.cold_l2.append(arguments.get("cold_l2"))
        if self.world.opening and operation == "engine.open":
            self.world.opening(self.engine)
        self.world.copies.append(arguments.get("copies"))
        fixed = {
            "engine.open": 1,
            "engine.infer": {"y": np.zeros(3)},
            "engine.look": {"timed": self.world.timed_outputs, "after": {"y": np.zeros(3)}},
            "engine.resources": {"load_s": 0.5},
        }
        if operation in fixed:
            return fixed[operation]
        if operation == "engine.split":
            assert arguments["feeds"] is FEEDS
            return {"monotonic": [self.world.durations_ns[self.engine]] * arguments["calls"]}
        if operation != "engine.time":
            return None
        duration_ns = self.world.durations_ns[self.engine]
        self.world.now_s += arguments["calls"] * duration_ns / 1e9
        taken = [duration_ns] * arguments["calls"]
        if self.world.has_events:
            events, enqueue = [each // 2 for each in taken], [each // 4 for each in taken]
            return {"cuda-event": events, "monotonic": taken, "enqueue": enqueue}
        return {"monotonic": taken}


class World:
    """A pool of fake hosts, a fake clock and a fake lock."""

    def __init__(self, has_events=False, **durations_ns):
        self.durations_ns, self.has_events = durations_ns, has_events
        self.calls, self.errors, self.started, self.now_s = [], {}, [], 0.0
        self.held, self.cold_l2, self.copies, self.pauses = [], [], [], []
        self.timed_outputs = {"y": np.zeros(3)}
        self.opening = None

    @contextmanager
    def fresh(self, engine):
        """Start a host, inside the lock."""
        assert self.held[-1] == "locked"
        self.started.append(engine)
        try:
            yield FakeHost(engine, self)
        finally:
            self.started.append(f"end of {engine}")

    @contextmanager
    def companion(self, engine):
        """Lend a host that is kept, inside the lock."""
        assert self.held[-1] == "locked"
        self.started.append(f"kept {engine}")
        yield FakeHost(engine, self)

    def has_companion(self, engine):
        """Return whether one was lent before."""
        return f"kept {engine}" in self.started

    def is_inline(self, _engine):
        """Say so unless engines are to be opened at once."""
        return not self.opening

    @contextmanager
    def exclusive(self, engines):
        """Hold the engines' devices alone; return what starts no host ahead from then on."""
        self.engines = engines
        self.held.append("locked")
        yield lambda: self.pauses.append(len(self.calls))
        self.held.append("free")

    def timed(self, engine):
        """Return how many calls each request to time an engine had."""
        asked = (engine, "engine.time")
        return [calls for name, what, calls in self.calls if (name, what) == asked]


def on(device, name, settings=None, batch=1):
    """Return an engine on a device, as a test gets it."""
    request = BuildRequest("fp32", device, {}, options=settings or {})
    case = Case("toy", name, "fp32", batch, device, tuple((settings or {}).items()))
    return SimpleNamespace(case=case, built=BuiltEngine(name, None, request, ""))


def engine(name, batch=1):
    """Return an engine on a CPU, as a test gets it."""
    return on("cpu", name, batch=batch)


@pytest.fixture(autouse=True)
def no_adapters(monkeypatch):
    """Let engines that are not real have no adapter."""
    find, real = registry.find, {"torchscript", "eager", "ort"}
    monkeypatch.setattr(registry, "find", lambda name: find(name) if name in real else None)


@pytest.fixture
def measure(monkeypatch):
    """Time engines in a world, and return their samples."""

    def run(world, *names, **counts):
        monkeypatch.setattr(timed_arm, "monotonic", lambda: world.now_s)
        gpu_timer = GpuTimer(world, CallCounts(**counts), world.exclusive)
        return gpu_timer.interleaved([name and engine(name) for name in names], FEEDS)

    return run


def test_number_of_calls(measure):
    """The calls asked for are spread over 5 rounds; each round drops a call before it."""
    world = World(a=MS)
    (samples,) = measure(world, "a", warmup=3, calls=100)
    assert world.timed("a") == [1, 1, 1] + [1, 20] * 5
    assert (len(samples.durations_ns), samples.warmup_calls) == (100, 3)


@pytest.mark.parametrize("calls", [1, 5, 7, 100])
def test_as_many_calls_as_asked(measure, calls):
    """The first rounds have one call more where 5 does not divide the number."""
    (samples,) = measure(World(a=MS), "a", warmup=0, calls=calls)
    assert len(samples.durations_ns) == calls


def test_look_at_what_was_timed(measure):
    """Once all is timed, outputs are compared with those of before."""
    world = World(a=MS)
    (samples,) = measure(world, "a", warmup=0, calls=5)
    assert (samples.look.is_seen, samples.look.others) == (True, {})
    asked = [operation for _, operation, _ in world.calls]
    assert asked[:3] == ["engine.open", "engine.infer", "engine.bind"]
    assert asked[-1] == "engine.look"
    assert "engine.look" not in asked[:-1]
    world.timed_outputs = {"y": np.ones(3)}
    (samples,) = measure(world, "a", warmup=0, calls=5)
    assert samples.look.others["the timed call"]["y"].tolist() == [1, 1, 1]
    world.timed_outputs = None
    assert not measure(world, "a", warmup=0, calls=5)[0].look.is_seen


def test_one_call_per_round(measure):
    """A round of a single call drops none before it."""
    world = World(a=MS)
    measure(world, "a", warmup=0, calls=5)
    assert world.timed("a") == [1] * 5


@pytest.mark.parametrize(
    ("duration_ns", "calls"),
    [(MS, 100), (30 * MS, 66), (100 * MS, 20), (10_000 * MS, 5)],
)
def test_speed_decides(measure, duration_ns, calls):
    """Unless told, as many calls as 2 s hold, at least 5 and at most 100."""
    (samples,) = measure(World(a=duration_ns), "a", warmup=1)
    assert len(samples.durations_ns) == calls


def test_no_warm_up(measure):
    """Without warm-up the speed is still known from a call, which is not timed."""
    world = World(a=100 * MS)
    (samples,) = measure(world, "a", warmup=0)
    assert samples.warmup_calls == 0
    assert world.timed("a") == [1] + [1, 4] * 5


@pytest.mark.parametrize(("duration_ns", "calls"), [(10_000 * MS, 2), (100 * MS, 5), (250 * MS, 2)])
def test_warm_up_lasts(measure, duration_ns, calls):
    """Unless told, an engine is warm after half a second and two calls."""
    (samples,) = measure(World(a=duration_ns), "a", calls=5)
    assert samples.warmup_calls == calls


def test_interleaved(measure):
    """All are warm before the first is timed; then each round has every engine once, shuffled."""
    world = World(a=MS, b=2 * MS, c=3 * MS)
    samples = measure(world, "a", "b", "c", warmup=1, calls=5)
    timed = [name for name, what, _ in world.calls if what == "engine.time"]
    assert timed[:3] == ["a", "b", "c"]
    rounds = [tuple(timed[start : start + 3]) for start in range(3, 18, 3)]
    assert all(set(each) == {"a", "b", "c"} for each in rounds)
    assert len(set(rounds)) > 1
    assert [each.durations_ns[0] for each in samples] == [MS, 2 * MS, 3 * MS]


def test_order_is_the_same_every_time(measure):
    """The shuffle is seeded: a run can be repeated."""
    first, second = World(a=MS, b=MS), World(a=MS, b=MS)
    for world in (first, second):
        measure(world, "a", "b", calls=5)
    assert first.calls == second.calls


def test_named_twice_timed_once(measure):
    """An engine that is its own rival has one host and one set of samples."""
    world = World(a=MS)
    first, second = measure(world, "a", "a", calls=5)
    assert first is not None
    assert first == second
    assert world.started == ["a", "end of a"]


def test_none_is_not_timed(measure):
    """None in an engine's place, as eager is of an ONNX file, has None for its samples."""
    first, nothing = measure(World(a=MS), "a", None, calls=5)
    assert nothing is None
    assert first.durations_ns


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_opened_at_once(device):
    """Each engine is opened while the others are, called alone, and timed when all were called.

    Hosts are started ahead until the first of these calls.
    """
    world, both = World(ort=MS, eager=MS), Barrier(2, timeout=60)
    world.opening = lambda _: both.wait()
    engines = [on(device, name) for name in ("ort", "eager")]
    assert all(GpuTimer(world, CallCounts(0, 5), world.exclusive).interleaved(engines, FEEDS))
    asked = [operation for _, operation, _ in world.calls]
    assert asked[:2] == ["engine.open"] * 2
    assert asked[2:6] == ["engine.infer", "engine.bind"] * 2
    assert world.pauses == [2]


def test_opened_one_by_one():
    """What may choose kernels by their times when it is opened is opened alone, in quiet."""
    world, opened = World(torchscript=MS, eager=MS), []
    world.opening = lambda name: opened.append((name, current_thread() is main_thread()))
    settings = {"cudnn_benchmark": True, "cuda_graph": True}
    engines = [on("cuda:0", "torchscript", settings), on("cuda:0", "eager")]
    GpuTimer(world, CallCounts(0, 5), world.exclusive).interleaved(engines, FEEDS)
    assert opened == [("torchscript", True), ("eager", True)]
    assert world.pauses[0] == 0


def test_one_that_cannot_be_opened(measure):
    """Its error is the measurement's, and no host stays."""
    world = World(a=MS, b=MS)

    def fail(name):
        if name == "b":
            raise LoadError("cannot load b", why="it is broken", mend="build it again")

    world.opening = fail
    with pytest.raises(LoadError, match="cannot load b"):
        measure(world, "a", "b", warmup=0, calls=5)
    assert {"end of a", "end of b"} <= set(world.started)


def test_hosts_are_fresh_and_alone(measure):
    """Every engine has a separate process, started and ended while the device is held."""
    world = World(a=MS, b=MS)
    measure(world, "a", "b", calls=5)
    assert world.started == ["a", "b", "end of b", "end of a"]
    assert world.held == ["locked", "free"]
    assert world.engines == ["a", "b"]


def test_eager_beside_others_is_kept(measure):
    """Its process serves one engine after the other; what it has opened is closed each time."""
    world = World(a=MS, eager=2 * MS)
    measure(world, "a", "eager", calls=5)
    assert world.started == ["a", "kept eager", "end of a"]
    assert [each[0] for each in world.calls if each[1] == "engine.close"] == ["eager"]
    measure(world, "eager", "a", calls=5)
    assert world.started[3:] == ["eager", "a", "end of a", "end of eager"]


def test_the_first_process_of_eager_is_kept(measure):
    """It is as fresh as another, and the next engine needs one that is kept."""
    world = World(a=MS, eager=MS)
    measure(world, "eager", calls=5)
    measure(world, "a", "eager", calls=5)
    assert world.started == ["kept eager", "a", "kept eager", "end of a"]
    assert [each[0] for each in world.calls if each[1] == "engine.close"] == ["eager"] * 2


def test_eager_on_a_gpu_is_not_kept():
    """Its memory there goes with its process, before the next engine wants it."""
    world = World(a=MS, eager=MS)
    engines = [on("cuda:0", name) for name in ("a", "eager")]
    GpuTimer(world, CallCounts(1, 5), world.exclusive).interleaved(engines, FEEDS)
    assert world.started == ["a", "eager", "end of eager", "end of a"]


def test_samples_know_their_machine(measure):
    """Samples say where their engine's host runs."""
    samples = measure(World(a=MS, b=MS), "a", "b", calls=5)
    assert [each.machine for each in samples] == ["machine of a", "machine of b"]


def test_device_clock_goes_first(measure):
    """Where the device has a clock, it is the one that counts; the host's is kept beside it."""
    (samples,) = measure(World(has_events=True, a=MS), "a", calls=5)
    assert samples.clock == "cuda-event"
    assert (samples.durations_ns[0], samples.wall_ns[0]) == (MS / 2, MS)
    assert samples.enqueue_ns == (MS // 4,) * 5
    assert samples.is_launch_bound is False


def test_split():
    """The split has a warm engine, a fresh host, the device alone, and as many calls as timing."""
    world = World(a=2 * MS)
    split = GpuTimer(world, CallCounts(3, 7), world.exclusive).split(engine("a"), FEEDS)
    assert split == Split("monotonic", 2.0)
    assert world.started == ["a", "end of a"]
    assert (world.held, world.engines) == (["locked", "free"], ["a"])
    assert world.timed("a") == [1, 1, 1]
    assert world.calls[-1] == ("a", "engine.split", 7)
    assert world.pauses == [1]  # as soon as the engine is open


def test_cold_l2():
    """Every call of a cold measurement is cold, the warm-up's too, and the samples say so."""
    world = World(has_events=True, a=MS)
    gpu_timer = GpuTimer(world, CallCounts(1, 5), world.exclusive)
    on_gpu = on("cuda:0", "a")
    samples = gpu_timer(on_gpu, FEEDS, cold_l2=True)
    assert samples.is_l2_cold
    assert set(world.cold_l2) == {None, True}
    assert not gpu_timer(on_gpu, FEEDS).is_l2_cold


def test_cold_l2_of_a_cpu():
    """A CPU's caches are nobody's to empty, and that is said before anything is started."""
    world = World(a=MS)
    with pytest.raises(TimingError) as caught:
        GpuTimer(world, CallCounts(), world.exclusive)(engine("a"), FEEDS, cold_l2=True)
    assert str(caught.value) == (
        "cannot time toy-a-fp32-b1 with a cold L2\n"
        "  why:  it runs on cpu, and only a GPU's L2 can be emptied\n"
        "  mend: leave out cold_l2=True, or choose a GPU (--infer-device=cuda:0)"
    )
    assert world.started == []


def test_call_is_by_default_one_engine():
    """Calling the timer times one engine."""
    world = World(a=MS)
    samples = GpuTimer(world, CallCounts(1, 5), world.exclusive)(engine("a", batch=4), FEEDS)
    assert (samples.batch, samples.throughput_per_s) == (4, 4000)


def test_errors_name_the_stage(measure):
    """A host that dies while opening is an error of loading, later on one of timing."""
    world = World(a=MS)
    measure(world, "a", calls=5)
    assert world.errors == {
        "engine.open": (LoadError, "time toy-a-fp32-b1"),
        "engine.infer": (TimingError, "time toy-a-fp32-b1"),
        "engine.bind": (TimingError, "time toy-a-fp32-b1"),
        "engine.time": (TimingError, "time toy-a-fp32-b1"),
        "engine.resources": (TimingError, "time toy-a-fp32-b1"),
        "engine.look": (TimingError, "time toy-a-fp32-b1"),
    }


def test_resources_are_asked_after_timing(measure):
    """What an engine took is asked for when its last call has been timed, before the look."""
    world = World(a=MS)
    (samples,) = measure(world, "a", calls=5)
    assert samples.figures()["load_s"] == 0.5
    assert world.calls[-2:] == [("a", "engine.resources", None), ("a", "engine.look", None)]


def test_a_protocol():
    """A test's own numbers of calls are taken, in the place of what the speed would decide."""
    world = World(a=MS)
    samples = GpuTimer(world, CallCounts(), world.exclusive)(engine("a"), FEEDS, warmup=3, calls=10)
    assert (samples.warmup_calls, len(samples.durations_ns)) == (3, 10)


def test_the_user_overrules_a_protocol():
    """What the user asks for on the command line wins; what they leave open is the test's."""
    world = World(a=MS)
    samples = GpuTimer(world, CallCounts(calls=5), world.exclusive)(
        engine("a"), FEEDS, warmup=3, calls=1000
    )
    assert (samples.warmup_calls, len(samples.durations_ns)) == (3, 5)


def test_with_copies():
    """Every call of the measurement has copies, the warm-up's too; the next one has none."""
    world = World(a=MS)
    gpu_timer = GpuTimer(world, CallCounts(1, 5), world.exclusive)
    gpu_timer(engine("a"), FEEDS, copies=True)
    assert set(world.copies) == {None, True}
    del world.copies[:]
    gpu_timer(engine("a"), FEEDS)
    assert set(world.copies) == {None, False}
