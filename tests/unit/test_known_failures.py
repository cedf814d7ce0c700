"""The ledger: which cases it covers, and what is news."""

import pytest

from pytest_infer.errors import BuildError, RunError
from pytest_infer.known_failures import KnownFailure
from pytest_infer.spec import Case

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
)
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
    assert KNOWN.covers(case, settings) is expected


def test_empty_fields_cover_all():
    """An entry without precisions, devices and settings is about every case of the two."""
    entry = KnownFailure("tvm", "detr", "run", "x", "y")
    assert entry.covers(CASE, {})


def test_settle():
    """The same stage and words are known; other words, another stage or a success are news."""
    words = "TVMError: floor_divide expects one type"
    assert KNOWN.settle(BuildError("x", why=words, mend="")) == "known"
    assert KNOWN.settle(RunError("x", why=words, mend="")) == "changed"
    assert KNOWN.settle(BuildError("x", why="out of memory", mend="")) == "changed"
    assert KNOWN.settle(None) == "gone"


def test_news():
    """What is told names what was known, what happened, and the mend."""
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
