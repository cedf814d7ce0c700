"""Store what a builder has timed beside the baselines, so that later builds choose alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.hosts.engine_client import EngineClient

if TYPE_CHECKING:
    from pytest_infer.baselines.chosen import ChosenBaselines
    from pytest_infer.case import Case
    from pytest_infer.hosts.pool import HostPool


def keep_timings(case: Case, hosts: HostPool, baselines: ChosenBaselines) -> str:
    """Store the timings of all builds in the cache of the case's host, which its library merges.

    Return the SHA-256 of what is stored now; empty if there were none.
    """
    client = EngineClient(hosts.shared(case.engine))
    doing = f"keep the timings of {case.id}"
    found = client.timings(
        engine=case.engine, device=case.device, cache=client.host.place.cache, doing=doing
    )
    if not found.content:
        return ""
    return baselines.keep_timings(
        found.name,
        lambda there: client.merge_timings(
            engine=case.engine,
            device=case.device,
            first=there,
            second=found.content,
            doing=doing,
        ),
    )
