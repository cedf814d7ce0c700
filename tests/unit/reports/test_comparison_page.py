"""Two results side by side as a page."""

from dataclasses import replace
from html import unescape

import pytest
from hostile import HOSTILE, hostile_result
from synthetic import synthetic_result

from pytest_infer.reports.page.comparison import comparison_text
from pytest_infer.verdict import failed

from .test_page import Reader

OLD = synthetic_result(40)


def worse(number):
    """Return the result with a record that fails."""
    message = failed(
        "parity", "diverged", what="it diverged", why="a reason", mend="a mend"
    ).message
    changed = replace(OLD.records[number], status="fail", code="diverged", message=message)
    records = [*OLD.records[:number], changed, *OLD.records[number + 1 :]]
    return replace(OLD, records=records)


def test_worse_first():
    """What became worse stands first, with why and mend; each case is there once."""
    number = next(n for n, each in enumerate(OLD.records) if each.judge == "truth")
    text = unescape(comparison_text(OLD, worse(number), ("main.json", "branch.json")))
    reader = Reader(text)
    assert "1 of 40 cases are worse" in text
    above = text[: text.index('id="differing"')]
    for part in ("it diverged", "a reason", "a mend", OLD.records[number].case_id):
        assert part in above
    assert len([each for each in reader.ids if each.startswith("case-")]) == 40
    assert len(set(reader.ids)) == len(reader.ids)
    assert all(link[1:] in reader.ids for link in reader.links)
    assert {"main.json", "branch.json"} <= set(reader.texts)


def test_the_same():
    """Of a result beside itself nothing differs."""
    text = comparison_text(OLD, OLD, ("a", "b"))
    assert "No verdict became worse" in text
    assert "Nothing: each verdict is as it was" in text
    assert "<summary>40 cases</summary>" in text
    assert "Commit, device and libraries are the same" in text


def test_slower():
    """A median that is a half larger is drawn, and called slower."""
    records = [
        replace(each, figures={**each.figures, "p50_ms": 1.5 * each.figures["p50_ms"]})
        if each.judge == "latency"
        else each
        for each in OLD.records
    ]
    text = comparison_text(OLD, replace(OLD, records=records), ("a", "b"))
    assert text.count("+50.0%") == 40
    assert text.count('x="50" y="2" width="24.0"') == 40
    assert "✗ slower" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_shown(name):
    """A text is neither an element nor an attribute."""
    pages = [
        comparison_text(hostile_result(text), OLD, (text, text))
        for text in (HOSTILE[name], "harmless")
    ]
    found, expected = map(Reader, pages)
    assert found.elements == expected.elements
    assert found.handlers == []
    assert all(each.isprintable() or each == "\n" for each in pages[0])


def test_nothing_comes_from_elsewhere():
    """No address is asked for."""
    text = comparison_text(OLD, OLD, ("a", "b"))
    assert not {"link", "img", "iframe", "image"} & set(Reader(text).elements)
    assert "http" not in text.replace("http-equiv", "")
