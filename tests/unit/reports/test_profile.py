"""What layers take, and which grew."""

from __future__ import annotations

from dataclasses import replace

from synthetic import synthetic_history, synthetic_result

from pytest_infer.reports.compare import grown_pairs, layer_lines, markdown_of
from pytest_infer.reports.history import history_text, read_history
from pytest_infer.reports.markdown import escaped
from pytest_infer.reports.page.comparison import comparison_text
from pytest_infer.reports.page.layers import layers_of
from pytest_infer.reports.profile import (
    Profile,
    TimedLayer,
    grown_layers,
    profile_in,
    profile_lines,
)
from pytest_infer.reports.result_file import json_text, read_result

CASE = "resnet50-ort-fp32-b1"


def profile(**layers_ms: float) -> Profile:
    """Return a profile of these layers, and no others."""
    layers = [TimedLayer(name, ms, "Conv") for name, ms in layers_ms.items()]
    return Profile("it", 5, 1, sum(layers_ms.values()), len(layers), layers)


def slower(result, factor: float):
    """Return a result in which two layers of one case take longer."""
    records = []
    for record in result.records:
        found = record.details.get("profile")
        if record.case_id == CASE and found:
            layers = [
                {**each, "ms": each["ms"] * (factor if number in {0, 4} else 1)}
                for number, each in enumerate(found["layers"])
            ]
            total = sum(each["ms"] for each in layers)
            details = {**record.details, "profile": {**found, "layers": layers, "total_ms": total}}
            record = replace(record, details=details)  # noqa: PLW2901
        records.append(record)
    return replace(result, records=records)


def test_the_layers_that_grew_most_come_first() -> None:
    """Each has both times; what shrank, and what grew by next to nothing, is not named."""
    found = grown_layers(profile(a=1.0, b=2.0, c=3.0, d=5.0), profile(a=1.5, b=4.0, c=1.0, d=5.001))
    assert [each.told for each in found] == ["Conv b: 2 → 4 ms", "Conv a: 1 → 1.5 ms"]


def test_a_layer_that_was_not_there() -> None:
    """It counts if all layers of before are known, else it may only not have been kept."""
    old, new = profile(a=1.0), profile(a=1.0, b=2.0)
    assert [each.told for each in grown_layers(old, new)] == ["Conv b: not there → 2 ms"]
    assert grown_layers(replace(old, count=2), new) == []


def test_details_that_cannot_be_read() -> None:
    """They are told as that."""
    assert profile_in({}) is None
    assert "cannot be read" in profile_in({"profile": {"layers": 3}}).note


def test_compare_names_them() -> None:
    """Of a case whose layers take longer together: in text, Markdown and on the page."""
    old = synthetic_result(48)
    new = slower(old, 4.0)
    (line,) = layer_lines(old, new)
    assert line.startswith(f"{CASE}: layers ")
    first, second = line.partition("grew most: ")[2].split("; ")
    assert first.startswith(("Gemm relu_0_nchwc in layer1.0.conv1: ", "Conv relu_4_nchwc"))
    assert {first.split()[1], second.split()[1]} == {"relu_0_nchwc", "relu_4_nchwc"}
    assert f"- {escaped(line)}" in markdown_of([], [], [line])
    page = comparison_text(old, new, ("a", "b"))
    assert 'id="layers"' in page
    assert "layer1.0.conv1" in page
    assert grown_pairs(new, old) == []
    assert 'id="layers"' not in comparison_text(old, old, ("a", "b"))


def test_the_page_names_them_where_a_history_has_earlier_profiles() -> None:
    """The last earlier run on the device counts, not the one that is shown."""
    result = synthetic_result(48)
    found = layers_of(result.records, synthetic_history(result), result.run.started)
    layers = found.cases[CASE]
    assert layers.since == "2026-11-01 00:00 UTC"
    assert 0 < len(layers.grown) <= 5
    assert layers.grown[0].old_ms < layers.grown[0].layer.ms
    assert layers_of(result.records).cases[CASE].grown == ()


def test_history_keeps_them(tmp_path) -> None:
    """A line has the layers that take longest; one of a case without a profile has none."""
    result = synthetic_result(48)
    path = tmp_path / "history.jsonl"
    path.write_text(history_text(result))
    moments = {each.case_id: each for each in read_history(path)}
    assert len(moments[CASE].layers_ms) == 40
    assert moments["resnet50-eager-fp32-b1"].layers_ms == {}


def test_json_has_each_drawing_once(tmp_path) -> None:
    """Cases refer to it, and it comes back as it was."""
    result = synthetic_result(90)
    path = tmp_path / "run.json"
    path.write_text(json_text(result))
    assert path.read_text().count('"rows": [') < 20
    assert read_result(path).records == result.records


def test_the_terminal_says_where_the_time_goes() -> None:
    """A line per case, and how many more there are; a note is shown as it is."""
    result = synthetic_result(90)
    lines = profile_lines(result.records)
    assert lines[0].startswith(f"layers of {CASE}: Conv ")
    assert lines[0].endswith("; longest: Gemm relu_0_nchwc in layer1.0.conv1")
    assert lines[-1] == "layers of 19 more cases: --infer-report=html:PATH shows them"
    record = next(each for each in result.records if "profile" in each.details)
    noted = replace(record, details={"profile": {"note": "eager has no profiler here"}})
    assert profile_lines([noted]) == [f"layers of {CASE}: eager has no profiler here"]
