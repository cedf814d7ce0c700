"""Damage built engines in the cache at random, and run whatever is served then.

    python benchmarks/reliability/artefacts.py                     # some minutes
    python benchmarks/reliability/artefacts.py --family=ort --damages=20

For each family of engines on a CPU, a file of the cached engine of a small model is damaged, or its
manifest: bits flipped, cut short, emptied, removed, or its end overwritten. Then the engine is
asked for, opened and run, in an engine host as in every run; its outputs must be those of the
engine before it was ever damaged. A rebuild copies what the library has built once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from toy_engines import FAMILIES, PRISTINE, copied

from pytest_infer import BuiltEngine, Case
from pytest_infer.config import InferConfig
from pytest_infer.engines.requests import build_request
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.session.session import InferSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_infer.hosts.results import BuildResult

MOST_FLIPS = 8
BIGGEST_TAIL_BYTES = 64


def flip(path: Path, random: Random) -> None:
    """Flip some bits anywhere."""
    content = bytearray(path.read_bytes())
    for _ in range(random.randint(1, MOST_FLIPS)):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def cut(path: Path, random: Random) -> None:
    """Leave a beginning, perhaps nothing."""
    os.truncate(path, random.randrange(path.stat().st_size))


def overwrite(path: Path, random: Random) -> None:
    """Overwrite the last bytes, as a block that was never written."""
    size = min(path.stat().st_size, random.randint(1, BIGGEST_TAIL_BYTES))
    with path.open("r+b") as file:
        file.seek(-size, os.SEEK_END)
        file.write(random.randbytes(size))


def lengthen(path: Path, random: Random) -> None:
    """Append bytes."""
    with path.open("ab") as file:
        file.write(random.randbytes(random.randint(1, BIGGEST_TAIL_BYTES)))


def remove(path: Path, random: Random) -> None:
    """Leave no file."""
    del random
    path.unlink()


DAMAGES: tuple[Callable[[Path, Random], None], ...] = (
    *(flip, flip, flip, cut, cut, cut),
    *(overwrite, lengthen, remove),
)
"""Most are flips and cuts."""


def tried(session: InferSession, family: str, damages: int, random: Random) -> Counter[str]:
    """Damage a family's engine a number of times; return what was served, by kind."""
    case = Case("toy", copied(family), "fp32", 1, "cpu")
    artefacts, counts = session.artefacts, Counter[str]()
    graph, request = artefacts.graphs.of(case), build_request(case)
    feeds = artefacts.models.feeds(case.model, case.batch)

    def served() -> tuple[BuildResult, dict[str, Any]]:
        client = EngineClient(session.hosts.shared(case.engine))
        entry = client.build(
            engine=case.engine,
            graph=graph,
            request=request,
            cache=str(session.cache.root),
            doing="build",
        )
        built = BuiltEngine(case.engine, graph, request, entry.folder)
        runner = client.open(built=built, doing="open")
        outputs = client.infer(runner=runner, feeds=feeds, doing="run")
        client.close(runner=runner, doing="close")
        return entry, outputs

    entry, truth = served()
    folder = Path(entry.folder)
    for _ in range(damages):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        path, damage = random.choice(files), random.choice(DAMAGES)
        before = path.read_bytes()
        damage(path, random)
        counts["manifests"] += path.name == "manifest.json"
        is_harmless = path.exists() and path.read_bytes() == before
        try:
            entry, outputs = served()
        except Exception as error:  # noqa: BLE001 - whatever ends a case is counted
            counts["crashed"] += 1
            print(f"{family}: {damage.__name__} of {path.name}: {error}", file=sys.stderr)
            continue
        counts["rebuilt"] += entry.is_new
        counts["undamaged after all"] += is_harmless and not entry.is_new
        counts["served as it was"] += not entry.is_new and not is_harmless
        counts["wrong"] += not all(np.array_equal(outputs[name], truth[name]) for name in truth)
    return counts


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per family; the exit status says whether any is bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--family", choices=FAMILIES, action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print("| family | damages | of manifests | rebuilt | found | wrong outputs | crashes | s |")
    print("|---|---|---|---|---|---|---|---|")
    bad = 0
    for family in options.family or FAMILIES:
        with TemporaryDirectory() as place:
            os.environ[PRISTINE] = str(Path(place, "pristine"))
            config = InferConfig(cache=Path(place, "cache"), device="cpu")
            session, began_s = InferSession(config), monotonic()
            try:
                found = tried(session, family, options.damages, Random(options.seed))
            finally:
                session.close()
        kept = found["served as it was"] + found["undamaged after all"]
        print(
            f"| `{family}` | {options.damages} | {found['manifests']} | {found['rebuilt']} | "
            f"{kept} | {found['wrong']} | {found['crashed']} | {monotonic() - began_s:.0f} |",
            flush=True,
        )
        bad += found["wrong"] + found["crashed"]
    sys.exit(f"{bad} bad" if bad else 0)


if __name__ == "__main__":
    main()
