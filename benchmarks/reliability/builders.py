"""Ask for one engine from many processes, and kill builders at random points.

    python benchmarks/reliability/builders.py                      # some minutes
    python benchmarks/reliability/builders.py --askers=2 --kills=5

Askers are whole pytest runs on a small model with one cache. Builders are processes that build
ONNX Runtime's engine of it, as an engine host does, and are ended by SIGKILL at a random moment of
that. After each, another process asks for the engine, runs it and compares its outputs.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from shutil import copy, rmtree
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_infer import Case
from pytest_infer.config import InferConfig
from pytest_infer.engines.requests import build_request
from pytest_infer.hosts.engine_operations import EngineOperations
from pytest_infer.hosts.wire import packed, unpacked
from pytest_infer.models.source import Source, import_source
from pytest_infer.session.session import InferSession

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL = Path(__file__).with_name("toy_engines.py")
CASE = Case("toy", "ort", "fp32", 1, "cpu")
KILLED = "killed while it built"
ANSWER_S = 60
"""A lock that nobody gives back within this time is dead."""

TEST = """
def test_it(engine, feeds):
    assert engine(feeds)
"""


def ask(askers: int) -> int:
    """Run pytest a number of times at once; return how many engines were built by all of them."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        copy(MODEL, folder / "conftest.py")
        (folder / "test_it.py").write_text(TEST)
        (folder / "pytest.ini").write_text("[pytest]\n")
        options = ["--engine=ort", "--infer-model=toy", "--infer-device=cpu", "--infer-cache=cache"]
        runs = [
            subprocess.Popen(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(askers)
        ]
        texts = [run.communicate()[0] for run in runs]
    if any(run.returncode for run in runs):
        sys.exit("\n".join(texts))
    return sum(int(re.search(r"engines: (\d+) built", text)[1]) for text in texts)


def request(session: InferSession) -> dict[str, Any]:
    """Return what `EngineOperations.build` is asked."""
    import_source(Source(file=str(MODEL)))
    graph = session.artefacts.graphs.of(CASE)
    return packed({"graph": graph, "request": build_request(CASE)})


def build(cache: str) -> None:
    """Build when stdin says so."""
    import onnxruntime  # noqa: F401 - not a part of what is interrupted

    asked = json.loads(sys.stdin.readline())
    print("ready", flush=True)
    EngineOperations().build("ort", cache=cache, **asked)
    print("built", flush=True)


def builder(cache: Path, asked: str) -> subprocess.Popen[str]:
    """Start a builder that is about to begin."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--build", str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    process.stdin.write(f"{asked}\n")
    process.stdin.flush()
    process.stdout.readline()
    return process


def kill(kills: int, random: Random) -> Counter[str]:
    """Kill a number of builders while they build; return what was found after each."""
    counts = Counter[str]()
    with TemporaryDirectory() as place:
        session = InferSession(InferConfig(cache=Path(place, "graphs"), device="cpu"))
        try:
            asked, feeds = request(session), session.artefacts.models.feeds("toy", 1)
        finally:
            session.close()
        text, cache = json.dumps(asked), Path(place, "cache")
        truth = outputs(asked, feeds, Path(place, "truth"))
        most_s = build_s(builder(cache, text))
        while counts[KILLED] < kills:
            rmtree(cache)
            process = builder(cache, text)
            sleep(random.uniform(0, most_s))
            process.kill()
            is_built = "built" in process.communicate()[0]
            most_s *= 0.9 if is_built else 1.1  # about half of the kills come too late
            counts["had ended" if is_built else KILLED] += 1
            counts["left a draft"] += any(cache.glob("engines/.draft-*"))
            counts["left an entry"] += any(cache.glob("engines/*/manifest.json"))
            again = builder(cache, text)
            try:
                again.communicate(timeout=ANSWER_S)
            except subprocess.TimeoutExpired:
                again.kill()
                counts["dead locks"] += 1
                continue
            found = outputs(asked, feeds, cache)
            counts["wrong outputs"] += not all(
                np.array_equal(found[name], truth[name]) for name in truth
            )
    return counts


def build_s(process: subprocess.Popen[str]) -> float:
    """Return how long a builder takes that nobody kills."""
    began_s = monotonic()
    process.stdout.readline()
    taken_s = monotonic() - began_s
    process.communicate()
    return taken_s


def outputs(asked: dict[str, Any], feeds: Any, cache: Path) -> dict[str, Any]:
    """Return what the engine in ``cache`` puts out."""
    operations = EngineOperations()
    folder = operations.build("ort", cache=str(cache), **unpacked(asked)).folder
    runner = operations.open({"engine": "ort", "folder": folder, **unpacked(asked)})
    found = operations.infer(runner, feeds)
    operations.close(runner)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was found; the exit status says whether any of it is bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--askers", type=int, default=8)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--build", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.build:
        build(options.build)
        return
    built = ask(options.askers)
    print(f"{options.askers} runs that ask for one engine at once: {built} built", flush=True)
    counts = kill(options.kills, Random(options.seed))
    told = ", ".join(f"{number} {what}" for what, number in counts.items())
    print(f"builders: {told}; {counts['dead locks']} dead locks")
    is_bad = built != 1 or counts["dead locks"] or counts["wrong outputs"]
    sys.exit(1 if is_bad else 0)


if __name__ == "__main__":
    main()
