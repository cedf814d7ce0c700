"""The page in a headless Chromium: it asks for nothing, obeys nothing, and is usable by anybody."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from browser import BINARY, THEMES, browser
from hostile import HOSTILE, hostile_result
from synthetic import LAYERED, synthetic_history, synthetic_result

from pytest_infer.reports.page import page_text
from pytest_infer.reports.page.comparison import comparison_text
from pytest_infer.reports.result_file import read_result

pytestmark = pytest.mark.skipif(
    BINARY is None, reason="no chromium: apt-get install --no-install-recommends chromium"
)

CASES = 48
H200 = Path(__file__).parents[3] / "docs" / "results" / "h200-run.json"

OPEN = """(async () => {
  for (const button of document.querySelectorAll('.open')) button.click();
  const limit = Date.now() + 20000;
  while (document.querySelectorAll('.inside:not(:empty)').length < %d && Date.now() < limit)
    await new Promise(done => setTimeout(done, 5));
  for (const part of document.querySelectorAll('.inside details')) part.open = true;
  while (document.querySelectorAll('.drawn:empty').length && Date.now() < limit)
    await new Promise(done => setTimeout(done, 5));
  for (const part of document.querySelectorAll('.drawn details')) part.open = true;
  return document.querySelectorAll('.inside:not(:empty)').length;
})()"""
"""Open every case, and wait until its details are there, the picture of its graph too."""

CONTRASTS = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const under = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 0.99) return color;
    }
    return [255, 255, 255, 1];
  };
  const found = {};
  for (const element of document.querySelectorAll('body *')) {
    const texts = [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
    if (!texts.length || element.closest('script, noscript, style, title')) continue;
    const style = getComputedStyle(element);
    const ink = rgba(element.closest('svg') ? style.fill : style.color);
    const [a, b] = [luminance(ink), luminance(under(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = element.tagName + '.' + (element.getAttribute('class') ?? '');
    found[name] = Math.min(found[name] ?? 21, ratio);
  }
  return found;
})()"""
"""The least contrast of text, by element and class."""

SHOWN = (
    "[...document.querySelectorAll('#table > tbody')].filter(b => !b.hidden).map(b => b.dataset.id)"
)
FOUND = "document.getElementById('found').textContent"


@pytest.fixture(scope="module")
def result():
    """A result with verdicts of each kind."""
    made = synthetic_result(CASES)
    return replace(made, history=synthetic_history(made))


@pytest.fixture(scope="module")
def file(result, tmp_path_factory):
    """Its page."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page_text(result))
    return path


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """An open browser."""
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(window):
    """The browser's window, with nothing said yet."""
    window.console.clear()
    return window


def test_quiet(page, file):
    """No error and no warning in the console, and no request but for the page itself."""
    page.open(file)
    assert page.run(OPEN % CASES) == CASES
    assert page.console == []
    assert page.requests == [file.absolute().as_uri()]


def test_run_on_a_gpu(page, tmp_path):
    """A kept report of an H200 is shown, with every case, its layers and what its times are."""
    result = read_result(H200)
    path = tmp_path / "h200.html"
    path.write_text(page_text(result))
    page.open(path)
    cases = {record.case_id for record in result.records}
    assert page.run(OPEN % len(cases)) == len(cases) == 4
    assert page.console == []
    assert page.requests == [path.absolute().as_uri()]
    assert set(page.run(SHOWN)) == cases
    told = page.run("document.body.textContent")
    assert "launch-bound eager: the host's speed" in told
    assert "against the fixed kernel: +0.01% on average" in told
    assert told.count("Layers that take longest") == 2
    assert page.run("document.querySelectorAll('.drawn > .chart > .ribbon').length") == 2


def test_every_case_can_be_opened(page, file, result):
    """Each shows its verdicts and its charts."""
    page.open(file)
    page.run(OPEN % CASES)
    ids = page.run(SHOWN)
    assert sorted(ids) == sorted({record.case_id for record in result.records})
    assert page.run("document.querySelectorAll('.inside svg[role=img]').length") >= CASES
    told = page.run("[...document.querySelectorAll('.inside')].map(each => each.textContent)")
    assert all(case in text for case, text in zip(ids, told, strict=True))
    layered = [any(f"-{engine}-" in case for engine in LAYERED) for case in ids]
    assert ["What ran where" in text for text in told] == layered
    ribbons = "document.querySelectorAll('.drawn > .chart > .ribbon').length"
    assert page.run(ribbons) == sum(layered) > 0


@pytest.mark.parametrize("theme", sorted(THEMES))
def test_contrast(page, file, theme):
    """Text has the contrast of WCAG AA, 4.5, in both themes."""
    page.open(file, theme=theme)
    page.run(OPEN % CASES)
    found = page.run(CONTRASTS)
    assert len(found) > 20
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}


def test_phone(page, file):
    """Nothing but tables and charts, which scroll by themselves, is wider than a phone."""
    page.open(file, width=390)
    page.run(OPEN % CASES)
    assert page.run("document.documentElement.scrollWidth") == 390


def test_search(page, file):
    """Each word narrows the table; what is asked for stands in the address."""
    page.open(file)
    page.press("/")
    page.type("resnet50 ort int8")
    assert page.run(SHOWN) == [
        "resnet50-ort-int8-b1",
        "resnet50-ort-int8-b8",
        "resnet50-ort-int8-b32",
    ]
    assert page.run(FOUND) == f"3 of {CASES} cases"
    assert page.run("location.hash") == "#q=resnet50+ort+int8"
    page.press("Escape")
    assert page.run(FOUND) == f"{CASES} cases"


def test_search_for_a_code(page, file, result):
    """Codes of all of a case's verdicts are found, not only that of its worst."""
    page.open(file)
    page.press("/")
    page.type("regressed")
    expected = {record.case_id for record in result.records if record.code == "regressed"}
    assert set(page.run(SHOWN)) == expected != set()


def test_link_to_a_filter(page, file):
    """An address with filters opens the table so filtered, and sorted."""
    page.open(file, fragment="#status=fail&sort=-5")
    shown = page.run(SHOWN)
    assert page.run("document.getElementById('f-status').value") == "fail"
    medians = page.run(
        "[...document.querySelectorAll('#table > tbody')].filter(b => !b.hidden)"
        ".map(b => parseFloat(b.rows[0].cells[5].textContent))"
    )
    assert shown
    assert medians == sorted(medians, reverse=True)


def test_link_to_a_case(page, file):
    """A link to a case opens it, also from within the page, and though a filter hides it."""
    page.open(file, fragment="#case-resnet50-ort-fp32-b8")
    opened = (
        "[...document.querySelectorAll('.open[aria-expanded=true]')]"
        ".map(b => b.closest('tbody').dataset.id)"
    )
    assert page.run(opened) == ["resnet50-ort-fp32-b8"]
    page.run(
        "document.getElementById('f-engine').value = 'trt';"
        "document.querySelector('form').dispatchEvent(new Event('input', {bubbles: true}))"
    )
    page.run("document.querySelector('.barred a').click()")
    page.settle()
    assert len(page.run(opened)) == 2
    assert page.run(FOUND) == f"{CASES} cases"


def test_links_of_the_overview(page, file):
    """A cell of several cases filters the table to them."""
    page.open(file)
    page.run(
        "[...document.querySelectorAll('.matrix td a')]"
        ".find(a => a.textContent.includes('/3')).click()"
    )
    page.settle()
    assert page.run(FOUND) == f"3 of {CASES} cases"


def test_sort(page, file):
    """A column sorts by number, then the other way; what has no figure stays below."""
    page.open(file)
    column = (
        "[...document.querySelectorAll('#table > tbody')].map(b => b.rows[0].cells[9].textContent)"
    )
    heading = "document.querySelector('[data-column=\"9\"]')"
    for sign in (1, -1):
        page.run(f"{heading}.click()")
        texts = page.run(column)
        filled = [float(text.removesuffix(" %")) * sign for text in texts if text]
        assert filled == sorted(filled)
        assert 0 < len(filled) < CASES
        assert texts[len(filled) :] == [""] * (CASES - len(filled))
    assert page.run(f"{heading}.closest('th').getAttribute('aria-sort')") == "descending"


def test_keyboard(page, file):
    """A case can be opened and closed by the keyboard alone."""
    page.open(file)
    button = "document.querySelector('#table .open')"
    page.run(f"{button}.focus()")
    for state in ("true", "false"):
        page.press("Enter")
        assert page.run(f"{button}.getAttribute('aria-expanded')") == state
    assert page.run("document.querySelector('.detail').hidden") is True


def test_picture_of_a_graph_by_keyboard(page, file):
    """It is drawn when its line is opened, its scrolled part can be reached, and it is a table."""
    page.open(file, fragment="#case-resnet50-ort-fp32-b1")
    page.run(
        "(async () => { while (!document.querySelector('.drawing'))"
        " await new Promise(done => setTimeout(done, 5)); })()"
    )
    assert page.run("document.querySelectorAll('.ribbon').length") == 0
    page.run("document.querySelector('.drawing > summary').focus()")
    page.press("Enter")
    page.run(
        "(async () => { while (!document.querySelector('.ribbon'))"
        " await new Promise(done => setTimeout(done, 5)); })()"
    )
    page.press("Tab")
    name = "document.activeElement.getAttribute('aria-label')"
    assert page.run(name) == "Picture of the graph"
    page.press("Tab")
    page.press("Enter")
    cells = page.run("document.querySelectorAll('.ribbon rect.cell').length")
    assert cells > 5
    told = page.run("document.querySelector('table.blocks').textContent")
    assert told.count("fp32 on CPU") == cells
    inside = (
        "[...document.querySelectorAll('.ribbon .in')].every(text => {"
        " const box = text.previousElementSibling.getBBox(), own = text.getBBox();"
        " return own.x >= box.x && own.x + own.width <= box.x + box.width; })"
    )
    assert page.run(inside) is True


def test_screen_reader(page, file):
    """Charts have a name, tables have headings, and no control is without a label."""
    page.open(file)
    page.run(OPEN % CASES)
    nameless = "document.querySelectorAll('svg:not([aria-hidden]):not([aria-label])').length"
    unlabelled = (
        "[...document.querySelectorAll('input, select')].filter(c => !c.labels.length).length"
    )
    empty = "[...document.querySelectorAll('button, a')].filter(b => !b.textContent.trim()).length"
    headless = "document.querySelectorAll('table:not(:has(thead)), th:not([scope])').length"
    assert [page.run(each) for each in (nameless, unlabelled, empty, headless)] == [0, 0, 0, 0]
    assert page.run("document.documentElement.lang") == "en"
    levels = page.run(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_pictures(page, result, tmp_path):
    """Those of a failure, and of an opened case, are decoded and lie below their boxes."""
    records = list(result.records)
    number = next(n for n, each in enumerate(records) if "photographs" in each.details)
    first, *others = records[number].details["photographs"]
    wrong = {"photographs": [{**first, "is_wrong": True}, *others]}
    records[number] = replace(records[number], status="fail", code="wrong-top-1", details=wrong)
    path = tmp_path / "page.html"
    path.write_text(page_text(replace(result, records=records)))
    page.open(path)
    decoded = (
        "Promise.all([...document.querySelectorAll('%s [data-picture]')].map(async each => {"
        " const image = new Image(); image.src = each.getAttribute('href');"
        " await image.decode(); return [image.naturalWidth, each.getBBox().width]; }))"
    )
    assert page.run(decoded % "#failures") == [[16, 1066]]
    page.run(OPEN % CASES)
    sizes = page.run(decoded % "#cases")
    assert len(sizes) > CASES
    assert {tuple(each) for each in sizes} == {(16, 1066)}


def test_comparison(page, result, tmp_path):
    """The page of two runs is readable in both themes and narrow, and says nothing to a console."""
    path = tmp_path / "page.html"
    records = [
        replace(each, status="fail", code="diverged") if number % 40 == 0 else each
        for number, each in enumerate(result.records)
    ]
    path.write_text(comparison_text(result, replace(result, records=records), ("a.json", "b.json")))
    for theme in THEMES:
        page.open(path, width=390, theme=theme)
        assert min(page.run(CONTRASTS).values()) >= 4.5
        assert page.run("document.documentElement.scrollWidth") == 390
    assert page.console == []
    assert page.requests == [path.absolute().as_uri()]


def test_print(page, file):
    """On paper it is dark on white, and without what can only be clicked."""
    page.open(file, theme="dark")
    page.media("dark", "print")
    assert page.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.media("light")


def test_theme(page, file):
    """The button takes another theme than the system's."""
    page.open(file, theme="light")
    body = "getComputedStyle(document.body).backgroundColor"
    found = [page.run(f"document.getElementById('theme').click(), {body}") for _ in range(3)]
    assert found == ["rgb(255, 255, 255)", "rgb(15, 19, 24)", "rgb(255, 255, 255)"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts(page, tmp_path, name):
    """Nothing that others wrote runs, and what they wrote can be read."""
    path = tmp_path / "page.html"
    path.write_text(page_text(hostile_result(HOSTILE[name])))
    page.open(path, width=390)
    page.run(OPEN % 1)
    page.run(
        "for (const e of document.querySelectorAll('*')) e.dispatchEvent(new Event('mouseover'))"
    )
    assert page.run("document.title") == "The case fails"
    assert page.console == []
    assert page.requests == [path.absolute().as_uri()]
    assert page.run("document.documentElement.scrollWidth") == 390
    page.press("/")
    page.type("diverged")
    assert len(page.run(SHOWN)) == 1
    if name not in {"ansi", "lines", "direction", "surrogate", "workflow"}:
        assert HOSTILE[name] in page.run("document.querySelector('.inside').textContent")


def test_without_scripts(page, file):
    """Without scripts what failed can be read, and every case has its row."""
    text = file.read_text()
    bare = file.with_name("bare.html")
    bare.write_text(text.replace("script-src 'unsafe-inline'", "script-src 'none'"))
    page.open(bare)
    assert page.run("document.querySelectorAll('#table > tbody').length") == CASES
    assert page.run("document.querySelectorAll('.failure').length") > 0


def test_one_case(page, tmp_path, result):
    """A run of one case has a page, too."""
    path = tmp_path / "page.html"
    path.write_text(page_text(replace(result, records=result.records[:4])))
    page.open(path)
    assert page.run(OPEN % 1) == 1
    assert page.console == []
