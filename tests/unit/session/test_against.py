"""What the fixture makes of pairs, in a session that is not real."""

from types import SimpleNamespace

import pytest

from pytest_infer.case import Case
from pytest_infer.engines.protocol import BuildRequest, BuiltEngine, Missing
from pytest_infer.judges.against import CPU_PAIRS, GPU_PAIRS, LAUNCH_BOUND_PAIRS
from pytest_infer.session.against import Against
from pytest_infer.timing.pair import NEW, OLD, Pair
from pytest_infer.verdict import Verdict

CASE = Case("toy", "ort", "fp32", 1, "cpu")
OLD_BUILT, NEW_BUILT = (
    BuiltEngine("ort", None, BuildRequest("fp32", "cpu", {}), f"/cache/{name}")
    for name in ("old-name", "new-name")
)


def pair(change=0.0, **about):
    """Return a pair with a look and resources."""
    resources = {OLD: {"load_s": 0.2}, NEW: {"load_s": 0.4}}
    return Pair(change, 1 + change, 1.0, 50, resources=resources, looks=["seen"], **about)


def judge(pairs, *, lack=None, wrong=None, rounds=0):
    """Return the fixture, and the arms that were measured."""
    left, asked = list(pairs), []

    def pair_timer(case, arms, feeds):
        asked.append((case, {name: arm.built for name, arm in arms.items()}, feeds))
        return left.pop(0)

    pair_timer.setting = lambda _: SimpleNamespace(rounds=rounds)

    def runtime(version):
        return SimpleNamespace(runtime=lambda _: {"onnxruntime": version})

    infer = SimpleNamespace(
        config=SimpleNamespace(against={"ort": "popen//nice=1"}),
        hosts="new hosts",
        artefacts=SimpleNamespace(identities=runtime("1.32.0")),
        rival=SimpleNamespace(
            hosts="old hosts",
            built=lambda _: OLD_BUILT,
            identities=runtime("1.23.0"),
            availability=SimpleNamespace(lack=lambda *_: lack),
        ),
        pair_timer=pair_timer,
        compared_cases=1,
    )
    return Against(CASE, infer, None, None, lambda _: wrong), asked


ENGINE = SimpleNamespace(built=NEW_BUILT)


def test_rounds_that_were_asked_for():
    """The message has the number that were measured, which is five at least."""
    against, _ = judge([pair(0.0)] * 3, rounds=5)
    assert "5 rounds a pair, by --infer-calls" in against.speed(ENGINE, "feeds").message


def test_speed():
    """Both artefacts are measured on the feeds; the record has versions, pairs and resources."""
    against, asked = judge([pair(0.05)] * 6)
    verdict = against.speed(ENGINE, "feeds")
    assert verdict.code == "regressed"
    assert asked == [(CASE, {NEW: NEW_BUILT, OLD: OLD_BUILT}, "feeds")] * 6
    assert "what differs: onnxruntime 1.23.0 -> 1.32.0" in verdict.message
    assert "the cache has both engines: old-name, new-name" in verdict.message
    details = verdict.details["against"]
    assert details["host"] == "popen//nice=1"
    assert details["old_runtime"] == {"onnxruntime": "1.23.0"}
    assert [each["change"] for each in details["pairs"]] == [0.05] * 6
    assert (verdict.figures["old_load_s"], verdict.figures["new_load_s"]) == (0.2, 0.4)


def test_wrong_calls():
    """Timed calls that computed something else end the comparison with the first pair."""
    wrong = Verdict("latency", "fail", "not-repeatable", "wrong")
    against, asked = judge([pair()] * 3, wrong=wrong)
    verdict = against.speed(ENGINE, "feeds")
    assert (verdict.judge, verdict.status, verdict.code) == ("against", "fail", "not-repeatable")
    assert len(asked) == 1


def test_old_lacks_the_precision():
    """What the old environment cannot run is neither a pass nor a failure."""
    against, asked = judge([], lack=Missing("onnxruntime 1.2 has no bf16", "take a later one"))
    for verdict in (against.speed(ENGINE, "feeds"), against.outputs("answers")):
        assert (verdict.status, verdict.code) == ("inconclusive", "old-lacks")
        assert "cannot run fp32: onnxruntime 1.2 has no bf16; take a later one" in verdict.message
    assert asked == []


@pytest.mark.parametrize(
    ("device", "share", "terms"),
    [
        ("cpu", None, CPU_PAIRS),
        ("cuda:0", 0.2, GPU_PAIRS),
        ("cuda:0", None, GPU_PAIRS),
        ("cuda:0", 0.9, LAUNCH_BOUND_PAIRS),
    ],
)
def test_terms(device, share, terms):
    """The device and the first pair choose the terms."""
    against, _ = judge([])
    against._case = Case("toy", "ort", "fp32", 1, device)
    assert against._terms(pair(enqueue_share=share)) is terms
