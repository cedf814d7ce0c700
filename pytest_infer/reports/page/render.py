"""Fill the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pytest_infer.reports.caveats import caveats, stop_line
from pytest_infer.reports.layer_losses import losses_of
from pytest_infer.reports.page.answers import MOST_CHANGES, answers_of, changes_of, worst_of
from pytest_infer.reports.page.cases import SIGNS, case_views
from pytest_infer.reports.page.details import BLOCK, packed
from pytest_infer.reports.page.environment import asset, template_environment
from pytest_infer.reports.page.layers import drawing_texts, layers_of
from pytest_infer.reports.page.matrix import matrix_of
from pytest_infer.reports.page.photographs import pictures_of
from pytest_infer.reports.page.speeds import latency_bars, throughput_charts
from pytest_infer.reports.run_info import SHORT_COMMIT
from pytest_infer.reports.summary import SEVERITY, status_counts
from pytest_infer.reports.sweep import sweeps_from_records
from pytest_infer.reports.terminal import coverage_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Environment

    from pytest_infer.reports.page.cases import CaseView
    from pytest_infer.reports.page.matrix import Cell
    from pytest_infer.reports.record import Record
    from pytest_infer.reports.result import Result
    from pytest_infer.reports.run_info import RunInfo

MOST_FAILURES = 60
"""Failed cases that are told in full before the table; the table has them all."""

MOST_CHARTS = 30
"""Charts of a section; the table has the figures of them all."""

MOST_ROWS = 300
"""Rows of the table that are laid out before somebody asks for the others."""

MOST_OPEN = 6
"""Charts of a section that are not folded away."""

FILTERS = ("status", "model", "engine", "precision", "batch")

COLUMNS = (
    ("verdict", False),
    ("model", False),
    ("engine", False),
    ("precision", False),
    ("batch", True),
    ("p50 ms", True),
    ("p99 ms", True),
    ("rows/s", True),
    ("over eager", True),
    ("change", True),
    ("relative L2", True),
    ("of tolerance", True),
)
"""Of the table of all cases, and whether they hold figures."""

SECTIONS = (
    ("short", "In short"),
    ("failures", "Failures"),
    ("overview", "Overview"),
    ("latency", "Latency"),
    ("throughput", "Throughput"),
    ("changes", "Baseline"),
    ("past", "Over runs"),
    ("errors", "Errors"),
    ("int8", "int8"),
    ("cases", "All cases"),
    ("run", "This run"),
)


OF_TIMES = ("latency", "baseline")
"""The judges that do not look at what an engine answers."""


def page_text(result: Result) -> str:
    """Return the page of a result."""
    environment = template_environment()
    environment.filters["filter_of"] = _filter_of
    return environment.get_template("page.html").render(_content(result, environment))


def _filter_of(cell: Cell) -> str:
    """Return the part of a link that filters the table to the cases of a cell."""
    case = cell.case
    chosen = {"model": case.model, "engine": case.engine, "precision": case.precision}
    return urlencode(chosen, errors="backslashreplace")


def _content(result: Result, environment: Environment) -> dict[str, Any]:
    layers = layers_of(result.records, result.history, result.run.started)
    cases = case_views(result.records, result.history, layers.cases)
    drifts = [each for each in cases if each.past and each.past.drift]
    bars = latency_bars(cases)
    changes, worst = changes_of(cases), worst_of(cases)
    losses = losses_of(result.records)
    counts = status_counts(each.status for each in cases)
    pictures = pictures_of(result.records)
    content: dict[str, Any] = {
        "pictures": pictures,
        "css": asset("page.css"),
        "js": asset("page.js"),
        "theme_js": asset("theme.js"),
        "run": result.run,
        "title": _title(cases, counts, result),
        "worst": _worst(counts, result),
        "counts": counts,
        "facts": _facts(result),
        "answers": answers_of(
            cases, bars, changes, worst, unread=result.coverage.unread, losses=losses
        ),
        "failures": [each for each in cases if each.status == "fail"],
        "unclear": _unclear(result.records),
        "matrix": matrix_of(cases),
        "bars": bars,
        "caveats": caveats(result.records),
        "throughput": throughput_charts(sweeps_from_records(result.records)),
        "changes": changes,
        "worst_cases": worst,
        "drifts": drifts,
        "losses": [each for each in losses if each.losses.layers],
        "cases": cases,
        "filters": {name: _values(cases, name) for name in FILTERS},
        "lines": coverage_lines(result.coverage, result.records),
        "settings": _settings(result.run),
    }
    filled = {
        "latency": content["bars"],
        "throughput": content["throughput"],
        "changes": changes,
        "errors": worst,
        "past": drifts,
        "int8": content["losses"],
    }
    return content | {
        "blocks": packed(_details(cases, pictures, environment)),
        "drawings": packed(drawing_texts(layers.drawings, environment)),
        "block_size": BLOCK,
        "signs": SIGNS,
        "columns": COLUMNS,
        "sections": [each for each in SECTIONS if filled.get(each[0], True)],
        "most_failures": MOST_FAILURES,
        "most_open": MOST_OPEN,
        "most_rows": MOST_ROWS,
        "most_charts": MOST_CHARTS,
        "most_changes": MOST_CHANGES,
    }


def _details(
    cases: Sequence[CaseView], pictures: Mapping[str, str], environment: Environment
) -> list[str]:
    """Return what is shown below the row of each case."""
    template = environment.get_template("detail.html")
    return [template.render(case=case, pictures=pictures) for case in cases]


def _title(cases: Sequence[CaseView], counts: Mapping[str, int], result: Result) -> str:
    is_judged = any(record.judge not in OF_TIMES for record in result.records)
    unread, parts = result.coverage.unread, [_verdict(cases, counts, is_judged=is_judged)]
    if unread:
        parts.insert(0, f"{len(unread)} model{'s' * (len(unread) > 1)} could not be read")
    if stop := stop_line(result):
        parts.insert(0, stop)
    return ". ".join(parts)


def _worst(counts: Mapping[str, int], result: Result) -> str:
    """Return the status of the headline: no tick where a part of the run is missing."""
    if result.coverage.unread:
        return "fail"
    found = next(iter(counts), "new")
    return "inconclusive" if result.run.stopped and found in {"pass", "new"} else found


def _verdict(cases: Sequence[CaseView], counts: Mapping[str, int], *, is_judged: bool) -> str:
    if not cases:
        return "No case was judged"
    number = len(cases)
    if "fail" in counts:
        return "The case fails" if number == 1 else f"{counts['fail']} of {number} cases fail"
    if "inconclusive" in counts:
        return f"{counts['inconclusive']} of {number} cases have no conclusion"
    is_so = "right" if is_judged else "timed, and no answer was judged"
    told = f"The case is {is_so}" if number == 1 else f"All {number} cases are {is_so}"
    if "new" not in counts:
        return told
    return f"{told}, {counts['new']} {'has' if counts['new'] == 1 else 'have'} no baseline yet"


def _facts(result: Result) -> list[tuple[str, str]]:
    run = result.run
    devices = dict.fromkeys(
        str(record.device.get("name", "")) for record in result.records if record.device
    )
    runtime: dict[str, str] = {}
    for record in result.records:
        runtime |= record.runtime
    changed = {True: ", with changes that are not committed", False: "", None: ""}[run.dirty]
    return [
        ("device", ", ".join(devices) or "unknown"),
        ("date", _date(run)),
        ("commit", f"{run.commit[:SHORT_COMMIT] or 'unknown'}{changed}"),
        ("pytest-infer", run.plugin or "unknown"),
        (
            "libraries",
            ", ".join(f"{name} {value}" for name, value in sorted(runtime.items())) or "unknown",
        ),
        ("machine", ", ".join(filter(None, (run.machine, run.platform))) or "unknown"),
    ]


def _date(run: RunInfo) -> str:
    """Return when a run began, as people write it, and how long it took."""
    if not run.started:
        return "unknown"
    began = run.started.replace("T", " ").replace("+00:00", " UTC")
    return f"{began}, took {run.duration_s / 60:.1f} min"


def _unclear(records: Sequence[Record]) -> list[tuple[str, str, str, int]]:
    """Return what is neither a pass nor a failure, by kind: its first message and how often."""
    found: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record.status not in {"pass", "fail"}:
            found.setdefault((record.status, record.code), []).append(record.message)
    ordered = sorted(found.items(), key=lambda each: SEVERITY.index(each[0][0]))
    return [(status, code, texts[0], len(texts)) for (status, code), texts in ordered]


def _values(cases: Sequence[CaseView], name: str) -> list[str]:
    values = dict.fromkeys(getattr(each, name) for each in cases)
    return [str(each) for each in (sorted(values) if name == "batch" else values)]


def _settings(run: RunInfo) -> list[tuple[str, str]]:
    parts = {"option": run.options, "seed": run.seeds, "version": run.versions}
    return [
        (f"{kind} {name}", str(value))
        for kind, values in parts.items()
        for name, value in sorted(values.items())
    ]
