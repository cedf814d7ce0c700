"""Processes that are killed while they store or build lose nothing that they had acknowledged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest

from pytest_infer.baselines.folder import Baselines
from pytest_infer.engines import registry as engines
from pytest_infer.hosts.engine_operations import EngineOperations

ENTRIES = 12

STORE = """
import sys
from pathlib import Path
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.store import update
from pytest_infer import Case

folder, writer, done = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(done + 1, 13):
    entry = Entry({"p50_ms": float(number)}, Measured("d", "2026-01-02", "c"))
    update(folder, {"name": "d"}, {Case(f"net{number % 2}", writer, "fp32", number, "cpu"): entry})
    print(number, flush=True)
"""


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process of our own code."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_writers(tmp_path: Path) -> None:
    """Each is killed after every fourth acknowledgement, and another goes on from there."""
    done = dict.fromkeys(("a", "b", "c"), 0)
    while waiting := [name for name in done if done[name] < ENTRIES]:
        writers = {name: started(STORE, tmp_path, name, done[name]) for name in waiting}
        for name, writer in writers.items():
            for _ in range(4):
                done[name] = int(writer.stdout.readline())
            writer.kill()
            writer.communicate()
        stored = {
            key: entry.figures["p50_ms"]
            for model in ("net0", "net1")
            for key, entry in Baselines(tmp_path).read(model).items()
        }
        for name, last in done.items():
            for number in range(1, last + 1):
                assert stored[f"net{number % 2}-{name}-fp32-b{number}"] == float(number)


FULL = """
import resource, sys
from pathlib import Path
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.store import update
from pytest_infer import BaselineError, Case

resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
for number in range(1, 100):
    entry = Entry({"p50_ms": float(number)}, Measured("d", "2026-01-02", "c"))
    try:
        update(Path(sys.argv[1]), {"name": "d"}, {Case("net", "x", "fp32", number, "cpu"): entry})
    except BaselineError as error:
        print(number - 1, error, sep=chr(10))
        break
"""


def test_full_disk(tmp_path: Path) -> None:
    """The old file keeps what it holds, and the error names the file and the reason."""
    text = started(FULL, tmp_path).communicate()[0]
    stored, _, error = text.partition("\n")
    assert error == (
        f"cannot write {tmp_path}/net.json\n"
        "  why:  OSError: File too large\n"
        "  mend: let this user write to the folder, or name another one (--infer-baselines)\n"
    )
    assert len(Baselines(tmp_path).read("net")) == int(stored) > 0
    assert {each.name for each in tmp_path.iterdir()} == {"device.json", "net.json", ".lock"}


BUILD = """
import sys
from pathlib import Path
from pytest_infer.storage import cache

def stop(point):
    if point == sys.argv[2]:
        print("here", flush=True)
        sys.stdin.read()

def make(folder):
    stop("nothing")
    (folder / "a.bin").write_bytes(b"a" * 1000)
    stop("half")
    (folder / "b.bin").write_bytes(b"b" * 1000)
    stop("all")
    return {}

written = cache._written
def wait(*arguments):
    found = written(*arguments)
    stop("manifest")
    return found

cache._written = wait
entry = cache.Cache(Path(sys.argv[1])).entry("engines", {"a": 1}, make)
print(entry.is_new, sorted(entry.digests), entry.notice)
"""


@pytest.mark.parametrize("point", ["nothing", "half", "all", "manifest"])
def test_killed_builder(tmp_path: Path, point: str) -> None:
    """Wherever it was, the next builds the whole, without waiting, and the one after finds it."""
    killed = started(BUILD, tmp_path / "cache", point)
    assert killed.stdout.readline() == "here\n"
    killed.kill()
    killed.communicate()
    for is_new in (True, False):
        text = started(BUILD, tmp_path / "cache", "").communicate(timeout=600)[0]
        assert text == f"{is_new} ['a.bin', 'b.bin'] \n"


def graph(folder: Path) -> dict[str, object]:
    """Write an ONNX file that doubles and adds; return what a host is asked to build from it."""
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 4])
        for name in ("x", "y")
    ]
    weights = onnx.numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", values[:1], values[1:], [weights]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.save(model, folder / "graph.onnx")
    tensor = {"shape": ["batch", 4], "dtype": "float32"}
    spec = {
        "name": "net",
        "task": "tensor",
        "inputs": {"x": tensor},
        "outputs": {"y": tensor},
        "source": {"module": "here"},
    }
    file = str(folder / "graph.onnx")
    return {"spec": spec, "file": file, "digest": "12ab", "request": {"format": "onnx"}}


@pytest.mark.parametrize("engine", ["ort", "openvino"])
def test_damaged_engine(tmp_path: Path, engine: str) -> None:
    """Whatever byte of a built engine or of its manifest differs, what is served puts out the same.

    Each damage is another one; all are found before the library sees them.
    """
    if engines.find(engine).missing("cpu"):
        pytest.skip(f"{engine} is not installed")
    random, operations = Random(0), EngineOperations()  # noqa: S311 - damage, not a secret
    made_of = graph(tmp_path)
    options = {name: option.default for name, option in engines.find(engine).options.items()}
    request = {"precision": "fp32", "device": "cpu", "shapes": {"x": [1, 4]}, "options": options}
    feeds = {"x": np.ones((1, 4), np.float32)}
    for number in range(25):
        entry = operations.build(engine, made_of, request, str(tmp_path / "cache"))
        assert entry.is_new
        assert bool(entry.notice) == (number > 0)
        built = {"engine": engine, "graph": made_of, "request": request, "folder": entry.folder}
        runner = operations.open(built)
        assert operations.infer(runner, feeds)["y"].tolist() == [[1.0, 2.0, 3.0, 4.0]]
        operations.close(runner)
        path = random.choice(sorted(Path(entry.folder).glob("*.*")))
        content = bytearray(path.read_bytes())
        at = random.randrange(len(content))
        if number % 2:
            content[at] ^= 1 << random.randrange(8)
        path.write_bytes(content if number % 2 else content[:at])
