"""Storing baselines, and comparing with them."""

from __future__ import annotations

import json
import sys
from subprocess import DEVNULL
from typing import TYPE_CHECKING

import pytest

from pytest_infer.baselines.chosen import identity_of
from pytest_infer.devices.fingerprint import device_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

COUNTED = """
from contextlib import contextmanager
from pathlib import Path

from pytest_infer.timing import interleaved as measuring

LAYERS = {layers}


class Counted(FakeEngine):
    \"\"\"An engine whose calls last as long as its graph has nodes, by a clock of the test.\"\"\"

    @contextmanager
    def open(self, built):
        import onnx

        nodes = len(onnx.load(Path(built.folder, "optimized.onnx")).graph.node)
        with super().open(built) as runner:
            bind = runner.bind

            def bound(feeds):
                call = bind(feeds)
                call.ns = nodes * self.repeats * 1_000_000
                return call

            runner.bind = bound
            yield runner


def counted(call, calls):
    return {{"monotonic": [getattr(call, "ns", 1_000_000)] * calls}}


measuring.time_on_cpu = counted
register(Counted("fake", inner="ort", repeats={repeats}))
"""


def _stored(pytester: pytest.Pytester) -> Path:
    (folder,) = (path for path in (pytester.path / "baselines").iterdir() if path.is_dir())
    return folder


def _counted(layers: int, repeats: int = 1) -> str:
    """Return a net with that many more layers, and an engine that repeats every call."""
    return COUNTED.format(layers=layers, repeats=repeats)


@pytest.mark.nightly
def test_stored_then_gated(run: Run, pytester: pytest.Pytester) -> None:
    """What was stored on this device is found again by ``auto``; slower than it fails.

    Five measurements are stored. A net that became slower regresses beside the engine that was
    stored; an engine that slows down every net, the reference net too, is told apart; a faster one
    passes, and fails if that is strict. All but the clock is real: what a busy machine makes of a
    verdict is no question of this test. ``new`` and ``improved`` leave the entry of a regressed
    one, and ``improved`` replaces that of the faster one.
    """
    options = ("--engine=fake", "-k", "latency")
    stored = run("--update-baselines", *options, conftest=_counted(layers=20))
    stored.stdout.fnmatch_lines(
        ["stored in */baselines/cpu-*: 1 entries", " toy-fake-fp32-b1 * new *"]
    )
    file = _stored(pytester) / "toy.json"
    before = file.read_text()
    entry = json.loads((_stored(pytester) / "toy.json").read_text())["entries"]["toy-fake-fp32-b1"]
    assert entry["provenance"]["kind"] == "measured"
    assert entry["provenance"]["command"] == (
        "pytest-infer run --update-baselines --engine=fake --infer-model=toy "
        "--infer-precision=fp32 --infer-batch=1"
    )
    assert len(entry["gate"]["measurements"]) == 5

    slower = run("--update-baselines=new", *options, conftest=_counted(layers=100))
    slower.assert_outcomes(failed=1)
    slower.stdout.fnmatch_lines(
        [
            "toy-fake-fp32-b1 regressed: * ms now, * ms stored (+*); +* against its stored *",
            "  why:  since then: another artefact: the model, its weights, a setting *",
            "        +* against its stored artefact in 3 of * measurements, *% is allowed (*",
            "        one measurement beside it spreads by *",
            "        measurement 1: * rounds kept*",
            "  mend: find what became slow, or accept it: pytest-infer run --update-baselines *",
        ]
    )

    engine = run("--update-baselines=improved", *options, conftest=_counted(layers=20, repeats=8))
    engine.assert_outcomes(failed=1)
    engine.stdout.fnmatch_lines(
        ["toy-fake-fp32-b1: its whole engine is slower: * ms now, * ms stored (+*); +*"]
    )

    strict = run("--infer-strict", *options, conftest=_counted(layers=1))
    strict.assert_outcomes(failed=1)
    told = "toy-fake-fp32-b1 improved: * ms now, * ms stored (-*); -*"
    strict.stdout.fnmatch_lines([f"{told}; keep it with pytest-infer run *"])

    assert file.read_text() == before
    renewed = run("--update-baselines=improved", *options, conftest=_counted(layers=1))
    renewed.stdout.fnmatch_lines(["stored in *: 1 entries", " toy-fake-fp32-b1 * -> *"])
    assert file.read_text() != before


@pytest.mark.nightly
def test_entries_that_cannot_be_compared(run: Run, pytester: pytest.Pytester) -> None:
    """Other threads are inconclusive; schema 1, without measurements, is new, or fails if named."""
    file = pytester.path / "baselines" / "mine" / "toy.json"
    file.parent.mkdir(parents=True)
    device = {"fingerprint": identity_of(device_fingerprint("cpu")), "holds": "measured"}
    (file.parent / "device.json").write_text(json.dumps(device | {"schema": 2}))
    measurements = [{"theta": 0.1, "rho": 2.0, "engine_ms": 1.0, "rounds": 5}] * 5
    gate = {"protocol": 1, "clock": "monotonic", "threads": 64, "measurements": measurements}
    origin = {"kind": "measured", "device": "CPU", "date": "2026-01-02", "command": "pytest suites"}
    entry = {"figures": {"p50_ms": 1.0}, "provenance": origin}

    def store(**content: object) -> None:
        content |= {"model": "toy", "entries": {"toy-ort-fp32-b1": entry | content.pop("more", {})}}
        file.write_text(json.dumps(content))

    options = ("--engine=ort", "-k", "latency")
    store(schema=2, more={"gate": gate})
    unlike = run(*options)
    unlike.stdout.fnmatch_lines(
        ["inconclusive: toy-ort-fp32-b1 cannot be compared with its baseline: its threads was 64*"]
    )
    store(schema=1)
    new = run(*options)
    new.stdout.fnmatch_lines(["*new: no-measurements*"])
    named = run("--gpu-baseline=mine", *options)
    named.assert_outcomes(failed=1)
    named.stdout.fnmatch_lines(["mine has no gate measurements of toy-ort-fp32-b1"])


def _judged(pytester: pytest.Pytester, *verdicts: str) -> str:
    """Write a test that enforces verdicts without running an engine; return the file's name."""
    lines = [f"    enforce(Verdict({each}))" for each in verdicts]
    (pytester.path / "test_own.py").write_text(
        "from pytest_infer.verdict import Verdict\n\ndef test_it(case, enforce):\n"
        + "\n".join(lines)
    )
    return "test_own.py"


MEASURED = "'latency', 'pass', 'measured', '', {'p50_ms': 1.0}"


def test_failed_case_is_not_stored(run: Run, pytester: pytest.Pytester) -> None:
    """The speed of a wrong engine is no baseline."""
    name = _judged(pytester, MEASURED, "'parity', 'fail', 'diverged', 'it is wrong', {}")
    result = run("--update-baselines", "--engine=ort", name)
    result.stdout.fnmatch_lines(["not stored: toy-ort-fp32-b1 (diverged)"])
    assert not (pytester.path / "baselines").exists()


def test_runs_at_once(run: Run, pytester: pytest.Pytester, cache: Path) -> None:
    """Runs of pytest that store into one file at once keep each other's entries."""
    name = _judged(pytester, MEASURED)
    options = ("--update-baselines", "--engine=eager", name)
    run(*options)
    common = ("--infer-model=toy", "--infer-device=cpu", f"--infer-cache={cache}")
    command = (sys.executable, "-m", "pytest", *common, *options)
    batches = range(2, 6)
    runs = [
        pytester.popen([*command, f"--infer-batch={batch}"], stdin=DEVNULL) for batch in batches
    ]
    told = [each.communicate()[0].decode() for each in runs]
    assert all("1 entries" in each for each in told)
    entries = json.loads((_stored(pytester) / "toy.json").read_text())["entries"]
    assert set(entries) == {f"toy-eager-fp32-b{batch}" for batch in (1, *batches)}


def test_named_baseline_without_the_case_fails(run: Run, pytester: pytest.Pytester) -> None:
    """A measured baseline that a person named must have every case."""
    name = _judged(pytester, MEASURED)
    run("--update-baselines", "--gpu-baseline=mine", "--engine=ort", name)
    result = run("--gpu-baseline=mine", "--engine=eager", "-k", "latency", "test_latency.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*toy*eager*", "  why:*", "  mend:*--update-baselines*"])


def test_published_floor_has_no_figure(run: Run) -> None:
    """A published baseline judges what it has, and says what it has not."""
    result = run("--gpu-baseline=gtx1070", "--engine=ort", "-k", "latency")
    result.stdout.fnmatch_lines(
        [
            "*new: not-published*",
            "new: toy has no published figure in gtx1070, which has: detr_resnet50-eager-*",
            "*1 new in*",
        ]
    )


TIMED = """
from secrets import token_hex


class Timed(Counted):
    \"\"\"Its builder times kernels: each build adds a line to what it started from.\"\"\"

    def build(self, graph, request, folder):
        facts = super().build(graph, request, folder)
        path = self.timings_file(folder.parent, request.device)
        before = path.read_text() if path.is_file() else ""
        (folder / "chosen.txt").write_text(before + token_hex() + "\\n")
        path.write_text((folder / "chosen.txt").read_text())
        return facts

    def timings_file(self, folder, device):
        return folder / "timings.txt"

    def timings_name(self):
        return "fake-1.timing"

    def merge_timings(self, first, second, device):
        return b"".join(dict.fromkeys((first + second).splitlines(keepends=True)))


register(Timed("fake", inner="ort", repeats=1))
"""


@pytest.mark.nightly
def test_timings_are_stored_with_the_baseline(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """A build on a machine with an empty cache starts from them, and is told to be another one."""
    options = ("--engine=fake", "-k", "latency", "--infer-calls=5")
    conftest = _counted(layers=20) + TIMED
    stored = run(
        "--update-baselines", *options, f"--infer-cache={tmp_path / 'first'}", conftest=conftest
    )
    stored.stdout.fnmatch_lines(["stored in */baselines/cpu-*: 1 entries"])
    kept = _stored(pytester) / "fake-1.timing"
    lines = kept.read_text().splitlines()
    assert len(lines) == 2  # of the model, and of the reference net
    entry = json.loads((_stored(pytester) / "toy.json").read_text())["entries"]["toy-fake-fp32-b1"]

    report = pytester.path / "report.json"
    again = run(
        *options,
        f"--infer-cache={tmp_path / 'second'}",
        f"--infer-report=json:{report}",
        conftest=conftest,
    )
    again.assert_outcomes(passed=1)
    built = sorted((tmp_path / "second" / "engines").glob("*/chosen.txt"))
    assert [path.read_text().splitlines()[:2] for path in built] == [lines, lines]
    assert entry["gate"]["artefact"] in {path.parent.name for path in built}
    assert "built again, and its builder has chosen anew" in report.read_text()

    kept.write_text("damaged")
    damaged = run(*options, f"--infer-cache={tmp_path / 'third'}", conftest=conftest)
    assert damaged.ret != 0
    damaged.stderr.fnmatch_lines(["*cannot use the timings in *fake-1.timing*"])


def test_stopped_before_anything_was_judged(run: Run, pytester: pytest.Pytester) -> None:
    """Neither a report nor an entry came of it, and the run says so."""
    stop = "def pytest_runtest_setup():\n    raise KeyboardInterrupt\n"
    options = ("--engine=ort", "--update-baselines", "--infer-report=json:r.json")
    result = run(*options, "-k", "latency", conftest=stop)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    ended = "the run was stopped before anything was judged"
    result.stdout.fnmatch_lines(
        [f"no report was written: {ended}", f"no baseline was stored: {ended}"]
    )
    assert not (pytester.path / "r.json").exists()


def test_a_name_is_looked_up_before_anything_else(run: Run) -> None:
    """A typing error is told at once, with what there is."""
    result = run("--gpu-baseline=gtx1007", "--engine=ort")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*gtx1007*", "*gtx1070*"])
