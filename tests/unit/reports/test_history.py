"""The history of cases: written, read again, and what is seen in it."""

import json
from dataclasses import replace
from math import exp, log
from random import Random

import pytest
from hostile import HOSTILE, hostile_result
from synthetic import synthetic_result

from pytest_infer.errors import OptionError
from pytest_infer.reports.drift import drift_of, words_of
from pytest_infer.reports.history import Moment, by_case, history_text, read_history
from pytest_infer.reports.report_file import write_report


def moments(values, name="p50_ms"):
    """Return a case in a run per value."""
    return [
        Moment(1, f"2026-11-{day:02}", "abc", False, "cpu", "toy", "pass", "x", {name: value})
        for day, value in enumerate(values, 1)
    ]


def noisy(values, spread, seed):
    """Return values as a device with this spread would give them."""
    random = Random(seed)  # noqa: S311 - figures of a test
    return [value * exp(random.gauss(0, spread)) for value in values]


def test_runs_add_up(tmp_path):
    """Each run adds a line per case; cases come back in the order of the runs."""
    path, result = tmp_path / "a/history.jsonl", synthetic_result(4)
    later = replace(
        result, run=replace(result.run, started="2026-12-06T00:00:00+00:00", commit="b")
    )
    for each in (later, result):
        write_report("history", path, each)
    found = by_case(read_history(path))
    assert len(path.read_text().splitlines()) == 8
    assert len(found) == 4
    (key, case), *_ = found.items()
    assert key == ("resnet50-eager-fp32-b1", "Example CPU, 8 cores")
    assert [each.commit for each in case] == [result.run.commit, "b"]
    assert {"p50_ms", "theta", "relative_l2"} <= case[0].figures.keys()


def test_line_that_was_cut_off(tmp_path):
    """A run that died while it wrote leaves half a line, which is left out."""
    path = tmp_path / "history.jsonl"
    path.write_text(history_text(synthetic_result(2)) + '{"schema": 1, "sta')
    assert len(read_history(path)) == 2


@pytest.mark.parametrize(("end", "kept"), [('{"schema": 1, "sta', 3), ("", 3), (None, 3)])
def test_lines_after_one_that_was_cut_off(tmp_path, end, kept):
    """They stand on lines of their own: half a line makes room, a whole one stays."""
    path = tmp_path / "history.jsonl"
    first = history_text(synthetic_result(2))
    path.write_text(first.rstrip("\n") if end is None else first + end)
    other = synthetic_result(1)
    write_report("history", path, replace(other, run=replace(other.run, started="2026-12-01")))
    assert len(read_history(path)) == kept
    assert len(path.read_text().splitlines()) == kept


def test_what_is_no_history_is_not_cut(tmp_path):
    """A file of something else keeps every byte, whether it ends with a line or not."""
    for text in ("no end of a line", '{"a": 1}', "\0\1"):
        path = tmp_path / "other"
        path.write_text(text)
        write_report("history", path, synthetic_result(1))
        assert path.read_text().startswith(f"{text}\n")


def test_a_run_that_is_there_twice(tmp_path):
    """It counts once: a job that was started again, or a report that was added by hand."""
    path = tmp_path / "history.jsonl"
    for _ in range(3):
        write_report("history", path, synthetic_result(2))
    assert len(read_history(path)) == 2


def test_a_run_that_failed_before_its_device_was_known():
    """It belongs to the case's only device; of two it stays apart."""
    runs = moments([10.0, 11.0])
    failed = replace_device(runs[0], "unknown")
    assert [len(each) for each in by_case([*runs, failed]).values()] == [3]
    other = replace_device(runs[1], "another GPU")
    assert len(by_case([*runs, failed, other])) == 3


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{}", "missing required field `schema`"),
        ("x", "Expecting value"),
        ("\x00", "Expecting"),
        ('{"schema": NaN}', "NaN is not a number in JSON"),
    ],
)
def test_broken_line(tmp_path, line, why):
    """Any other line that cannot be read is an error with its number."""
    path = tmp_path / "history.jsonl"
    path.write_text(f"{history_text(synthetic_result(1))}{line}\n")
    with pytest.raises(OptionError) as caught:
        read_history(path)
    assert "line 2: " in str(caught.value)
    assert why in str(caught.value)


def test_no_history(tmp_path):
    """So is a file that is not there."""
    with pytest.raises(OptionError, match="FileNotFoundError"):
        read_history(tmp_path / "none")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_stay_on_their_line(name):
    """A name with the end of a line in it makes no second line."""
    (line,) = history_text(hostile_result(HOSTILE[name])).splitlines()
    assert json.loads(line)["figures"] == {"p50_ms": 1.0, "speedup": 1.0, "worst_ratio": 2.0}


def test_creep():
    """Ten runs, each 1 % slower than the last, are found, though no two runs differ by much."""
    values = [10.0 * 1.01**run for run in range(10)]
    drift = drift_of(moments(values))
    assert (drift.kind, drift.run) == ("creep", 0)
    assert drift.change == pytest.approx(1.01**9 - 1)


@pytest.mark.parametrize("seed", range(20))
def test_creep_in_noise(seed):
    """So they are where each run is half a per cent off by chance."""
    values = noisy([10.0 * 1.01**run for run in range(10)], 0.005, seed)
    assert drift_of(moments(values)).change == pytest.approx(0.09, abs=0.03)


@pytest.mark.parametrize("at", range(10))
def test_single_outlier(at):
    """One run that is half again as slow is nothing, wherever it is."""
    values = noisy([10.0] * 10, 0.005, at)
    values[at] *= 1.5
    assert drift_of(moments(values)) is None


def test_noise_alone():
    """Of 200 cases that only differ by chance, few are told of."""
    found = [drift_of(moments(noisy([10.0] * 12, 0.02, seed))) for seed in range(200)]
    assert sum(each is not None for each in found) <= 4


def test_step():
    """A step is found with the run at which it came, to either side."""
    values = noisy([10.0] * 6 + [10.8] * 5, 0.004, 1)
    drift = drift_of(moments(values))
    assert (drift.kind, drift.run) == ("step", 6)
    assert drift.change == pytest.approx(0.08, abs=0.02)
    assert drift_of(moments(values[::-1])).change < 0


def test_ratio_to_the_reference_net_comes_first():
    """Where all runs were gated, a slower machine alone is no drift."""
    both = [
        replace_figures(each, theta=log(2.0))
        for each in moments([10.0 * 1.02**run for run in range(10)])
    ]
    assert drift_of(both) is None
    creeping = [replace_figures(each, theta=0.01 * n) for n, each in enumerate(both)]
    assert drift_of(creeping).figure == "theta"


def test_ratio_to_the_fixed_kernel_comes_before_it():
    """A reference net that was built anew is no step of what stands beside it."""
    rebuilt = [
        replace_figures(each, theta=log(2.0) - 0.13 * (run >= 5), over_kernel=0.4)
        for run, each in enumerate(moments([10.0] * 10))
    ]
    assert drift_of(rebuilt) is None
    slower = [
        replace_figures(each, over_kernel=0.4 + 0.05 * (run >= 5))
        for run, each in enumerate(rebuilt)
    ]
    assert (drift_of(slower).kind, drift_of(slower).figure) == ("step", "over_kernel")
    assert words_of(drift_of(slower), slower).endswith(", by the ratio to the fixed kernel")
    ungated = [*slower[:-1], replace_figures(moments([10.0])[0], theta=log(2.0) - 0.13)]
    assert drift_of(ungated).figure == "theta"


def test_runs_that_failed_count_for_nothing():
    """A run without figures hides no ratio, and moves no step."""
    failed = replace_figures(moments([10.0])[0])
    failed.figures.clear()
    slower_machine = [
        replace_figures(each, theta=log(2.0)) for each in moments([10.0] * 7 + [14.0] * 7)
    ]
    assert drift_of([*slower_machine[:3], failed, *slower_machine[3:]]) is None
    stepped = [failed] * 4 + moments([1.0] * 5 + [1.3] * 5)
    drift = drift_of(stepped)
    assert (drift.kind, drift.run) == ("step", 9)
    assert stepped[drift.run].figures["p50_ms"] == 1.3


def test_a_step_in_the_last_runs_blames_no_good_one():
    """Three runs are too few to tell a step, and the run before them is not it."""
    assert drift_of(moments([1.0, 1.01, 0.99] * 3 + [2.0, 2.01, 1.99])) is None
    drift = drift_of(moments([1.0, 1.01, 0.99] * 3 + [2.0, 2.01, 1.99, 2.0]))
    assert (drift.kind, drift.run) == ("step", 9)


def replace_device(moment, device):
    """Return a moment of another device."""
    fields = {f: getattr(moment, f) for f in moment.__struct_fields__}
    return Moment(**fields | {"device": device})


def replace_figures(moment, **figures):
    """Return a moment with more figures."""
    return Moment(
        **{f: getattr(moment, f) for f in moment.__struct_fields__ if f != "figures"},
        figures={**moment.figures, **figures},
    )


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0, 4.0, 5.0], [1.0] * 12])
def test_too_little_to_tell(values):
    """Few runs tell nothing, and equal ones neither."""
    assert drift_of(moments(values)) is None
