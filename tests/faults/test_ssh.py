"""Engine hosts on another machine: a sshd of our own, whose world has none of this run's files."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

import pytest_infer
from pytest_infer import HostError, RunError
from pytest_infer.hosts.sent_files import SentFiles
from pytest_infer.hosts.start import start_host
from pytest_infer.models.source import Source
from pytest_infer.storage.cache import Cache
from tests.faults.test_orphans import eventually

SSHD = "/usr/sbin/sshd"
NAME = "elsewhere"

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
SetEnv XDG_CACHE_HOME={folder}/cache
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
"""

BOOT = """
set -e
hostname {name}
mount -t tmpfs tmpfs {hidden}
exec {sshd} -D -e -f {folder}/sshd_config
"""
"""Gives sshd another name, and an empty folder where this run has its files."""

MODEL = """
from pytest_infer import TensorSpec, model


@model(
    task="classification",
    inputs={"image": TensorSpec(("batch", 3, 32, 32))},
    outputs={"logits": TensorSpec(("batch", 10))},
)
def toy():
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10)).eval()
"""
"""Needs no torch to be imported, unlike what surrounds a fake engine."""

DEMANDS_SPEEDUP = """
def pytest_collection_modifyitems(items):
    import pytest  # the host has none

    for item in items:
        item.add_marker(pytest.mark.latency_budget(speedup=1e-6))
"""

FAULTS = """
import os
import signal
from pathlib import Path


def once(fault):
    def strike():
        flag = Path({folder!r}, fault.__name__)
        if not flag.exists():
            flag.touch()
            fault()

    return strike


def cut():
    keeper = Path("/proc", str(os.getppid()), "stat").read_text()
    sshd = int(keeper.rpartition(")")[2].split()[1])  # it carries the connection
    os.kill(sshd, signal.SIGKILL)


for fault in (leave, segfault, cut):
    register(FakeEngine(fault.__name__, "ort", process=once(fault)))
"""


DAEMON = """
import os
import time

read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open({pid!r}, "w") as file:
            file.write(str(os.getpid()))
        os.write(write, b"1")
        time.sleep(600)
    os._exit(0)
os.read(read, 1)
"""
"""Leaves a process behind, as a library's server does."""


@dataclass(frozen=True)
class Machine:
    """Another machine, as far as this one can tell."""

    folder: Path
    port: int

    def spec(self, python="environment/bin/python", **changed):
        """Return the specification of a host there."""
        options = {
            "port": self.port,
            "key": self.folder / "user_key",
            "known": self.folder / "known_hosts",
        } | changed
        return f"ssh={ssh_options(**options)}//python={self.folder / python}"

    @property
    def cache(self):
        """Return the folder of its cache."""
        return self.folder / "cache/pytest-infer"


def ssh_options(port, key, known):
    """Return whom to call and how, without what this user's own configuration says."""
    return (
        f"{getuser()}@127.0.0.1 -p {port} -i {key} -F none -o IdentitiesOnly=yes "
        f"-o UserKnownHostsFile={known}"
    )


def keys(path):
    """Make a pair of keys; return the public one."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)  # noqa: S603 - our own words
    return path.with_suffix(".pub").read_text()


def script(path, text):
    """Write a command."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


def free_port():
    """Return a port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def machine(cache, ort_environment, bare_environment):
    """A sshd with its own interpreters and cache, which does not see this run's files."""
    if not Path(SSHD).exists():
        pytest.skip(f"there is no {SSHD}: apt-get install openssh-server openssh-client")
    folder = Path(mkdtemp(prefix="pytest-infer-machine-"))
    ort_environment(folder / "environment")
    bare_environment(folder / "bare")
    script(folder / "python-with-all", f'cd {folder}\nexec {torch_python(folder)} "$@"')
    script(folder / "python-that-hangs", "exec cat >/dev/null")  # until ssh goes away
    script(folder / "python-that-greets", f'echo Welcome\nexec {sys.executable} "$@"')
    port, public = free_port(), keys(folder / "host_key")
    keys(folder / "user_key")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (folder / "sshd_config").write_text(CONFIG.format(port=port, folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)
    boot = BOOT.format(name=NAME, hidden=cache.parent, sshd=SSHD, folder=folder)
    sshd = subprocess.Popen(  # noqa: S603 - our own script
        ["/usr/bin/unshare", "--mount", "--uts", "sh", "-c", boot],
        stderr=subprocess.PIPE,
        text=True,
    )
    told = [sshd.stderr.readline()]
    while told[-1] and "listening" not in told[-1]:
        told.append(sshd.stderr.readline())
    if not told[-1]:
        pytest.skip(f"no sshd in a separate namespace, which takes root: {''.join(told)}")
    yield Machine(folder, port)
    sshd.kill()
    sshd.wait()
    shutil.rmtree(folder)


def torch_python(folder):
    """Return a command for this Python with this package, whatever else it has."""
    (folder / "package").mkdir()
    (folder / "package/pytest_infer").symlink_to(Path(pytest_infer.__file__).parent)
    return f"env PYTHONPATH={folder / 'package'} {sys.executable}"


@pytest.fixture
def start(tmp_path):
    """Start a host by its specification."""

    def call(spec, sources=(), timeout_s=60):
        cache = Cache(tmp_path / "cache")
        sent = SentFiles(cache.root)
        return start_host(spec, timeout_s=timeout_s, sources=sources, cache=cache, sent=sent)

    return call


@pytest.fixture
def start_error(start):
    """Return the text of the error of starting a host."""

    def call(spec, **options):
        with pytest.raises(HostError) as caught:
            start(spec, **options)
        return str(caught.value)

    return call


def sent_to(run):
    """Return how many bytes the only other machine of a run got."""
    ((name, size_bytes),) = run.report["coverage"]["sent_bytes"].items()
    assert re.fullmatch(rf"{NAME}-[0-9a-f]{{8}}", name)
    assert run.lines("files: ") == [f"files: {size_bytes / 1e6:.1f} MB sent to {name}"]
    return size_bytes


def test_place(start, machine, tmp_path):
    """The other machine has another name and cache, and sees none of our files."""
    host = start(machine.spec())
    try:
        assert host.place.machine.startswith(f"{NAME}-")
        assert host.place.cache == str(machine.cache)
        assert not host.place.sees_files
    finally:
        host.close()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == []


def test_sent_once(toy_run, machine, tmp_path):
    """A second run, with a new cache here, finds graph and engine there and sends nothing."""
    options = ("--engine=ort", f"--infer-host=ort={machine.spec()}", "-k", "outputs")
    runs = [
        toy_run(*options, f"--infer-cache={tmp_path / name}", conftest=MODEL)
        for name in ("first", "second")
    ]
    for run in runs:
        record = run.record("toy-ort-fp32-b1")
        assert record["code"] == "match", record["message"]
        assert run.left == []
    assert sent_to(runs[0]) > 3072 * 10 * 4
    assert sent_to(runs[1]) == 0
    assert [run.lines("engines: ") for run in runs] == [
        ["engines: 1 built, 0 found in the cache"],
        ["engines: 0 built, 1 found in the cache"],
    ]
    assert not (tmp_path / "first/engines").exists()
    assert len(list((machine.cache / "engines").glob("*/optimized.onnx"))) == 1


@pytest.mark.nightly
def test_weights_beside_a_file(toy_run, machine, tmp_path):
    """An ONNX file and the weights beside it travel, and lie there as they do here."""
    onnx = pytest.importorskip("onnx")
    (tmp_path / "parts").mkdir()
    value = onnx.helper.make_tensor_value_info
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [value(name, onnx.TensorProto.FLOAT, ["batch", 64]) for name in ("x", "y")]
    stored = [onnx.numpy_helper.from_array(weights, "w")]
    graph = onnx.helper.make_graph([node], "net", ends[:1], ends[1:], stored)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save_model(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=8),
        tmp_path / "net.onnx",
        save_as_external_data=True,
        location="parts/w.bin",
        size_threshold=0,
    )
    run = toy_run(
        *("--engine=ort", f"--infer-host=ort={machine.spec()}", "-k", "outputs"),
        f"--infer-model={tmp_path / 'net.onnx'}",
        conftest=MODEL,
    )
    record = run.record("net-ort-fp32-b1")
    assert record["code"] == "match", record["message"]
    assert sent_to(run) > weights.nbytes
    assert len(list((machine.cache / "files").glob("*/parts/w.bin"))) == 1


@pytest.mark.nightly
@pytest.mark.slow
def test_resnet50(toy_run, machine):
    """ResNet-50 is right there, and its 100 MB travel once."""
    options = ("--engine=ort", f"--infer-host=ort={machine.spec()}", "-k", "outputs")
    runs = [toy_run(*options, "--infer-model=resnet50", conftest=MODEL) for _ in range(2)]
    for run in runs:
        record = run.record("resnet50-ort-fp32-b1")
        assert record["code"] == "match", record["message"]
    assert sent_to(runs[0]) > 100_000_000
    assert sent_to(runs[1]) == 0


@pytest.mark.nightly
def test_no_speedup_over_another_machine(toy_run, machine):
    """A speed-up that is demanded fails where eager ran elsewhere, with the mend."""
    run = toy_run(
        *("--engine=ort", f"--infer-host=ort={machine.spec()}", "-k", "latency"),
        *("--infer-calls=5", "--infer-warmup=1"),
        conftest=MODEL + DEMANDS_SPEEDUP,
    )
    record = run.record("toy-ort-fp32-b1", "latency")
    assert "speedup" not in record["figures"]
    assert record["code"] == "other-machine"
    assert re.fullmatch(
        r"toy-ort-fp32-b1: cannot judge the speed-up\n"
        rf"  why:  it ran on {NAME}-[0-9a-f]{{8}}, and eager on "
        rf"{re.escape(platform.node())}-[0-9a-f]{{8}}\n"
        r"  mend: run eager there too \(--infer-host=eager=SPEC of that machine\), "
        r"or drop speedup=",
        record["message"],
    )


@pytest.mark.nightly
def test_eager_there_too(toy_run, machine):
    """With eager on the same machine there is a speed-up; models and photographs stay here."""
    hosts = f"eager={machine.spec('python-with-all')},ort={machine.spec()}"
    run = toy_run(
        *("--engine=ort", f"--infer-host={hosts}"),
        *("--infer-calls=5", "--infer-warmup=1"),
        conftest=MODEL + DEMANDS_SPEEDUP,
    )
    assert run.record("toy-ort-fp32-b1", "latency")["code"] == "within-budget"
    parity = [each for each in run.report["records"] if each["judge"] == "parity"]
    codes = Counter(each["code"] for each in parity)
    assert codes == {"match": 3, "consistent": 1}  # outputs, top-k, layouts; a burst
    assert not (machine.cache / "weights").exists()
    assert len(list((machine.cache / "files").glob("*/weights.safetensors"))) >= 1


@pytest.mark.nightly
def test_two_environments_there(toy_run, machine):
    """Both environments of ``--infer-against`` may be on one other machine, and only there."""
    ort, eager = machine.spec(), machine.spec("python-with-all")
    there = f"--infer-against=ort={eager}"
    run = toy_run("--engine=ort", f"--infer-host=ort={ort}", there, "-k", "against", conftest=MODEL)
    outputs, speed = run.report["records"]
    assert (outputs["judge"], outputs["code"]) == ("against", "bit-equal"), run.text
    assert len(speed["details"]["against"]["pairs"]) == speed["figures"]["against_pairs"] >= 3
    here = toy_run("--engine=ort", there, "-k", "against", conftest=MODEL)
    assert here.code == pytest.ExitCode.USAGE_ERROR
    assert "machine" in here.errors, here.errors


@pytest.mark.nightly
def test_lost(toy_run, machine, toy):
    """What ends a host there ends one case; the next one gets a new connection."""
    spec = machine.spec("python-with-all")
    names = ("leave", "segfault", "cut")
    run = toy_run(
        *(f"--engine={','.join(names)}", "--infer-batch=1,2", "-k", "outputs"),
        *(f"--infer-host={name}={spec}" for name in names),
        conftest=toy + FAULTS.format(folder=str(machine.folder)),
    )
    told = {name: run.record(f"toy-{name}-fp32-b1")["message"] for name in names}
    assert {run.record(f"toy-{name}-fp32-b2")["code"] for name in names} == {"match"}
    mend = f"\n  mend: check that machine and the way to it: {spec}; the next case tries again"
    for name in names:
        assert told[name].startswith(
            f"cannot run toy-{name}-fp32-b1\n"
            "  why:  its engine host died, or the connection to it\n        "
        )
        assert told[name].endswith(mend)
    assert "without a word: the connection was cut, or the process there" in told["leave"]
    assert "Fatal Python error: Segmentation fault" in told["segfault"]
    assert "Connection to 127.0.0.1 closed by remote host." in told["cut"]


def test_client_that_is_killed(start, machine):
    """A ssh that is killed here is reported as a connection that was cut."""
    spec = machine.spec()
    host = start(spec)
    (client,) = children("ssh")
    os.kill(client, signal.SIGKILL)
    with pytest.raises(RunError) as caught:
        host.call("host.device", error=RunError, doing="ask", device="cpu")
    assert str(caught.value) == (
        "cannot ask\n"
        "  why:  its engine host died, or the connection to it\n"
        "        without a word: the connection was cut, or the process there was killed\n"
        f"  mend: check that machine and the way to it: {spec}; the next case tries again"
    )
    assert not host.is_alive


def test_what_a_library_has_left_there(start, machine, tmp_path):
    """A process in a separate session ends with its host, though the connection was cut."""
    pid = machine.folder / "daemon"
    file = tmp_path / "conftest.py"
    file.write_text(DAEMON.format(pid=str(pid)))
    host = start(machine.spec(), [Source(file=str(file))])
    daemon = int(pid.read_text())
    assert is_running(daemon)
    (client,) = children("ssh")
    os.kill(client, signal.SIGKILL)
    assert eventually(lambda: not is_running(daemon))
    host.close()


def is_running(pid):
    """Return whether there is such a process, and it is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(name):
    """Return the ids of this process's living children of that name."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        pid, command, state, parent, *_ = stat.read_text().split()
        if (command, parent) == (f"({name})", str(os.getpid())) and state != "Z":
            found.append(int(pid))
    return found


def test_no_machine_there(start_error, machine):
    """A port on which nobody listens is reported in ssh's words, with a command to try by hand."""
    port = free_port()
    spec = machine.spec(port=port)
    assert start_error(spec) == unreached(
        machine, spec, f"ssh: connect to host 127.0.0.1 port {port}: Connection refused", port=port
    )


def test_unknown_machine(start_error, machine):
    """A machine whose key nobody has confirmed is refused, not asked about on the terminal."""
    spec = machine.spec(known="/dev/null")
    assert start_error(spec) == unreached(
        machine, spec, "Host key verification failed.", known="/dev/null"
    )


def test_key_that_the_machine_refuses(start_error, machine, tmp_path):
    """A wrong key ends in ssh's own words; nobody is asked for a password."""
    keys(tmp_path / "other_key")
    spec = machine.spec(key=tmp_path / "other_key")
    why = f"{getuser()}@127.0.0.1: Permission denied (publickey)."
    assert start_error(spec) == unreached(machine, spec, why, key=tmp_path / "other_key")


def test_machine_without_that_python(start_error, machine):
    """A Python that is not there is reported in the words of the shell there."""
    text = start_error(machine.spec("no-python"))
    assert re.search(rf"  why:  .*{machine.folder}/no-python: No such file or directory\n", text)
    assert text.endswith(f"-o BatchMode=yes {machine.folder}/no-python --version")


def test_shell_that_prints(start_error, machine):
    """A start-up file that prints breaks the protocol; the message says where to look."""
    spec = machine.spec("python-that-greets")
    why = "something else than Python answered: does a start-up file of the shell print?"
    assert start_error(spec) == unreached(machine, spec, why, python="python-that-greets")


def test_machine_without_this_package(start_error, machine):
    """The error about a Python there without this package says how to get it."""
    spec = machine.spec("bare/bin/python")
    assert start_error(spec) == (
        f"cannot start the engine host {spec}\n"
        "  why:  No module named 'pytest_infer'\n"
        f"  mend: install pytest-infer {pytest_infer.__version__} in the host's environment, "
        "from the same clone or wheel"
    )


def test_machine_with_another_version(start_error, machine):
    """Another version there is refused before it is asked anything."""
    package = machine.folder / "old/pytest_infer"
    package.mkdir(parents=True)
    for path in Path(pytest_infer.__file__).parent.iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            (package / path.name).symlink_to(path)
    (package / "__init__.py").write_text('__version__ = "0.0.1"\n')
    run = f'PYTHONPATH={package.parent} exec {sys.executable} "$@"'
    script(machine.folder / "python-of-old", run)
    spec = machine.spec("python-of-old")
    assert start_error(spec) == (
        f"the engine host {spec} has pytest-infer 0.0.1\n"
        f"  why:  this process has {pytest_infer.__version__}, and the two must be the same\n"
        f"  mend: install pytest-infer {pytest_infer.__version__} in the host's environment, "
        "from the same clone or wheel"
    )


def test_machine_that_never_answers(start_error, machine):
    """A machine that takes the call and says nothing is given up after the time-out."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        spec = machine.spec(port=port)
        why = "it did not answer within 2 s"
        assert start_error(spec, timeout_s=2) == unreached(machine, spec, why, port=port)
    assert children("ssh") == []


def test_shell_that_hangs(start_error, machine):
    """A login after which no Python comes is given up as well, with what to try by hand."""
    spec, why = machine.spec("python-that-hangs"), "it did not answer within 4 s"
    found = start_error(spec, timeout_s=4)
    assert found == unreached(machine, spec, why, python="python-that-hangs")
    assert children("ssh") == []


def unreached(machine, spec, why, python="environment/bin/python", **changed):
    """Return the text of a host that could not be started."""
    known = {
        "port": machine.port,
        "key": machine.folder / "user_key",
        "known": machine.folder / "known_hosts",
    }
    return (
        f"cannot start the engine host {spec}\n"
        f"  why:  {why}\n"
        f"  mend: make this answer: ssh {ssh_options(**(known | changed))} -o BatchMode=yes "
        f"{machine.folder / python} --version"
    )
