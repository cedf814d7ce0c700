"""Measure built engines for the gate, each time in a fresh host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.engines.requests import with_threads
from pytest_infer.errors import TimingError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.timing.look import look_from_outputs
from pytest_infer.timing.measurement import ENGINE, REFERENCE, STORED
from pytest_infer.timing.rounds import LEAST_ROUNDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_infer.arrays import Arrays
    from pytest_infer.case import Case
    from pytest_infer.engines.protocol import BuiltEngine
    from pytest_infer.hosts.pool import HostPool
    from pytest_infer.session.artefacts import Artefacts
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.timed_arm import CallCounts
    from pytest_infer.timing.measurement import Measurement

REFERENCE_NET = "reference_net"
REFERENCE_BATCH = {"cpu": 1, "cuda": 16}
"""On a GPU one row would end before its launch does."""

FEW_CORES = 4
"""On so few, threads wait for each other's cores, and neighbours take them: one thread is gated."""


@dataclass(frozen=True)
class Setting:
    """Under which conditions a case is measured; figures of unlike ones are never compared."""

    clock: str
    threads: int
    """Of one inference; 0: the engine's own choice."""
    cores: int
    """Of the machine; 0 on a GPU."""
    rounds: int
    """That count, without a warm-up, as ``--infer-calls`` asks; 0: the plan of the device."""


class GateTimer:
    """Gives one `Measurement` after the other."""

    def __init__(
        self,
        hosts: HostPool,
        artefacts: Artefacts,
        counts: CallCounts,
        held: Callable[[Sequence[str]], AbstractContextManager[Callable[[], None]]],
    ) -> None:
        """Take ``held``, which holds the devices of engines and returns what ends all starting."""
        self._hosts = hosts
        self._artefacts = artefacts
        self._rounds = max(counts.calls, LEAST_ROUNDS) if counts.calls else 0
        self._held = held

    def setting(self, case: Case) -> Setting:
        """Return how ``case`` is measured on its device."""
        if Device.named(case.device).is_gpu:
            return Setting("cuda-event", threads=0, cores=0, rounds=self._rounds)
        cores = int(self._artefacts.identities.device(case.engine, case.device)["cores"])
        threads = 1 if cores <= FEW_CORES else 0
        return Setting("monotonic", threads=threads, cores=cores, rounds=self._rounds)

    def __call__(
        self, engine: EngineUnderTest, feeds: Arrays, stored_folder: str = ""
    ) -> Measurement:
        """Measure in a fresh host, beside the reference net and what is in ``stored_folder``.

        Nothing else of this package uses the device meanwhile.
        """
        case, setting = engine.case, self.setting(engine.case)
        reference = reference_case(case)
        arms = {
            ENGINE: (engine.built, feeds),
            REFERENCE: (
                self._artefacts.engines.of(reference),
                self._artefacts.models.feeds(reference.model, reference.batch),
            ),
        }
        if stored_folder:
            arms[STORED] = (replace(engine.built, folder=stored_folder), feeds)
        order = Random().sample(list(arms), len(arms))  # noqa: S311 - an order, not a secret
        fresh = self._hosts.fresh(case.engine, threads=setting.threads)
        doing = f"measure {case.id}"
        with self._held([case.engine]) as be_quiet, fresh as host:
            client = EngineClient(host)
            client.import_libraries(engine=case.engine, doing=doing)
            be_quiet()
            opened = {name: open_bound(client, case, *arms[name], setting) for name in order}
            runner = opened[ENGINE]
            first = client.infer(runner=runner, feeds=feeds, doing=doing, error=TimingError)
            found = client.measure(arms=opened, rounds=setting.rounds, doing=doing)
            seen = client.look(runner=runner, doing=doing)
            look = look_from_outputs(first, seen.timed, seen.after)
        return replace(found, look=look)

    def kept_folder(self, case: Case, artefact: str) -> str:
        """Return the folder of a built engine by its name; empty if the cache no longer has it."""
        client = EngineClient(self._hosts.shared(case.engine))
        found = client.kept(
            cache=client.host.place.cache,
            artefact=artefact,
            doing=f"look for the stored artefact of {case.id}",
        )
        if found:
            self._artefacts.engines.hold(case, found)
        return found


def reference_case(case: Case) -> Case:
    """Return the frozen net as ``case`` runs its own."""
    kind = Device.named(case.device).kind
    return replace(case, model=REFERENCE_NET, batch=REFERENCE_BATCH[kind])


def open_bound(
    client: EngineClient, case: Case, built: BuiltEngine, feeds: Arrays, setting: Setting
) -> int:
    """Open and bind one arm; return its number in the host."""
    doing = f"measure {case.id}"
    options: Mapping[str, Any] = engines.find(case.engine).options
    if setting.threads:
        built = replace(built, request=with_threads(built.request, options, setting.threads))
    runner = client.open(built=built, doing=doing)
    client.bind(runner=runner, feeds=feeds, doing=doing)
    return runner
