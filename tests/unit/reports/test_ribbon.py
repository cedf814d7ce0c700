"""Where a drawing's rows, cells and lines are, and what the page makes of them."""

from __future__ import annotations

import re

import pytest
from hostile import HOSTILE, hostile_result
from synthetic import synthetic_result

from pytest_infer.graphs.drawing import Drawing, State
from pytest_infer.graphs.rows import Cell, Row
from pytest_infer.reports.page.attachment import attachment_html, attachment_svg
from pytest_infer.reports.page.ribbon import LEFT, WIDTH, drawing_in, ribbon_of

STATES = [State("fp32 on CPU", 2, 3), State("int8 on CPU", 1, 1), State("gone", 0, 1, "folded")]


def drawn(cells: list[Cell], links: list[tuple[int, int]]) -> Drawing:
    """Return a drawing of one row."""
    return Drawing(5, 3, STATES, [Row("a", cells, links)])


def test_cells_lie_apart_and_inside() -> None:
    """No two overlap, none leaves the picture, and a row's height has room for all."""
    cells = [Cell("Conv", 0, 1, "n", column, lane) for column in range(13) for lane in range(3)]
    ribbon = ribbon_of(drawn(cells, [(n, n + 3) for n in range(36)]))
    (strip,) = ribbon.strips
    places = [(box.x, box.y) for box in strip.boxes]
    assert len(set(places)) == len(cells)
    assert min(x for x, _ in places) == LEFT
    assert max(x for x, _ in places) + 90 <= WIDTH
    assert max(y for _, y in places) + 20 <= strip.height == ribbon.height


def test_lanes_that_a_band_does_not_use_take_no_room() -> None:
    """A band whose only cell is in the second lane is as high as one lane."""
    low = ribbon_of(drawn([Cell("a", 0, 1, "n"), Cell("b", 0, 1, "n", 5, 0)], []))
    high = ribbon_of(drawn([Cell("a", 0, 1, "n"), Cell("b", 0, 1, "n", 5, 1)], []))
    assert high.height == low.height


def test_another_state_has_a_letter() -> None:
    """Without colours it is known by a letter; the commonest has none."""
    ribbon = ribbon_of(drawn([Cell("Conv", 0, 1, "n"), Cell("Gemm", 1, 1, "n", 1)], [(0, 1)]))
    assert [box.is_marked for box in ribbon.strips[0].boxes] == [False, True]
    assert [(key.letter, key.style) for key in ribbon.keys] == [
        ("a", "k0"),
        ("b", "k1"),
        ("c", "folded"),
    ]


def test_links_to_nowhere() -> None:
    """Numbers in a file that no cell has are not drawn, and are no error."""
    ribbon = ribbon_of(drawn([Cell("Conv", 9, 1, "n")], [(0, 7), (-1, 0)]))
    assert ribbon.strips[0].boxes[0].key.text == "unknown"


def test_details_that_are_none() -> None:
    """A note is told, and what cannot be read is told as that."""
    assert drawing_in({}) is None
    assert drawing_in({"drawing": {"note": "no such file"}}) == "no such file"
    assert "cannot be read" in drawing_in({"drawing": {"rows": 3}})


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_in_attachments(name: str) -> None:
    """What others wrote is text in HTML, and in the SVG that is beside it."""
    records = hostile_result(HOSTILE[name]).records
    for text in (attachment_html(records), attachment_svg(records)):
        assert text
        assert "<script" not in text
        assert not re.search(r"<[^>]*\son\w+=", text)
        assert "\x1b" not in text
    assert attachment_svg(records).startswith("<svg xmlns=")


def test_a_case_without_a_picture_has_an_attachment() -> None:
    """It has verdicts and figures."""
    records = [each for each in synthetic_result(4).records if each.judge == "latency"][:1]
    assert attachment_svg(records) == ""
    assert "p50_ms" in attachment_html(records)
    assert "<img" not in attachment_html(records)
