"""Word what pairs of processes say of an engine in two environments."""

from __future__ import annotations

from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_infer.judges.against import PairDecision, PairTerms
    from pytest_infer.timing.pair import Pair


def verdict_of(
    decision: PairDecision,
    pairs: Sequence[Pair],
    terms: PairTerms,
    *,
    subject: str,
    versions: str,
    artefacts: Sequence[str] = (),
    rounds: int = 0,
    figures: Mapping[str, float] | None = None,
) -> Verdict:
    """Return the verdict; ``versions`` says what differs, empty if nothing does.

    ``artefacts`` are the names of what the old and the new environment built, ``rounds`` are what
    ``--infer-calls`` asked for, 0 if it did not. Pass:
    ``unchanged``, ``improved``; fail: ``regressed``; inconclusive: ``inconclusive-noisy``,
    ``inconclusive-throttled``, ``inconclusive-spread``.
    """
    found = {**(figures or {}), **_figures(decision, pairs)}
    plain = _plain(pairs)
    why = "\n".join(_reasons(decision, pairs, terms, versions))
    if rounds:
        why += f"\n{rounds} rounds a pair, by --infer-calls: error rates are known only without it"
    if decision.outcome == "regressed":
        names = ", ".join(dict.fromkeys(name for name in artefacts if name))
        return failed(
            "against",
            "regressed",
            what=f"{subject} regressed: {plain}",
            why=why,
            mend="stay with the old environment, or report it"
            + (f"; the cache has both engines: {names}" if names else ""),
            figures=found,
        )
    if decision.outcome in {"noisy", "throttled"}:
        state = "slowed down" if decision.outcome == "throttled" else "not quiet"
        message = (
            f"{subject}: no verdict after {len(pairs)} pairs of processes, the device was {state}: "
            f"{why}; run again on a quiet, cool device"
        )
        return Verdict(
            "against", "inconclusive", f"inconclusive-{decision.outcome}", message, found
        )
    if decision.outcome == "spread":
        message = (
            f"{subject}: no verdict, for pairs of processes spread by {decision.spread:.1%}, and "
            f"less than {decision.limit:.1%} cannot be told from that: {why}; run again on a "
            "quieter device"
        )
        return Verdict("against", "inconclusive", "inconclusive-spread", message, found)
    verb = "improved" if decision.outcome == "improved" else "is unchanged"
    return Verdict("against", "pass", decision.outcome, f"{subject} {verb}: {plain}; {why}", found)


def _plain(pairs: Sequence[Pair]) -> str:
    """Return what a call takes in both environments."""
    old, new = _call_ms(pairs)
    return f"{new:.4g} ms in the new environment, {old:.4g} ms in the old one"


def _call_ms(pairs: Sequence[Pair]) -> tuple[float, float]:
    usable = [each for each in pairs if each.is_usable]
    if not usable:
        return float("nan"), float("nan")
    return fmean(each.old_ms for each in usable), fmean(each.new_ms for each in usable)


def _reasons(
    decision: PairDecision, pairs: Sequence[Pair], terms: PairTerms, versions: str
) -> list[str]:
    usable = sum(each.is_usable for each in pairs)
    reasons = [f"what differs: {versions or 'no library that is known'}"]
    if isfinite(decision.change):
        reasons.append(
            f"{decision.change:+.2%} in {usable} of {len(pairs)} pairs of processes, "
            f"{decision.limit:.2%} is allowed ({terms.name})"
        )
        reasons.append(f"one pair spreads by {decision.spread:.2%}")
    return reasons + [f"pair {number}: {each.told()}" for number, each in enumerate(pairs, 1)]


def _figures(decision: PairDecision, pairs: Sequence[Pair]) -> dict[str, float]:
    old, new = _call_ms(pairs)
    figures = {
        "against_change": decision.change,
        "against_limit": decision.limit,
        "against_spread": decision.spread,
        "against_pairs": float(len(pairs)),
        "old_ms": old,
        "new_ms": new,
    }
    return {name: value for name, value in figures.items() if isfinite(value)}
