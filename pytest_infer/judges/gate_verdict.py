"""Word what the latency gate has decided."""

from __future__ import annotations

from math import exp, isfinite
from statistics import fmean, median
from typing import TYPE_CHECKING

from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.judges.gate import Decision, Stored
    from pytest_infer.judges.terms import Terms
    from pytest_infer.timing.measurement import Measurement

LARGE_CHANGE = 0.5
"""A change that is shown by both ratios, for the stored one may be wrong."""


def verdict_of(
    decision: Decision,
    looks: Sequence[Measurement],
    stored: Stored,
    terms: Terms,
    *,
    subject: str,
    mend: str,
    since: str = "",
    is_same: bool = False,
) -> Verdict:
    """Return the verdict; ``since`` says what is known to have changed, ``mend`` stores again.

    ``is_same``: the very artefact that was stored, run by the same libraries. Pass: ``unchanged``,
    ``improved``; fail: ``regressed``, ``engine-regressed``; inconclusive: ``unexplained``,
    ``inconclusive-noisy``, ``inconclusive-throttled``.
    """
    figures = _figures(decision, looks, terms)
    plain = _plain(looks, stored)
    reasons = _reasons(decision, looks, stored, terms)
    why = "\n".join([since, *reasons] if since else reasons)
    if decision.outcome == "regressed" and is_same:
        message = (
            f"{subject} is slower: {plain}{decision.change:+.1%} against {decision.beside}. "
            "Nothing that is known of it has changed: the artefact and the libraries are those "
            "that were stored. Look for what changed on the machine, or accept it with "
            f"{mend}: {why}"
        )
        return Verdict("baseline", "inconclusive", "unexplained", message, figures)
    if decision.outcome == "regressed":
        return failed(
            "baseline",
            "regressed",
            what=f"{subject} regressed: {plain}{decision.change:+.1%} against {decision.beside}",
            why=why,
            mend=f"find what became slow, or accept it: {mend}",
            figures=figures,
        )
    if decision.outcome == "engine-regressed":
        return failed(
            "baseline",
            "engine-regressed",
            what=f"{subject}: its whole engine is slower: {plain}"
            f"{decision.engine_change:+.1%} on the reference net",
            why=why,
            mend=f"look for what changed in the engine or on the machine, or accept it: {mend}",
            figures=figures,
        )
    if decision.outcome in {"noisy", "throttled"}:
        code = f"inconclusive-{decision.outcome}"
        message = (
            f"{subject}: no verdict after {len(looks)} measurements, the device was "
            f"{'slowed down' if decision.outcome == 'throttled' else 'not quiet'}: {why}; "
            "run again on a quiet, cool device"
        )
        return Verdict("baseline", "inconclusive", code, message, figures)
    if decision.outcome == "improved":
        change = f"{decision.change:+.1%} against {decision.beside}"
        message = f"{subject} improved: {plain}{change}; keep it with {mend}; {why}"
        return Verdict("baseline", "pass", "improved", message, figures)
    message = f"{subject} is unchanged: {plain}{why}"
    return Verdict("baseline", "pass", "unchanged", message, figures)


def _plain(looks: Sequence[Measurement], stored: Stored) -> str:
    """Return what the engine takes and took by medians, which a person looks for first."""
    usable = [each.engine_ms for each in looks if each.is_usable]
    if not usable or not stored.engine_ms:
        return ""
    now, before = median(usable), median(stored.engine_ms)
    return f"{now:.4g} ms now, {before:.4g} ms stored ({now / before - 1:+.1%}); "


def _reasons(
    decision: Decision, looks: Sequence[Measurement], stored: Stored, terms: Terms
) -> list[str]:
    usable = [each for each in looks if each.is_usable]
    allowed = f"{decision.limit:.2%} is allowed ({terms.name})"
    looked = f"{len(usable) - decision.left_out} of {len(looks)} measurements"
    reasons = [f"{decision.change:+.2%} against {decision.beside} in {looked}, {allowed}"]
    if decision.left_out:
        reasons.append(f"left out: {decision.left_out}, too far from the others to be like them")
    if decision.acquitting_change is not None:
        reasons.append(
            f"the fastest of them says {decision.acquitting_change:+.2%}, and {terms.delta:.0%} is "
            "allowed: other work on the host makes launches slower, never faster"
        )
    if any(each.duet is not None for each in looks):
        reasons.append(f"one measurement beside it spreads by {decision.spread:.2%}")
        reasons.append(
            f"{decision.ratio_change:+.2%} against the reference net since it was stored"
        )
    else:
        count = len(stored.thetas)
        reasons.append(f"stored: {count} measurements; one spreads by {decision.spread:.2%}")
    if abs(decision.ratio_change) > LARGE_CHANGE:
        before = fmean(stored.thetas)
        reasons.append(
            f"the engine took {exp(before):.3g} times as long as the reference net when it was "
            f"stored (theta {before:.3g}), and {(1 + decision.ratio_change) * exp(before):.3g} "
            "times now; is the stored figure right?"
        )
    reasons.append(f"the engine itself: {decision.engine_change:+.1%} on the reference net")
    if terms.is_launch_bound:
        reasons.append(
            "the host's launches take as long as the call; a CUDA graph (cuda_graph=true, where "
            "the engine has that setting) or a larger batch lets the GPU decide, at a limit of 0.7%"
        )
    reasons += [f"measurement {n}: {each.told()}" for n, each in enumerate(looks, 1)]
    foreign = {str(name) for each in looks for name in each.foreign_processes}
    return reasons + ([f"others on the GPU: {', '.join(sorted(foreign))}"] if foreign else [])


def _figures(decision: Decision, looks: Sequence[Measurement], terms: Terms) -> Mapping[str, float]:
    figures = {
        "theta": fmean(each.theta for each in looks),
        "change": decision.change,
        "limit": decision.limit,
        "ratio_change": decision.ratio_change,
        "engine_change": decision.engine_change,
        "spread": decision.spread,
        "measurements": float(len(looks)),
        "rounds_kept": float(sum(each.kept for each in looks)),
        "rounds_dropped": float(sum(sum(each.dropped.values()) for each in looks)),
    }
    if looks[0].enqueue_share is not None and not terms.is_launch_bound:
        figures["over_kernel"] = median(each.over_kernel for each in looks)
    return {name: value for name, value in figures.items() if isfinite(value)}
