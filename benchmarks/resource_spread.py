"""How far sizes, memory, build and load times spread between processes where nothing has changed.

    python benchmarks/resource_spread.py --cases=mobilenet_v2:ort,resnet50:openvino --processes=10

Each process opens the same built engine and calls it twice; in the first ``--builds`` it is built
again. It prints a line of Markdown per case and figure: the median, and
the largest over the median, as a share.
"""

from __future__ import annotations

import argparse
from statistics import median

from pytest_infer import Case
from pytest_infer.config import InferConfig
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.session.session import InferSession

DOING = "look at an engine's resources"


def resources(session: InferSession, case: Case, *, is_rebuilt: bool) -> dict[str, float]:
    """Return what one fresh process says of the case's engine."""
    engines = session.artefacts.engines
    built = engines.rebuilt(case) if is_rebuilt else engines.of(case)
    feeds = session.artefacts.models.feeds(case.model, case.batch)
    with session.hosts.fresh(case.engine) as host:
        client = EngineClient(host)
        runner = client.open(built=built, doing=DOING)
        client.infer(runner=runner, feeds=feeds, doing=DOING)
        client.infer(runner=runner, feeds=feeds, doing=DOING)
        return client.resources(runner=runner, doing=DOING)


def main() -> None:
    """Print the spreads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", required=True, help="MODEL:ENGINE,…")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--builds", type=int, default=3, help="of them, with a build each")
    options = parser.parse_args()
    session = InferSession(InferConfig(device="cpu"))
    print("| case | figure | median | largest / median |\n| --- | --- | --- | --- |")
    try:
        for text in options.cases.split(","):
            model, engine = text.split(":")
            case = Case(model, engine, "fp32", 1, "cpu")
            found = [
                resources(session, case, is_rebuilt=number < options.builds)
                for number in range(options.processes)
            ]
            for name in found[0]:
                values = [each[name] for each in found]
                usual = median(values)
                print(f"| {case.id} | {name} | {usual:.4g} | {max(values) / usual - 1:+.1%} |")
    finally:
        session.close()


if __name__ == "__main__":
    main()
