"""The page as text: what is in it, and that nothing in it is obeyed."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from math import log10

import msgspec
import pytest
from hostile import HOSTILE, hostile_result
from synthetic import synthetic_history, synthetic_result

from pytest_infer.case import Case
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.page import page_text
from pytest_infer.reports.page.calls import calls_chart
from pytest_infer.reports.page.cases import case_views
from pytest_infer.reports.page.changes import change_chart
from pytest_infer.reports.page.details import BLOCK
from pytest_infer.reports.page.errors import error_chart
from pytest_infer.reports.page.past import past_charts
from pytest_infer.reports.page.photographs import MOST_PICTURES, photographs_of, pictures_of
from pytest_infer.reports.page.scales import Scale, decades, log_scale, short, ticks
from pytest_infer.reports.record import record_from_verdict
from pytest_infer.reports.result import Result
from pytest_infer.verdict import Verdict


class Reader(HTMLParser):
    """What a browser would make of a page: elements, attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.ids, self.links, self.scripts, self.texts = [], [], [], [], []
        self.packed = {"block": [], "drawings": []}
        self._kind = ""
        self.handlers = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Note an element, and what it is called, leads to and reacts to."""
        self.elements.append(tag)
        found = dict(attrs)
        self.handlers += [name for name in found if name.startswith("on")]
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self._in_script = tag == "script"
        self._kind = found.get("class", "") if self._in_script else ""

    def handle_endtag(self, _tag):
        """End a script; no other element's text is kept apart."""
        self._in_script = False

    def handle_data(self, data):
        """Note a text."""
        (self.scripts if self._in_script else self.texts).append(data)
        if self._kind in self.packed and data.strip():
            self.packed[self._kind] += json.loads(zlib.decompress(b64decode(data)))


def details_in(text):
    """Return the details of every case, as the page's script unpacks them."""
    return Reader(text).packed["block"]


def drawings_in(text):
    """Return every picture of a graph, as the page's script unpacks them."""
    return Reader(text).packed["drawings"]


def test_every_case_is_there():
    """Each has a row with its name, and details in its place; no name is there twice."""
    result = synthetic_result(60)
    text = page_text(result)
    reader = Reader(text)
    cases = list(dict.fromkeys(record.case_id for record in result.records))
    anchors = [each for each in reader.ids if each.startswith("case-")]
    assert sorted(anchors) == sorted(f"case-{each}" for each in cases)
    assert len(reader.ids) == len(set(reader.ids))
    details = details_in(text)
    assert len(details) == 60 > BLOCK
    for anchor, detail in zip(anchors, details, strict=True):
        assert f'href="#{anchor}"' in detail


def test_links_lead_somewhere():
    """A link within the page leads to an element of it, or filters its table."""
    text = page_text(synthetic_result(100))
    reader = Reader(text)
    links = {each for detail in details_in(text) for each in Reader(detail).links}
    for link in links | set(reader.links):
        assert link.startswith("#")
        assert "=" in link or link[1:] in reader.ids


def test_nothing_comes_from_elsewhere():
    """No address is asked for: styles, scripts and charts are in the page."""
    text = page_text(synthetic_result(30))
    reader = Reader(text)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(reader.elements)
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text


def test_failures_are_told_first():
    """What, why and mend of each failure stand above the overview."""
    result = synthetic_result(200)
    text = unescape(page_text(result))
    failures = [record for record in result.records if record.status == "fail"]
    assert failures
    above = text[: text.index('id="overview"')]
    for record in failures:
        for line in record.message.splitlines():
            assert line.strip().removeprefix("why:").removeprefix("mend:").strip() in above


def test_many_models():
    """Of hundreds of models the first have charts, and the page says where the others are."""
    text = page_text(synthetic_result(1000))
    assert text.count(", batch 1</h3>") < 30
    assert "more models and batches are in the table of all cases" in text


def test_each_picture_of_a_graph_is_there_once():
    """Batches of one engine share it, and each case with layers refers to one."""
    text = page_text(synthetic_result(216))
    numbers = re.findall(r'data-drawing="(\d+)"', "".join(details_in(text)))
    assert len(numbers) == 216 * 3 // 8
    assert len(drawings_in(text)) == len(set(numbers)) <= len(numbers) / 3
    assert all("<svg" in each and "<table" in each for each in drawings_in(text))


def test_layers_of_a_slower_case_are_with_its_failure():
    """Where a history has an earlier profile, the failure names the layers that grew."""
    result = synthetic_result(200)
    slower = [r for r in result.records if r.status == "fail" and r.judge == "baseline"]
    profiled = [r for r in slower if r.case.engine in {"ort", "openvino", "trt"}]
    assert profiled
    text = page_text(replace(result, history=synthetic_history(result)))
    above = text[: text.index('id="overview"')]
    assert above.count("Layers that grew most since 2026-11-01") == len(profiled)
    assert "Layers that grew most" not in page_text(result)


def test_size():
    """Five hundred cases take less than 3 MB."""
    assert len(page_text(synthetic_result(500)).encode()) < 3_000_000


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_shown(name):
    """A text is neither an element nor an attribute, and is there to be read."""
    text = page_text(hostile_result(HOSTILE[name]))
    harmless = page_text(hostile_result("harmless"))
    pairs = [(text, harmless), (details_in(text)[0], details_in(harmless)[0])]
    pairs.append((drawings_in(text)[0], drawings_in(harmless)[0]))
    for found, expected in pairs:
        assert Reader(found).elements == Reader(expected).elements
        assert Reader(found).handlers == []
        assert all(each.isprintable() or each == "\n" for each in found)
    if name in {"script", "attribute", "template", "emoji", "long", "markdown"}:
        for found, _ in pairs:
            assert HOSTILE[name] in "".join(Reader(found).texts)


@pytest.mark.parametrize("count", [0, 40])
def test_models_that_could_not_be_read(count):
    """They have no case, and the headline counts them all the same, before what is right."""
    records = [each for each in synthetic_result(40).records if each.status == "pass"]
    text = page_text(Result(records if count else [], Coverage(unread=("bert", "yolo"))))
    rest = "All 40 cases are right" if count else "No case was judged"
    assert f"2 models could not be read. {rest}" in text
    assert "bert, yolo could not be read" in text


def test_photographs():
    """Each picture is in the page once; a case refers to it, and a failure shows the wrong one."""
    result = synthetic_result(500)
    text = page_text(result)
    *_, pictures, _own = [each for each in Reader(text).scripts if each.strip()]
    pictures = json.loads(pictures)
    assert 1 < len(pictures) < 20
    details = details_in(text)
    shown = [re.findall(r'data-picture="(\w+)"', each) for each in details]
    assert max(map(len, shown)) == 3
    assert {each for names in shown for each in names} == pictures.keys()
    assert "data-picture" in text[: text.index('id="overview"')]
    assert sum("Coloured, below: the engine" in each for each in details) > 100
    assert sum("Orange, solid, named above: the engine" in each for each in details) > 50


def test_too_many_pictures():
    """A page has a hundred pictures, those of failures first; the others are named as left out."""
    records = [
        record for record in synthetic_result(3000).records if "photographs" in record.details
    ]
    assert len(pictures_of(records)) == MOST_PICTURES
    failed = next(each for each in reversed(records) if each.status == "fail")
    assert photographs_of(failed.details).shown[0].picture in pictures_of(records)
    text = "".join(details_in(page_text(Result(records, Coverage()))))
    assert "its picture is left out" in text


def test_photographs_of_another_form():
    """What another package calls so, and cannot be shown, is said to be there."""
    record = synthetic_result(1).records[0]
    odd = replace(record, details={"photographs": [{"name": 3}]})
    (detail,) = details_in(page_text(Result([odd], Coverage())))
    assert "the photographs in its details cannot be shown: Expected `str`, got `int`" in detail


def test_nothing_was_judged():
    """A run without a record has a page all the same."""
    text = page_text(Result([], Coverage(notices=("nothing ran",))))
    assert "No case was judged" in text
    assert "nothing ran" in text


def test_only_passes():
    """A run in which all is right says so."""
    result = synthetic_result(40)
    records = [record for record in result.records if record.status == "pass"]
    text = page_text(replace(result, records=records))
    assert "All 40 cases are right" in text


def test_only_times():
    """A run that only stores latencies has judged no answer."""
    records = [
        replace(each, judge="latency", status="new", code="no-baseline")
        for each in synthetic_result(40).records
    ]
    text = page_text(Result(records, Coverage()))
    told = "All 40 cases are timed, and no answer was judged, 40 have no baseline yet"
    assert f"<title>{told}" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5, "1234"), (0.012345, "0.0123"), (1.23456e-7, "1.23e-07"), (2e9, "2e+09")],
)
def test_short(value, text):
    """Three digits count, and exponents are for what needs them."""
    assert short(value) == text


def test_scale():
    """What is outside of a scale is drawn at its end."""
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (0, 5, 10, -1, 11)] == [100, 50, 0, 100, 0]
    assert Scale(3, 3, 0, 10)(3) == 5


@pytest.mark.parametrize(("least", "most"), [(0, 1), (8.1, 12.3), (-0.02, 0.03), (1e-9, 3e-9)])
def test_ticks(least, most):
    """Two to six ticks, at round figures, inside of the scale."""
    found = ticks(Scale(least, most, 0, 100))
    assert 2 <= len(found) <= 6
    assert all(least - 1e-12 <= float(each.text) <= most + 1e-12 for each in found)
    places = [each.place for each in found]
    assert places == sorted(places)


def test_decades():
    """A scale of decades spans whole powers of ten, and is readable over many of them."""
    scale = log_scale([3e-7, 2e-5], 0, 100)
    assert [each.text for each in decades(scale)] == ["1e-7", "1e-6", "1e-5", "1e-4"]
    assert scale(log10(1e-7)) == 0
    assert len(decades(log_scale([1e-30, 1e30], 0, 100))) <= 7
    assert log_scale([], 0, 100).most == 1


def test_calls():
    """Each call is a dot, the slowest ones too where only some are kept."""
    chart = calls_chart(
        {
            "durations_ns": [1_000_000, 2_000_000, 1_500_000],
            "slowest": [[7, 9_000_000]],
            "stride": 5,
            "calls": 15,
            "warmup_calls": 2,
        }
    )
    assert chart.dots.count("h0") == 4
    assert chart.told == (
        "every 5th of 15 calls and the slowest after 2 to warm up: median 1.5 ms, 1 to 9 ms"
    )
    assert calls_chart({}) is None


def test_one_call():
    """A single call is drawn, too."""
    chart = calls_chart({"durations_ns": [1_000_000], "calls": 1})
    assert chart.dots.count("h0") == 1


def check(value, bound, **others):
    """Return a check as parity keeps it."""
    fields = {"output": "y", "part": "", "metric": "mae", "better": "lower", "origin": "set"}
    return fields | {"value": value, "bound": bound, "noise": None, "ratio": None} | others


def test_errors():
    """A figure beyond its bound lies right of it; what is 0 or not finite has no place."""
    chart = error_chart(
        [check(1e-3, 1e-4, ratio=10.0), check(0.0, 1e-4, ratio=0.0), check(None, 1)]
    )
    missed, zero, infinite = chart.lines
    assert (missed.at > missed.bound_at, missed.is_missed, missed.ratio) == (True, True, "10x")
    assert (zero.at, zero.is_missed, zero.ratio) == (None, False, "0%")
    assert (infinite.value, infinite.is_missed) == ("not finite", True)
    assert error_chart([]) is None
    assert error_chart([check(1.0, 2.0, ratio=0.5)] * 15).left == 3


def compared(now, **others):
    """Return what the gate has compared."""
    stored = [{"theta": 0.7}, {"theta": 0.72}, {"theta": 0.71}]
    fields = {"date": "2026-11-20", "beside": "the reference net", "terms": "CPU", "stored": stored}
    return fields | {"now": now} | others


def test_failures_in_the_same_words():
    """They stand once, with the tests that they are of; addresses make no other words."""
    case = Case("net", "ort", "fp32", 1, "cpu")
    texts = ["died\n  why:  at 0x00007f12", "died\n  why:  at 0x00007f34", "other"]
    records = [
        record_from_verdict(Verdict("error", "fail", "run-error", text), case, f"t.py::test_{n}")
        for n, text in enumerate(texts)
    ]
    first, second = case_views(records)[0].failures
    assert (first.test, list(first.others)) == ("t.py::test_0", ["t.py::test_1"])
    assert (second.what, list(second.others)) == ("other", [])
    assert "and 1 more in the same words: t.py::test_1" in page_text(Result(records, Coverage()))


def test_changes():
    """A slowdown beyond the limit lies above it."""
    chart = change_chart(
        compared([{"theta": 0.81, "duet": None}]), {"limit": 0.025, "spread": 0.01}
    )
    height = float(chart.now.split()[1].removesuffix("h0"))
    assert height < chart.limit < chart.zero
    assert chart.stored.count("h0") == 3
    assert "+10.52% on average, +2.50% is the limit" in chart.told


def test_changes_beside_the_stored_artefact():
    """What was measured beside the stored artefact is drawn against that."""
    now = [{"theta": 9.9, "duet": 0.0}]
    chart = change_chart(
        compared(now, beside="its stored artefact"), {"limit": 0.02, "spread": 0.01}
    )
    assert float(chart.now.split()[1].removesuffix("h0")) == chart.zero


def test_changes_against_the_fixed_kernel():
    """What a builder made of the reference net is no change of the case."""
    stored = [{"theta": 1.0, "rho": -0.5}] * 5
    now = [{"theta": 0.9, "rho": -0.39, "duet": None}]
    chart = change_chart(
        compared(now, stored=stored, beside="the fixed kernel"), {"limit": 0.02, "spread": 0.002}
    )
    assert "against the fixed kernel: +1.01% on average, +2.00% is the limit" in chart.told
    assert chart.limit < float(chart.now.split()[1].removesuffix("h0")) < chart.zero


def test_past():
    """A case's runs are drawn, and those in which it failed apart; a creep is reported above."""
    result = synthetic_result(10)
    history = synthetic_history(result)
    charts = past_charts(result.records, history)
    assert len(charts) == 10
    first = charts["resnet50-eager-fp32-b1"]
    assert (first.dots.count("h0"), first.failed.count("h0")) == (11, 1)
    assert first.drift.kind == "creep"
    assert first.told.endswith(" slower over 12 runs")
    text = page_text(replace(result, history=history))
    assert text.count("slower over 12 runs") == 2
    assert sum("12 runs: medians of " in each for each in details_in(text)) == 10


def test_past_of_another_device():
    """What was timed on another device, or once, is no past of a case."""
    result = synthetic_result(1)
    history = synthetic_history(result)
    assert past_charts(result.records, history[:1]) == {}
    other = [msgspec.structs.replace(each, device="Example CPU, 4 cores") for each in history]
    assert past_charts(result.records, other) == {}


@pytest.mark.parametrize("figures", [{}, {"limit": float("nan")}])
def test_no_changes(figures):
    """Without a limit, or a usable measurement, nothing is drawn."""
    assert change_chart(compared([{"theta": 0.7, "duet": None}]), figures) is None
    assert change_chart(compared([]), {"limit": 0.1}) is None


@pytest.mark.parametrize(
    ("judges", "has_history", "text"),
    [
        ({"baseline"}, False, '<span class="question">Is it slower than its baseline?'),
        ({"latency"}, False, "nothing was compared by the gate in this run"),
        ({"latency"}, True, "over its runs"),
    ],
)
def test_is_it_slower(judges, has_history, text):
    """The gate answers, or else earlier runs do."""
    result = synthetic_result(20)
    history = synthetic_history(result) if has_history else []
    records = [each for each in result.records if each.judge in judges]
    page = page_text(replace(result, records=records, history=history))
    above = page[: page.index('id="failures"')]
    assert text in above


def test_a_creep_within_the_limit():
    """Where the gate finds nothing, what crept over runs is told all the same."""
    result = synthetic_result(20)
    records = [each for each in result.records if each.status == "pass"]
    page = page_text(replace(result, records=records, history=synthetic_history(result)))
    assert "no, but over runs: resnet50-eager-fp32-b1, and" in page[: page.index('id="failures"')]
