"""Edit a project at random between runs, and count verdicts about another model than today's.

    python benchmarks/reliability/edits.py                # 500 edits, some twenty minutes
    python benchmarks/reliability/edits.py --edits=20 --seed=3

A project is a model, a network two imports away, a library of a known version, weights in a file, a
preprocessing, a variable of the environment and a file that the network reads. Each edit changes
one of them, or takes a change back, or changes what decides nothing (a comment, a neighbour).
After each, a process asks the package for an engine (TorchScript's or ONNX Runtime's, by chance)
and the reference, with the cache of all runs before, and writes what they answer. What is right
comes from the files themselves, by plain torch.

A verdict is stale if the engine or the reference does not answer as the network does today. A
rebuild is needless if an engine for the same network, weights, spec and settings was built before.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pytest_infer import Case
from pytest_infer.config import InferConfig
from pytest_infer.models import source
from pytest_infer.models.source import Source
from pytest_infer.session.engine import under_test
from pytest_infer.session.session import InferSession

if TYPE_CHECKING:
    from collections.abc import Callable

ENGINES = ("torchscript", "ort")
VARIABLE = "ZZ_SHIFT"

MODELS = """
import torch
from pytest_infer import Dim, TensorSpec, model

import zz_net

{comment}

def photographs(images):
    import numpy as np
    rows = np.stack([each[:{size}, 0, 0] for each in images]).astype(np.float32)
    return {{"{name}": rows * {brightness} / 255}}


@model(
    inputs={{"{name}": TensorSpec(("batch", {size}))}},
    outputs={{"y": TensorSpec(("batch", {size}))}},
    dims={{"batch": Dim(max={most})}},
    preprocess=photographs,
)
def edited():
    return zz_net.make({size})


def unrelated():
    return {unrelated}
"""

NET = """
import json
import os
from pathlib import Path

import torch
import zz_deep
import zz_library

HERE = Path(__file__).parent


class Net(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))

    def forward(self, x):
        scale = json.loads((HERE / "scale.json").read_text())
        y = zz_deep.{function}(x * self.weight) * {factor}
        return zz_library.outer(y) * scale + float(os.environ["ZZ_SHIFT"])


def make(size):
    net = Net(size)
    values = torch.load(HERE / "weights.pt")
    net.load_state_dict({{"weight": values[:size]}})
    return net.eval()
"""

DEEP = """
import torch

def first(x): return torch.relu(x) + {bend} * x
def second(x): return torch.tanh(x) - {bend} * x
"""

LIBRARY = "def outer(y):\n    return y + {version}\n"


@dataclass(frozen=True)
class Project:
    """What the files say; each field is edited for itself."""

    function: str = "first"
    factor: float = 1.5
    bend: float = 0.25
    version: int = 1
    weights: int = 0
    size: int = 6
    name: str = "x"
    most: int = 64
    brightness: int = 4
    shift: float = 0.5
    scale: float = 2.0
    level: str = "all"
    comment: str = "# one"
    unrelated: int = 1

    def write(self, folder: Path) -> None:
        """Write every file."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name, text in {"zz_models": MODELS, "zz_net": NET, "zz_deep": DEEP}.items():
            (folder / f"{name}.py").write_text(text.format(**fields))
        library = folder / "library"
        (library / "zz_library").mkdir(parents=True, exist_ok=True)
        (library / "zz_library/__init__.py").write_text(LIBRARY.format(**fields))
        place = library / "zz_library-0.dist-info"
        place.mkdir(exist_ok=True)
        (place / "top_level.txt").write_text("zz_library\n")
        (place / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: zz_library\nVersion: {self.version}.0\n"
        )
        torch.manual_seed(self.weights)
        torch.save(torch.rand(16) + 0.5, folder / "weights.pt")
        (folder / "scale.json").write_text(json.dumps(self.scale))

    @property
    def decisive(self) -> tuple[Any, ...]:
        """Return what decides which engine is right: all but feeds, comments and neighbours."""
        return (
            *(self.function, self.factor, self.bend, self.version, self.weights, self.size),
            *(self.name, self.most, self.shift, self.scale, self.level),
        )


EDITS: dict[str, Callable[[Random], dict[str, Any]]] = {
    "forward": lambda random: {"function": random.choice(["first", "second"])},
    "constant": lambda random: {"factor": random.choice([0.5, 1.0, 1.5, 2.5])},
    "helper": lambda random: {"bend": random.choice([0.0, 0.25, 0.5, 0.75])},
    "library": lambda random: {"version": random.randrange(1, 5)},
    "weights": lambda random: {"weights": random.randrange(4)},
    "size": lambda random: {"size": random.choice([4, 6, 8])},
    "name": lambda random: {"name": random.choice(["x", "rows"])},
    "bounds": lambda random: {"most": random.choice([32, 64])},
    "preprocess": lambda random: {"brightness": random.choice([2, 4, 8])},
    "variable": lambda random: {"shift": random.choice([0.5, 1.0, -1.0])},
    "data file": lambda random: {"scale": random.choice([1.0, 2.0, 3.0])},
    "option": lambda random: {"level": random.choice(["all", "basic"])},
    "comment": lambda random: {"comment": f"# {random.randrange(10**6)}"},
    "neighbour": lambda random: {"unrelated": random.randrange(10**6)},
}


@dataclass
class Tally:
    """What was seen over all edits."""

    edits: Counter[str] = field(default_factory=Counter)
    stale: list[str] = field(default_factory=list)
    built: Counter[str] = field(default_factory=Counter)
    needless: Counter[str] = field(default_factory=Counter)
    found: int = 0
    seconds: float = 0.0


def edited(project: Project, history: list[Project], random: Random) -> tuple[str, Project]:
    """Return the name of an edit that changes something, and what it makes of a project."""
    while True:
        kind = random.choice([*EDITS, "taken back"])
        if kind == "taken back":
            new = random.choice(history)
        else:
            new = replace(project, **EDITS[kind](random))
        if new != project:
            return kind, new


def run(project: Project, name: str, folder: Path, out: Path) -> None:
    """Ask the package for an engine and the reference, in this process, which ends afterwards."""
    os.environ[VARIABLE] = str(project.shift)
    sys.path.insert(0, str(folder / "library"))
    importlib.invalidate_caches()
    source.import_source(Source(file=str(folder / "zz_models.py")))
    hosts = dict.fromkeys(("eager", *ENGINES), "inline")
    config = InferConfig(device="cpu", cache=folder / "cache", hosts=hosts)
    session = InferSession(config)
    options = (("optimization_level", project.level),) if name == "ort" else ()
    case = Case("edited", name, "fp32", 2, "cpu", options if project.level != "all" else ())
    feeds = session.artefacts.models.feeds("edited", 2)
    with under_test(case, session.artefacts.engines.of(case), session.hosts) as engine:
        outputs = engine(feeds)["y"]
    kept = {
        "engine": outputs,
        "reference": session.artefacts.eager.reference(case, "fp64")["y"],
        "feeds": next(iter(feeds.values())),
        "built": session.artefacts.engines.tally.made,
    }
    np.savez(out, **kept)
    session.close()


def truth(project: Project, photographs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the network must be fed and answer, by the definitions above."""
    feeds = photographs[:, : project.size].astype(np.float32) * project.brightness / 255
    torch.manual_seed(project.weights)
    weight = (torch.rand(16) + 0.5)[: project.size].double()
    x = torch.tensor(feeds).double() * weight
    bent = torch.relu(x) + project.bend * x
    if project.function == "second":
        bent = torch.tanh(x) - project.bend * x
    y = (bent * project.factor + project.version) * project.scale + project.shift
    return feeds, y.numpy()


def in_a_process(project: Project, name: str, folder: Path, out: Path) -> None:
    """Fork, so that every run has fresh modules and torch is imported once."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with (folder / "log.txt").open("w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
                run(project, name, folder, out)
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit((folder / "log.txt").read_text())


def check(project: Project, kept: dict[str, Any], photographs: np.ndarray) -> list[str]:
    """Return what of a run is about another model than ``project``."""
    feeds, wanted = truth(project, photographs)
    stale = [] if np.allclose(kept["feeds"], feeds) else ["feeds"]
    for name in ("engine", "reference"):
        value = kept[name]
        same = value.shape == wanted.shape and np.allclose(value, wanted, rtol=1e-4, atol=1e-5)
        stale += [] if same else [name]
    return stale


def tally(edits: int, seed: int) -> Tally:
    """Make a number of edits, and look at what each run answers."""
    from pytest_infer.models.photographs import photographs as carried

    random, counts, began = Random(seed), Tally(), monotonic()
    pixels = np.stack([each.pixels[:16, 0, 0] for each in carried()[:2]])
    with TemporaryDirectory() as place:
        folder, project = Path(place), Project()
        history, built = [project], set()
        for number in range(edits + 1):
            kind = "first"
            if number:
                kind, project = edited(project, history, random)
                history.append(project)
            project.write(folder)
            engine = random.choice(ENGINES)
            in_a_process(project, engine, folder, folder / "out.npz")
            with np.load(folder / "out.npz") as found:
                kept = dict(found)
            faults = check(project, kept, pixels)
            is_new, known = bool(kept["built"]), (engine, project.decisive) in built
            built.add((engine, project.decisive))
            counts.edits[kind] += 1
            counts.stale += [f"{number} {kind}, {engine}: {each}" for each in faults]
            counts.built[kind] += is_new
            counts.found += not is_new
            counts.needless[kind] += is_new and known
    counts.seconds = monotonic() - began
    return counts


def table(counts: Tally) -> str:
    """Return what was seen, in Markdown."""
    lines = ["| edit | edits | engines built | of them needless |", "|---|---|---|---|"]
    lines += [
        f"| {kind} | {number} | {counts.built[kind]} | {counts.needless[kind]} |"
        for kind, number in sorted(counts.edits.items())
    ]
    total, needless = counts.built.total(), counts.needless.total()
    sums = (
        f"{counts.edits.total() - 1} edits, {len(counts.stale)} stale verdicts; {total} engines "
        f"built, {needless} of them needless ({needless / total:.0%}), {counts.found} found; "
        f"{counts.seconds:.0f} s"
    )
    return "\n".join([*lines, "", sums, *counts.stale])


def main() -> None:
    """Edit, run, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for module in ("onnx", "onnxscript", "onnxruntime", "torch.onnx", "torch._dynamo", "scipy"):
        importlib.import_module(module)
    torch.set_num_threads(1)
    counts = tally(options.edits, options.seed)
    print(table(counts))
    sys.exit(bool(counts.stale))


if __name__ == "__main__":
    main()
