"""Collect verdicts of ``--infer-against``: one line of JSON each, with its pairs.

    python benchmarks/gate/pairs.py --against=popen//python=/opt/same/bin/python \
        --cases=mobilenet_v2:ort,mobilenet_v2:openvino --repeats=6 --loads=quiet,neighbour \
        --out=benchmarks/gate/data/pairs.jsonl

``--against`` is an environment with the same versions. ``--slowed=0.05`` makes the new environment
slower by 5 % (`slowed`). A line that is there already (same case, load, slowdown, window and
repeat) is not taken again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

from collect import case_of, neighbour

from pytest_infer.config import InferConfig
from pytest_infer.judges.against import CPU_PAIRS, pairs_until_decided
from pytest_infer.models.source import Source, import_source
from pytest_infer.session.pair_timer import Arm
from pytest_infer.session.session import InferSession
from pytest_infer.timing.pair import NEW, OLD, Pair

HERE = Path(__file__).parent


def parse() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--against", required=True, help="SPEC of the other environment")
    parser.add_argument("--cases", required=True, help="MODEL:ENGINE[:PRECISION],…")
    parser.add_argument("--slowed", type=float, default=0.0)
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--loads", default="quiet,neighbour")
    parser.add_argument("--with-rounds", action="store_true", help="keep what each round took, too")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin nothing later than this")
    parser.add_argument("--pause", type=Path, help="wait while this file exists")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def take(session: InferSession, case: Any, *, with_rounds: bool) -> dict[str, Any]:
    """Return one verdict, and what it stands on."""
    feeds = session.artefacts.models.feeds(case.model, case.batch)
    arms = {
        NEW: Arm(session.hosts, session.artefacts.engines.of(case)),
        OLD: Arm(session.rival.hosts, session.rival.built(case)),
    }
    began = monotonic()
    decision, pairs, _ = pairs_until_decided(
        lambda: session.pair_timer(case, arms, feeds), lambda _: CPU_PAIRS, cases=1
    )
    return {
        "elapsed_s": round(monotonic() - began, 1),
        **asdict(decision),
        "pairs": [
            {
                "change": round(each.change, 5),
                "clock": each.clock,
                "kept": each.kept,
                "disturbed": dict(each.disturbed),
                **({"rounds": rounds_of(each)} if with_rounds else {}),
            }
            for each in pairs
        ],
    }


def rounds_of(pair: Pair) -> list[list[int | str]]:
    """Return what each round took in the new and in the old environment, and what disturbed it."""
    return [
        [round(one.medians_ns[NEW]), round(one.medians_ns[OLD]), one.disturbance]
        for one in pair.rounds
    ]


def main() -> None:
    """Collect what is asked for and not there yet."""
    options = parse()
    import_source(Source(file=str(HERE / "slowed.py")))
    cases = [case_of(text, "cpu") for text in options.cases.split(",")]
    hosts = {}
    if options.slowed:
        cases = [replace(case, engine=f"slowed-{case.engine}") for case in cases]
        hosts = {case.engine: f"popen//env:INFER_SLOWED={options.slowed:g}" for case in cases}
    against = {case.engine: options.against for case in cases}
    config = InferConfig(device="cpu", cache=options.cache, hosts=hosts, against=against)
    session = InferSession(config)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    present = options.out.read_text().splitlines() if options.out.exists() else []
    done = {tuple(json.loads(line)["key"]) for line in present}
    began = monotonic()
    try:
        for repeat in range(options.repeats):
            for load in options.loads.split(","):
                for case in Random().sample(cases, len(cases)):
                    key = (options.window, case.id, load, options.slowed, repeat)
                    if key in done or monotonic() - began > options.seconds:
                        continue
                    while options.pause and options.pause.exists():
                        sleep(1)
                    with neighbour(load, "cpu"):
                        taken = take(session, case, with_rounds=options.with_rounds)
                    line = {
                        "key": key,
                        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                        "device": session.artefacts.identities.device(case.engine, "cpu")["name"],
                        "versions": session.artefacts.identities.runtime(case.engine),
                        "old_versions": session.rival.identities.runtime(case.engine),
                        **taken,
                    }
                    with options.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    changes = " ".join(f"{each['change']:+.2%}" for each in taken["pairs"])
                    print(*key, taken["outcome"], f"{taken['elapsed_s']} s", changes, flush=True)
    finally:
        session.close()


if __name__ == "__main__":
    main()
