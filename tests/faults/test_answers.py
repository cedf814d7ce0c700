"""Faults that show for some photographs, calls or layouts only are caught by the default suites."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from pytest_infer.testing import faults, memory_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Run

FAULTS = {
    "nan-8th": ("memory=memory_faults.every(8, faults.fill_nan((0, 3)))", {"not-repeatable"}),
    "nan-20th": ("memory=memory_faults.every(20, faults.fill_nan((0, 3)))", {"not-repeatable"}),
    "drifting": ("outputs=memory_faults.drift(1e-3)", {"not-repeatable"}),
    "stale": ("outputs=memory_faults.stale()", {"diverged", "wrong-top-1"}),
    "stale-20th": ("memory=memory_faults.stale_every(20)", {"not-repeatable"}),
    "third": (
        "memory=memory_faults.in_nth_row(3, faults.best_swapped)",
        {"diverged", "wrong-top-1"},
    ),
    "eighth": (
        "memory=memory_faults.in_nth_row(8, faults.best_swapped)",
        {"diverged", "wrong-top-1"},
    ),
    "strided": ("feeds=feed_faults.ignore_strides", {"not-finite"}),
    "double": ("outputs=faults.return_as('float64')", {"wrong-dtype"}),
}
"""What is planted in an engine that is right otherwise, and codes that must be among the fails."""

CONFTEST = "from pytest_infer.testing import faults, feed_faults, memory_faults\n" + "".join(
    f"register(FakeEngine({name!r}, inner='ort', {fault}))\n" for name, (fault, _) in FAULTS.items()
)

WIDE = """
@model(
    inputs={"x": TensorSpec(("batch", 8))},
    outputs={"y": TensorSpec(("batch", 5))},
)
def wide():
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(8, 9)


@model(
    inputs={"ids": TensorSpec(("batch", 16), "int64")},
    outputs={"y": TensorSpec(("batch", 16), "int64")},
)
def mod13():
    import torch

    class Remainder(torch.nn.Module):
        def forward(self, ids):
            return torch.remainder(ids, 13)

    return Remainder()


class Words:
    inputs = {"ids": TensorSpec(("batch", 16), "int64")}
    outputs = {"y": TensorSpec(("batch", 16, 4))}


def embedding():
    import torch

    torch.manual_seed(0)
    return torch.nn.Embedding(100, 4)


@model(inputs=Words.inputs, outputs=Words.outputs)
def words():
    return embedding()


@model(
    inputs={"ids": TensorSpec(("batch", 16), "int64", low=0, high=99)}, outputs=Words.outputs
)
def ranged_words():
    return embedding()
"""


LARGE_BATCH = ("stale", "third", "eighth", "strided")
"""Those that a batch of all photographs is tried with."""


@pytest.fixture(scope="module")
def faulty(toy_run: Callable[..., Run]) -> Callable[[int], Run]:
    """The suite of parity on every faulty engine, at a batch size."""
    runs: dict[int, Run] = {}

    def run(batch: int) -> Run:
        if batch not in runs:
            engines = ",".join(["ort", *(LARGE_BATCH if batch == 8 else FAULTS)])
            runs[batch] = toy_run(
                f"--engine={engines}", f"--infer-batch={batch}", "test_parity.py", conftest=CONFTEST
            )
        return runs[batch]

    return run


def codes(run: Run, case: str) -> set[str]:
    """Return the codes with which a case fails."""
    return {
        each["code"]
        for each in run.report["records"]
        if each["case_id"] == case and each["status"] == "fail"
    }


@pytest.mark.parametrize(
    ("fault", "batch"),
    [
        *product(FAULTS, [1]),
        *(pytest.param(fault, 3, marks=pytest.mark.nightly) for fault in FAULTS),
        *product(LARGE_BATCH, [8]),
    ],
)
def test_every_fault_is_seen(faulty: Callable[[int], Run], fault: str, batch: int) -> None:
    """Whatever the batch size, some test of the suite of parity fails by the code expected."""
    found = codes(faulty(batch), f"toy-{fault}-fp32-b{batch}")
    assert found
    assert found >= FAULTS[fault][1], found


@pytest.mark.parametrize("batch", [1, pytest.param(3, marks=pytest.mark.nightly), 8])
def test_clean_engine_passes(faulty: Callable[[int], Run], batch: int) -> None:
    """The same engine without a fault passes all of them."""
    run = faulty(batch)
    assert codes(run, f"toy-ort-fp32-b{batch}") == set()
    cases = [each["case_id"] for each in run.report["records"]]
    assert cases.count(f"toy-ort-fp32-b{batch}") == 4


def messages(run: Run, case: str, code: str) -> str:
    """Return what is said of a case by one code."""
    return "\n".join(
        each["message"]
        for each in run.report["records"]
        if each["case_id"] == case and each["code"] == code
    )


def test_message_names_the_photograph(faulty: Callable[[int], Run]) -> None:
    """A row that is wrong alone is named, and the call in which it was fed."""
    assert "drawn row 3, call 3: top-1 has" in messages(
        faulty(1), "toy-third-fp32-b1", "wrong-top-1"
    )
    assert "\n  most: drawn row 3, call 3" in messages(faulty(1), "toy-third-fp32-b1", "diverged")
    text = messages(faulty(3), "toy-eighth-fp32-b3", "wrong-top-1")
    assert "drawn row 8, row 1 of call 3: top-1 has " in text
    assert "top-1 differs from eager fp64 in 1 row" in text


def test_message_names_the_call(faulty: Callable[[int], Run]) -> None:
    """Eight photographs and four layouts came before: the eighth call of the burst is the 20th."""
    text = messages(faulty(1), "toy-nan-20th-fp32-b1", "not-repeatable")
    assert ", call 8 of " in text.splitlines()[0]
    assert "[0, 3]: nan instead of " in text


def test_message_names_the_layout(faulty: Callable[[int], Run]) -> None:
    """A layout that is read as plain memory is named."""
    assert "drawn row 2, layout offset" in messages(faulty(1), "toy-strided-fp32-b1", "not-finite")


def test_output_that_the_spec_declares_wrongly(toy_run: Callable[..., Run]) -> None:
    """Eager itself is refused, with both shapes, for the spec is wrong or the model is."""
    run = toy_run("--infer-model=wide", "--engine=eager", "test_parity.py", conftest=WIDE)
    text = messages(run, "wide-eager-fp32-b1", "wrong-shape")
    assert "the spec of wide declares output 'y' wrongly" in text
    assert "returns the shape (1, 9), the spec says (1, 5)" in text


@pytest.mark.nightly
def test_large_integers(toy_run: Callable[..., Run]) -> None:
    """Integers are drawn from all that an int64 holds, which OpenVINO does not compute with."""
    pytest.importorskip("openvino")
    run = toy_run("--infer-model=mod13", "--engine=ort,openvino", "test_parity.py", conftest=WIDE)
    assert codes(run, "mod13-ort-fp32-b1") == set()
    assert "diverged" in codes(run, "mod13-openvino-fp32-b1")


@pytest.mark.nightly
def test_range_of_integers(toy_run: Callable[..., Run]) -> None:
    """A stated vocabulary is kept to; without one, the error of eager says what to state."""
    run = toy_run(
        "--infer-model=words,ranged_words", "--engine=eager,ort", "test_parity.py", conftest=WIDE
    )
    for engine in ("eager", "ort"):
        assert codes(run, f"ranged_words-{engine}-fp32-b1") == set()
        text = messages(run, f"words-{engine}-fp32-b1", "run-error")
        assert text.startswith("cannot run words\n  why:  forward raised IndexError: ")
        assert "ids (int64): drawn from the whole range of the dtype" in text
        assert "TensorSpec(shape, dtype, low=0, high=30521)" in text


TIMED = {
    "idle": "inner='torchscript', is_idle=True",
    "idle-session": "inner='ort', is_idle=True",
    "other": "inner='ort', timed=faults.scale(1.01)",
    "nan": "inner='ort', timed=faults.fill_nan((0, 3))",
    "drifting": "inner='ort', is_blind=True, outputs=memory_faults.drift(1e-3)",
}


@pytest.fixture(scope="module")
def timed(toy_run: Callable[..., Run]) -> Run:
    """The suite of latency on engines whose timed calls are wrong, and on right ones."""
    fakes = {**TIMED, "blind": "inner='ort', is_blind=True"}
    conftest = "from pytest_infer.testing import faults, feed_faults, memory_faults\n" + "".join(
        f"register(FakeEngine({name!r}, {what}))\n" for name, what in fakes.items()
    )
    engines = ",".join(["eager", "ort", "torchscript", *fakes])
    return toy_run(
        f"--engine={engines}",
        "--infer-calls=5",
        "--infer-warmup=1",
        "test_latency.py",
        conftest=conftest,
    )


@pytest.mark.parametrize("engine", TIMED)
def test_wrong_timed_calls(timed: Run, engine: str) -> None:
    """Timed calls that do nothing, or something else, fail the test of latency."""
    record = timed.record(f"toy-{engine}-fp32-b1", "latency")
    assert (record["status"], record["code"]) == ("fail", "not-repeatable")
    assert record["figures"]["p50_ms"] > 0


@pytest.mark.parametrize("engine", ["eager", "ort", "torchscript", "blind"])
def test_right_timed_calls(timed: Run, engine: str) -> None:
    """Right ones pass; an engine that cannot show them says so."""
    record = timed.record(f"toy-{engine}-fp32-b1", "latency")
    assert (record["status"], record["code"]) == ("pass", "measured")
    assert ("cannot be seen" in record["message"]) == (engine == "blind")


def test_faults_are_of_this_package() -> None:
    """What the texts above name is there."""
    assert {"best_swapped", "return_as"} <= vars(faults).keys()
    assert {"every", "stale_every", "in_nth_row"} <= vars(memory_faults).keys()
