"""An engine that crashes, hangs, dies, raises or lies fails its own case, and the run goes on."""

from __future__ import annotations

import re

import pytest

TIMEOUT_S = 30

FAULTS = """
import os
import sys
from contextlib import contextmanager

from pytest_infer.testing.process_faults import exhaust_memory, fork_and_crash


def raise_error():
    raise ValueError("no kernel for this shape")


def raise_half_a_character():
    raise ValueError("bad \\udc80 byte")


def interrupt():
    raise KeyboardInterrupt


def leave_a_daemon():
    if os.fork() == 0:
        os.setsid()
        hang()


def say_something():
    print("printed by the engine")
    os.write(1, b"written by the engine\\n")


class CrashesWhenClosed(FakeEngine):
    @contextmanager
    def open(self, built):
        with super().open(built) as runner:
            yield runner
        segfault()


def flip(outputs):
    order = outputs["logits"][0].argsort()
    return swap(0, int(order[0]), int(order[-1]))(outputs)


for name, fault, stage in [
    ("crash-build", segfault, "build"),
    ("crash-open", segfault, "open"),
    ("crash-infer", segfault, "infer"),
    ("hang-infer", hang, "infer"),
    ("killed-infer", leave, "infer"),
    ("raise-build", raise_error, "build"),
    ("raise-infer", raise_error, "infer"),
    ("exit-infer", lambda: sys.exit(3), "infer"),
    ("exit0-infer", lambda: os._exit(0), "infer"),
    ("interrupt-infer", interrupt, "infer"),
    ("half-infer", raise_half_a_character, "infer"),
    ("daemon-infer", leave_a_daemon, "infer"),
    ("abort-infer", os.abort, "infer"),
    ("fork-infer", fork_and_crash, "infer"),
    ("memory-infer", exhaust_memory, "infer"),
    ("prints", say_something, "infer"),
]:
    register(FakeEngine(name, "ort", process=fault, stage=stage))

register(CrashesWhenClosed("crash-close", "ort"))

for name, fault in [("scaled", scale(1.01)), ("nan", fill_nan((0, 3))), ("flipped", flip)]:
    register(FakeEngine(name, "ort", outputs=fault))
"""

FAULTY = (
    *("crash-build", "crash-open", "crash-infer", "hang-infer", "killed-infer", "raise-build"),
    *("raise-infer", "exit-infer", "exit0-infer", "interrupt-infer", "half-infer", "abort-infer"),
    *("fork-infer", "memory-infer"),
    *("scaled", "nan", "flipped"),
)
DEBUG = "rerun this case with --infer-host=ENGINE=inline under a debugger"
HEALTHY = ("crash-close", "daemon-infer", "eager", "ort", "prints", "torchscript")


@pytest.fixture(scope="module")
def faulty(toy_run):
    """One run of the healthy and all the faulty engines."""
    return toy_run(
        f"--engine={','.join((*HEALTHY, *FAULTY))}",
        *("-k", "outputs or (task and flipped)"),
        f"--infer-timeout={TIMEOUT_S}",
        "--junitxml=junit.xml",
        conftest=FAULTS,
    )


def message_of(run, engine):
    """Return the message of an engine's only record, which is a failure."""
    record = run.record(f"toy-{engine}-fp32-b1")
    assert record["status"] == "fail"
    return record["message"]


@pytest.mark.parametrize("engine", HEALTHY)
def test_others_pass(faulty, engine):
    """Engines before and after the broken ones are judged as ever; printing harms nothing."""
    assert faulty.record(f"toy-{engine}-fp32-b1")["code"] == "match"
    assert f"test_outputs[toy-{engine}-fp32-b1] PASSED" in faulty.text


def test_counts_are_true(faulty):
    """Every check ran, and each failed case is counted once."""
    assert faulty.code == 1
    assert faulty.lines("checks ran") == [
        "24 of 24 checks ran, 2 narrowed away by marks; verdicts: 18 fail, 6 pass"
    ]


def test_no_process_is_left(faulty):
    """Hosts that hang or wait are ended with the run, and what a library has left in the dark."""
    assert faulty.left == []


def test_nothing_leaks_into_the_output(faulty):
    """What an engine prints in its host does not reach pytest's output."""
    assert "by the engine" not in faulty.text + faulty.errors


def test_no_traceback_of_ours(faulty):
    """A user sees what, why and the mend, not our stack."""
    assert "hosts/host.py" not in faulty.text
    assert "INTERNALERROR" not in faulty.text


@pytest.mark.parametrize(
    ("engine", "code", "doing"),
    [
        ("crash-build", "build-error", "build"),
        ("crash-open", "load-error", "open"),
        ("crash-infer", "run-error", "run"),
    ],
)
def test_segfault(faulty, engine, code, doing):
    """A crash is reported with the signal and the place in Python that faulthandler saw."""
    message = message_of(faulty, engine)
    assert faulty.record(f"toy-{engine}-fp32-b1")["code"] == code
    assert message.startswith(
        f"cannot {doing} toy-{engine}-fp32-b1\n  why:  its engine host died: killed by SIGSEGV\n"
    )
    assert "Fatal Python error: Segmentation fault" in message
    assert re.search(r'File ".*faults\.py", line \d+ in segfault', message)
    assert message.endswith(f"\n  mend: {DEBUG}")


def test_abort(faulty):
    """A library that gives up by itself is reported with the signal and the place as well."""
    message = message_of(faulty, "abort-infer")
    assert message.startswith(
        "cannot run toy-abort-infer-fp32-b1\n  why:  its engine host died: killed by SIGABRT\n"
    )
    assert "Fatal Python error: Aborted" in message


def test_child_that_is_left(faulty):
    """A crash is seen though a child of the host holds its pipes open, and the child is ended."""
    message = message_of(faulty, "fork-infer")
    assert message.startswith(
        "cannot run toy-fork-infer-fp32-b1\n  why:  its engine host died: killed by SIGSEGV\n"
    )
    assert "Fatal Python error: Segmentation fault" in message


def test_memory(faulty):
    """More memory than there is ends the case, with what was asked for."""
    message = message_of(faulty, "memory-infer")
    assert re.match(
        r"cannot run toy-memory-infer-fp32-b1\n  why:  .*MemoryError: Unable to allocate 1\.00 EiB",
        message,
    )


def test_crash_when_closed(faulty):
    """A crash after an engine's own tests is a warning that names it, and no other's failure."""
    (line,) = faulty.lines("RuntimeWarning: cannot close")
    assert line.endswith("RuntimeWarning: cannot close toy-crash-close-fp32-b1")


def test_hang(faulty):
    """A host that does not answer in time is reported with the time and how to allow more."""
    assert message_of(faulty, "hang-infer") == (
        "cannot run toy-hang-infer-fp32-b1\n"
        f"  why:  its engine host did not answer within {TIMEOUT_S} s\n"
        "  mend: allow more by --infer-timeout=SECONDS, or look for a deadlock in the engine"
    )


def test_killed(faulty):
    """A host that was killed has left no word; a kernel short of memory is reported."""
    assert message_of(faulty, "killed-infer") in [
        "cannot run toy-killed-infer-fp32-b1\n"
        f"  why:  its engine host died: killed by SIGKILL, {killer}\n"
        f"  mend: {DEBUG}"
        for killer in (
            "not by the kernel for lack of memory",
            "perhaps by the kernel for lack of memory",  # where it does not count
            "and the kernel has ended a process for lack of memory since the host started",
        )
    ]


@pytest.mark.parametrize(("engine", "doing"), [("raise-build", "build"), ("raise-infer", "run")])
def test_exception(faulty, engine, doing):
    """An exception is reported with its type and text, and where in the engine it arose."""
    message = message_of(faulty, engine)
    assert message.startswith(
        f"cannot {doing} toy-{engine}-fp32-b1\n  why:  ValueError: no kernel for this shape\n"
    )
    assert "in raise_error" in message
    assert message.endswith(f"\n  mend: {DEBUG}")


def test_exit(faulty):
    """An engine that asks Python to end is told so; its host goes on."""
    message = message_of(faulty, "exit-infer")
    assert message.startswith(
        "cannot run toy-exit-infer-fp32-b1\n  why:  it asked Python to exit: SystemExit: 3\n"
    )
    assert message.endswith(f"\n  mend: {DEBUG}")


def test_exit_past_python(faulty):
    """An engine that ends its process takes its host with it, and its exit status is reported."""
    assert message_of(faulty, "exit0-infer") == (
        "cannot run toy-exit0-infer-fp32-b1\n"
        "  why:  its engine host has left with exit status 0: something in it called exit\n"
        f"  mend: {DEBUG}"
    )


def test_interrupt(faulty):
    """An engine that raises what Ctrl-C raises ends its own case, not the run."""
    message = message_of(faulty, "interrupt-infer")
    assert message.startswith("cannot run toy-interrupt-infer-fp32-b1\n  why:  KeyboardInterrupt\n")
    assert "in interrupt" in message


def test_half_a_character(faulty):
    """A text that nothing can encode is reported by its code."""
    message = message_of(faulty, "half-infer")
    assert message.startswith(
        "cannot run toy-half-infer-fp32-b1\n  why:  ValueError: bad \\udc80 byte\n"
    )


def test_scaled_output(faulty):
    """Outputs that are 1 % off diverge: element, both values and the tolerance are reported."""
    message = message_of(faulty, "scaled")
    where = "toy-scaled-fp32-b1, 8 rows of 8 calls"
    assert message.startswith(f"{where}: 'logits' diverged from eager fp64\n  why:  ")
    found = re.search(r"worst element logits\[\d, \d\]: (\S+) instead of (\S+)\n", message)
    got, expected = map(float, found.groups())
    assert got / expected == pytest.approx(1.01, rel=1e-5)
    assert re.search(
        r"mend: find what loses precision, or accept it: "
        r"@pytest.mark.tolerance\(max_abs=[\d.e-]+, relative_l2=0.01\)\n"
        r"  most: drawn row \d, call \d$",
        message,
    )


def test_nan(faulty):
    """One NaN is found, with the value that it should be; no tolerance forgives it."""
    assert re.fullmatch(
        r"toy-nan-fp32-b1, drawn row 1, call 1: output 'logits' is not finite\n"
        r"  why:  1 of 10 elements; the first is \[0, 3\]: nan instead of -?[\d.e-]+\n"
        r"  mend: look for an overflow \(fp16 ends at 65504\) or a division by zero; "
        r"no tolerance forgives it",
        message_of(faulty, "nan"),
    )


def test_flipped_class(faulty):
    """Two exchanged classes fail the outputs and the top-1, with the classes and their logits."""
    flipped = [
        each for each in faulty.report["records"] if each["case_id"] == "toy-flipped-fp32-b1"
    ]
    assert [each["status"] for each in flipped] == ["fail", "fail"]
    outputs, top_k = sorted((each["message"] for each in flipped), key=lambda text: "top" in text)
    assert re.search(r"worst element logits\[\d, \d\]: \S+ instead of \S+\n", outputs)
    assert "@pytest.mark.tolerance(" in outputs
    assert "top-1" in top_k
    assert "@pytest.mark.tolerance(top_k=" in top_k
