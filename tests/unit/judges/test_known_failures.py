"""The ledger: which cases it covers, and what is news."""

from dataclasses import replace

import pytest

from pytest_infer.case import Case
from pytest_infer.errors import BuildError, RunError
from pytest_infer.judges.known_failures import (
    KnownFailure,
    KnownFinding,
    known_failure,
    known_finding,
)
from pytest_infer.verdict import Verdict

CASE = Case("detr", "tvm", "fp16", 1, "cuda:0")
KNOWN = KnownFailure(
    "tvm",
    "detr",
    "build",
    "floor_divide expects",
    "its importer lacks mixed types (0.27)",
    precisions=("fp32", "fp16"),
    devices=("cuda",),
    options={"route": "export"},
    versions={"apache-tvm": "0.27"},
)
VERSIONS = {"apache-tvm": "0.27.0.post1", "python": "3.11.2"}
SETTINGS = {"route": "export", "threads": 0}


@pytest.mark.parametrize(
    ("case", "settings", "expected"),
    [
        (CASE, SETTINGS, True),
        (CASE, {"route": "onnx"}, False),
        (Case("detr", "tvm", "bf16", 1, "cuda:0"), SETTINGS, False),
        (Case("detr", "tvm", "fp16", 1, "cpu"), SETTINGS, False),
        (Case("resnet50", "tvm", "fp16", 1, "cuda:0"), SETTINGS, False),
        (Case("detr", "ort", "fp16", 1, "cuda:0"), SETTINGS, False),
    ],
)
def test_covers(case, settings, expected):
    """Engine, model, precision, kind of device and settings must all agree."""
    assert KNOWN.covers(case, settings, lambda: VERSIONS) is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [("0.27", True), ("0.27.1", True), ("0.2", False), ("0.270", False), ("0.28.0", False)],
)
def test_covers_a_version(version, expected):
    """A version is compared by its parts, not by its letters."""
    assert KNOWN.covers(CASE, SETTINGS, lambda: {"apache-tvm": version}) is expected
    assert not KNOWN.covers(CASE, SETTINGS, dict)


def test_asks_only_for_what_counts(monkeypatch):
    """Versions are asked of a host, which may have to start: not without need."""
    asked = []

    def versions():
        asked.append("versions")
        return VERSIONS

    monkeypatch.setattr("pytest_infer.judges.known_failures._expected", [KNOWN])
    for other in (replace(CASE, engine="ort"), replace(CASE, precision="bf16")):
        assert known_failure(other, lambda: SETTINGS, versions) is None
    assert not asked
    assert known_failure(CASE, lambda: SETTINGS, versions) is KNOWN
    assert asked


def test_empty_fields_cover_all():
    """An entry without precisions, devices and settings is about every case of the two."""
    entry = KnownFailure("tvm", "detr", "run", "x", "y")
    assert entry.covers(CASE, {}, dict)


def test_settle():
    """The same stage and words are known; other words, another stage or a success are news."""
    words = "TVMError: floor_divide expects one type"
    assert KNOWN.settle(BuildError("x", why=words, mend="")) == "known"
    assert KNOWN.settle(RunError("x", why=words, mend="")) == "changed"
    assert KNOWN.settle(BuildError("x", why="out of memory", mend="")) == "changed"
    assert KNOWN.settle(None) == "gone"


def test_news():
    """What is reported names what was known, what happened, and the mend."""
    error = BuildError("cannot build", why="out of memory", mend="buy more")
    assert KNOWN.news("changed", error) == (
        "a known failure of tvm on detr has changed\n"
        "  why:  tvm failed on detr at its build: floor_divide expects "
        "(its importer lacks mixed types (0.27)); now:\n"
        "        cannot build\n"
        "          why:  out of memory\n"
        "          mend: buy more\n"
        "  mend: find what changed, and mend the ledger of known failures"
    )
    assert KNOWN.news("gone", None) == (
        "a known failure of tvm on detr is gone\n"
        "  why:  tvm failed on detr at its build: floor_divide expects "
        "(its importer lacks mixed types (0.27)); now it works\n"
        "  mend: remove it from the ledger of known failures"
    )


FINDING = KnownFinding(
    "tvm", "detr", ("ones", "zeros"), "diverged", 3.0, "a naive sum (0.27)", devices=("cuda",)
)


@pytest.mark.parametrize(
    ("case", "values", "code", "ratio", "expected"),
    [
        (CASE, "ones", "diverged", 3.0, True),
        (CASE, "ones", "diverged", 3.1, False),
        (CASE, "normal", "diverged", 2.0, False),
        (CASE, "ones", "not-finite", 2.0, False),
        (Case("detr", "tvm", "fp16", 1, "cpu"), "ones", "diverged", 2.0, False),
        (Case("detr", "ort", "fp16", 1, "cuda:0"), "ones", "diverged", 2.0, False),
    ],
)
def test_findings_cover(case, values, code, ratio, expected):
    """Engine, model, kind of device, values and code must agree, and the error be no larger."""
    verdict = Verdict("parity", "fail", code, "", {"worst_ratio": ratio})
    assert FINDING.covers(case, values, verdict) is expected


def test_error_without_a_size_is_news():
    """What has no figures, such as a refusal, is larger than anything known."""
    assert not FINDING.covers(CASE, "ones", Verdict("parity", "fail", "diverged", ""))


def test_finding_of_this_package():
    """EfficientNet-B0 as Inductor compiles it for a CPU is known to be wrong on alike places."""
    verdict = Verdict("parity", "fail", "diverged", "", {"worst_ratio": 1.5})
    case = Case("efficientnet_b0", "compile", "fp32", 1, "cpu")
    assert known_finding(case, "ones", verdict)
    assert known_finding(case, "photographs", verdict) is None
