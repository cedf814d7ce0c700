"""Collect measurements for the gate's error rates: one line of JSON per fresh process.

    python benchmarks/gate/collect.py --device=cpu --cases=mobilenet_v2:ort,resnet50:ort \
        --window=1 --repeats=3 --loads=quiet,neighbour --out=benchmarks/gate/data/cpu.jsonl

A *window* is a stretch of time; baselines and candidates will be taken from different ones. Each
repeat goes once through all cases in random order, with and without a neighbour. Beside every
measurement another fresh process calls the engine alone for as long, for the rivals that know only
durations. A line that is there already (same window, case, load and repeat) is not taken again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from statistics import fmean, median
from time import monotonic
from typing import TYPE_CHECKING, Any

from pytest_infer import Case, EngineUnderTest
from pytest_infer.config import InferConfig
from pytest_infer.engines.registry import find
from pytest_infer.engines.setting import read_options
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.models.source import Source, import_source
from pytest_infer.session.gate_timer import open_bound, reference_case
from pytest_infer.session.session import InferSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer import Arrays

HERE = Path(__file__).parent
SLOWER = "_slower"
"""Stands in the names of `slower`'s nets, after their originals'."""

RIVAL_S = 2.0
"""For so long the engine is called alone: about as long as a measurement's rounds take."""


def parse() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cases", required=True, help="MODEL:ENGINE[:PRECISION[:NAME=VALUE…]],…")
    parser.add_argument("--window", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--loads", default="quiet,neighbour")
    parser.add_argument("--no-rivals", action="store_true", help="leave out the other process")
    parser.add_argument("--host", action="append", default=[], help="ENGINE=SPEC")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def case_of(text: str, device: str) -> Case:
    """Return the case that ``text`` names."""
    model, engine, *rest = text.split(":")
    precision = rest[0] if rest else "fp32"
    named = dict(each.split("=") for each in rest[1:])
    options = tuple(read_options(find(engine).options, engine, named).items())
    return Case(model, engine, precision, 1, device, options)  # type: ignore[arg-type]


@contextmanager
def neighbour(load: str, device: str) -> Iterator[None]:
    """Run the neighbour meanwhile, if ``load`` says so."""
    if load == "quiet":
        yield
        return
    if load != "neighbour" or device != "cpu":
        raise SystemExit(f"there is no load {load!r} for {device}: quiet, or neighbour on a CPU")
    process = subprocess.Popen([sys.executable, str(HERE / "neighbour.py")])
    try:
        yield
        if process.poll() is not None:
            raise SystemExit("the neighbour ended while it was to work")
    finally:
        process.kill()
        process.wait()


class Collector:
    """Measures cases of one session."""

    def __init__(self, session: InferSession, *, has_rivals: bool) -> None:
        self._session = session
        self._has_rivals = has_rivals
        self._built: dict[Case, tuple[EngineUnderTest, Arrays]] = {}

    def build(self, case: Case) -> None:
        """Build what the case and its reference net need, and nothing later."""
        artefacts = self._session.artefacts
        feeds = artefacts.models.feeds(case.model, case.batch)
        engine = EngineUnderTest(case, artefacts.engines.of(case), self._session.hosts)
        self._built[case] = engine, feeds
        artefacts.engines.of(reference_case(case))
        self._stored(case)

    def take(self, case: Case) -> dict[str, Any]:
        """Return one measurement, and what the rivals see in another process of like length."""
        engine, feeds = self._built[case]
        began = monotonic()
        found = self._session.gate_timer(engine, feeds, self._stored(case))
        elapsed = monotonic() - began
        return {
            "theta": found.theta,
            "rho": found.rho,
            "engine_ms": found.engine_ms,
            "duet": found.duet,
            "enqueue_share": found.enqueue_share,
            "kept": found.kept,
            "dropped": dict(found.dropped),
            "elapsed_s": round(elapsed, 2),
            "gpu": found.gpu,
            "foreign": list(found.foreign_processes),
            "alone": self._alone(engine, feeds) if self._has_rivals else None,
        }

    def _stored(self, case: Case) -> str:
        """Return the folder of the original net's engine, which runs beside every case."""
        original, _, _ = case.model.partition(SLOWER)
        return self._session.artefacts.engines.of(replace(case, model=original)).folder

    def _alone(self, engine: EngineUnderTest, feeds: Arrays) -> dict[str, float]:
        """Return min, median and mean in ms of the engine's calls in a fresh process."""
        session, case = self._session, engine.case
        setting = session.gate_timer.setting(case)
        fresh = session.hosts.fresh(case.engine, threads=setting.threads)
        with session.devices.alone([case.engine]), fresh as host:
            client = EngineClient(host)
            runner = open_bound(client, case, engine.built, feeds, setting)

            def durations(calls: int) -> list[int]:
                found = client.time(runner=runner, calls=calls, doing="time")
                return next(iter(found.values()))

            durations(2)
            call_ms = median(durations(5)) / 1e6
            taken = [ns / 1e6 for ns in durations(max(5, int(RIVAL_S * 1000 / call_ms)))]
        return {"min_ms": min(taken), "median_ms": median(taken), "mean_ms": fmean(taken)}


def main() -> None:
    """Collect what is asked for and not there yet."""
    options = parse()
    import_source(Source(file=str(HERE / "slower.py")))
    hosts = dict(each.split("=", 1) for each in options.host)
    session = InferSession(InferConfig(device=options.device, cache=options.cache, hosts=hosts))
    cases = [case_of(text, options.device) for text in options.cases.split(",")]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    present = options.out.read_text().splitlines() if options.out.exists() else []
    done = {tuple(json.loads(line)["key"]) for line in present}
    collector = Collector(session, has_rivals=not options.no_rivals)
    try:
        for case in cases:
            collector.build(case)
        for repeat in range(options.repeats):
            for load in options.loads.split(","):
                for case in Random().sample(cases, len(cases)):
                    key = (options.window, case.id, load, repeat)
                    if key in done:
                        continue
                    with neighbour(load, options.device):
                        taken = collector.take(case)
                    device = session.artefacts.identities.device(case.engine, case.device)
                    line = {
                        "key": key,
                        "model": case.model,
                        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                        "device": device["name"],
                        "setting": asdict(session.gate_timer.setting(case)),
                        "versions": session.artefacts.identities.runtime(case.engine),
                        **taken,
                    }
                    with options.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    shown = ("theta", "rho", "engine_ms", "kept", "dropped", "elapsed_s")
                    print(*key, *(f"{name} {taken[name]}" for name in shown), flush=True)
    finally:
        session.close()


if __name__ == "__main__":
    main()
