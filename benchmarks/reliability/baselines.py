"""Store baselines from many processes that are killed at random, on a full disk, without a right.

    python benchmarks/reliability/baselines.py                     # some minutes
    python benchmarks/reliability/baselines.py --writers=4 --entries=20

A writer stores one entry at a time and acknowledges it when `update` has returned. Writers are
ended by SIGKILL at random moments, and others go on with what was not acknowledged. All write to
all files, while a reader reads them. The full disk is a tmpfs of 256 KiB, which root mounts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from select import select
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from pytest_infer import BaselineError, Case
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.folder import Baselines
from pytest_infer.baselines.store import update

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEVICE = {"kind": "cpu", "name": "benchmark"}
MODELS = 16
"""Files among which the entries are shared out."""

KILL_EVERY_S = 1.0
DISK_BYTES = 256 * 1024


@dataclass
class Writer:
    """A process, what it has to store, and what it has acknowledged."""

    folder: Path
    name: str
    waiting: list[int]
    acknowledged: list[int] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process on what is not acknowledged yet."""
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--write", str(self.folder), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.stdin.write("\n".join(map(str, self.waiting)))
        self.stdin.close()

    @property
    def stdin(self) -> object:
        """Return where it reads what to store."""
        return self.process.stdin

    def take(self) -> bool:
        """Take one acknowledgement; return False if the process has ended."""
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            self.process.wait()
            return False
        number = int(line)
        self.waiting.remove(number)
        self.acknowledged.append(number)
        return True


def case(writer: str, number: int) -> Case:
    """Return the case of a writer's entry; its file is one of `MODELS`."""
    return Case(f"net{number % MODELS}", writer, "fp32", number + 1, "cpu")


def entry(number: int) -> Entry:
    """Return an entry whose figure says which one it is."""
    provenance = Measured("benchmark", "2026-01-02", "benchmarks/reliability/baselines.py")
    return Entry({"p50_ms": float(number + 1)}, provenance)


def write(folder: Path, writer: str) -> None:
    """Store what stdin names, one by one, and acknowledge each."""
    for line in sys.stdin.read().split():
        number = int(line)
        update(folder, DEVICE, {case(writer, number): entry(number)})
        print(number, flush=True)


def fight(folder: Path, writers: int, entries: int, random: Random) -> None:
    """Let writers store and be killed until all is acknowledged; print what was lost."""
    fleet = [Writer(folder, f"writer{each}", list(range(entries))) for each in range(writers)]
    for each in fleet:
        each.start()
    kills, reads, began_s = 0, 0, monotonic()
    next_kill_s = began_s + KILL_EVERY_S
    while alive := [each for each in fleet if each.process]:
        ready, _, _ = select([each.process.stdout for each in alive], [], [], 0.1)
        for each in [each for each in alive if each.process.stdout in ready]:
            if not each.take():
                each.process = None
                if each.waiting:
                    each.start()
        running = [each for each in alive if each.process]
        if running and monotonic() > next_kill_s:
            random.choice(running).process.kill()
            kills, next_kill_s = kills + 1, monotonic() + random.uniform(0, 2 * KILL_EVERY_S)
            Baselines(folder).read(f"net{random.randrange(MODELS)}")
            reads += 1
    lost = [key for each in fleet for key in lost_of(folder, each)]
    total = sum(len(each.acknowledged) for each in fleet)
    print(f"{writers} writers x {entries} entries: {total} acknowledged, {kills} killed by SIGKILL")
    print(f"lost: {len(lost)}; reads meanwhile: {reads}, all whole; {monotonic() - began_s:.0f} s")
    if lost:
        sys.exit(f"lost: {lost[:10]}")


def lost_of(folder: Path, writer: Writer) -> list[str]:
    """Return the keys of acknowledged entries that are not there, or are others."""
    there = {
        key: each for n in range(MODELS) for key, each in Baselines(folder).read(f"net{n}").items()
    }
    return [
        key
        for number in writer.acknowledged
        if there.get(key := case(writer.name, number).id) != entry(number)
    ]


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """Mount a disk of some kilobytes."""
    mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place))
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S607 - of the system


def mount(*options: str) -> None:
    """Call mount."""
    subprocess.run(["mount", *options], check=True)  # noqa: S607 - of the system


def fill(place: Path) -> None:
    """Store until the disk is full, then where nothing may be written; print what was said."""
    stored = 0
    try:
        while True:
            update(place / "cpu", DEVICE, {case("full", stored * MODELS): entry(stored)})
            stored += 1
    except BaselineError as error:
        print(f"disk full after {stored} entries:\n{error}")
    check(place, stored)
    mount("-o", "remount,ro", str(place))
    try:
        update(place / "cpu", DEVICE, {case("full", 0): entry(9)})
    except BaselineError as error:
        print(f"read-only:\n{error}")
    else:
        sys.exit("a read-only folder was written to")
    check(place, stored)
    print(f"both times the old file is whole, with its {stored} entries")


def check(place: Path, stored: int) -> None:
    """End the benchmark unless every stored entry is there, and nothing else."""
    there = Baselines(place / "cpu").read("net0")
    wanted = {case("full", number * MODELS).id: entry(number) for number in range(stored)}
    if there != wanted:
        sys.exit(f"{len(there)} entries instead of {stored}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all, or be one writer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.write:
        write(Path(options.write[0]), options.write[1])
        return
    with TemporaryDirectory() as place:
        fight(Path(place), options.writers, options.entries, Random(options.seed))
    if os.geteuid():
        sys.exit("full disk and read-only folder: not tried, since mounting a disk takes root")
    with TemporaryDirectory() as place, small_disk(Path(place)):
        fill(Path(place))


if __name__ == "__main__":
    main()
