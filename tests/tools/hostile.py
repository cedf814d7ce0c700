"""Texts that others may write, and a result in which they are everywhere."""

from __future__ import annotations

from pytest_infer.case import Case
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.record import record_from_verdict
from pytest_infer.reports.result import Result
from pytest_infer.reports.run_info import RunInfo
from pytest_infer.verdict import Verdict, failed

SCRIPT = (
    "</script><script>document.title='obeyed'</script>"
    "<img src=x onerror=\"document.title='obeyed'\">"
)

HOSTILE = {
    "script": SCRIPT,
    "attribute": "\" onmouseover=\"document.title='obeyed'\" x='",
    "template": "{{ 7 * 7 }}{% raw %}",
    "workflow": "x\n::error::obeyed\n##vso[task.complete]\n::set-output name=a::b",
    "ansi": "\x1b[31mred\x1b[0m\x07",
    "lines": "a\nb\r\nc\u2028d",
    "direction": "abc\u202edef",
    "surrogate": "\ud800",
    "emoji": "🚀🙂é",
    "markdown": "|x|[y](http://example.com)<b>*z*`w`",
    "long": "n" * 300,
}


def hostile_result(text: str) -> Result:
    """Return a result in which names, messages, figures' neighbours and options are ``text``."""
    case = Case(text, text, "int8", 1, "cpu", variant=text)
    checks = [
        {
            "output": text,
            "part": text,
            "metric": text,
            "better": "lower",
            "origin": text,
            "value": 2.0,
            "bound": 1.0,
            "noise": None,
            "ratio": 2.0,
        }
    ]
    evidence = {
        "precision": text,
        "device": text,
        "precision_share": 1.0,
        "device_share": 1.0,
        "details": {text: text},
    }
    wrong = failed("parity", "diverged", what=text, why=text, mend=text)
    photographs = [
        {
            "name": text,
            "is_wrong": True,
            "jpeg": "AAAA",
            "width": 20,
            "height": 10,
            "classes": [{"name": text, "engine": 0.2, "reference": 0.9}],
            "boxes": [{"side": side, "name": text, "score": 0.9, "box": [1, 1, 9, 9]}],
        }
        for side in ("engine", text)
    ]
    int8_loss = {
        "model": text,
        "together": 0.1,
        "layers": [{"node": text, "operator": text, "tensor": text, "loss": 0.09}],
        "count": 1,
        "without": [0.01],
        "leave_out": [text],
        "before": 0.1,
        "after": 0.01,
    }
    cell = {"text": text, "state": 0, "nodes": 2, "name": text, "column": 0, "lane": 0}
    row = {"name": text, "cells": [cell, {**cell, "column": 7, "state": 1}], "links": [[0, 1]]}
    drawing = {
        "nodes": 4,
        "layers": 2,
        "states": [{"text": text, "layers": 1, "nodes": 2}, {"text": text, "kind": "moves"}],
        "rows": [row, {**row, "alike": 3, "last": text}],
    }
    layer = {"name": text, "operator": text, "place": text, "precision": text, "module": text}
    profile = {
        "by": text,
        "total_ms": 1.0,
        "count": 1,
        "layers": [{**layer, "ms": 1.0}],
        "operators": [{"operator": text, "count": 1, "ms": 1.0}],
    }
    details = {
        "drawing": drawing,
        "profile": profile,
        "checks": checks,
        "evidence": evidence,
        "photographs": photographs,
        "int8_loss": int8_loss,
    }
    verdicts = (
        Verdict("parity", "fail", "diverged", wrong.message, {"worst_ratio": 2.0}, details),
        Verdict("baseline", "inconclusive", text, text),
        Verdict("latency", "pass", "measured", text, {"p50_ms": 1.0, "speedup": 1.0}),
    )
    records = [
        record_from_verdict(
            each,
            case,
            f"{text}::test_it",
            device={"kind": "cpu", "name": text, "cores": 2},
            runtime={text: text},
            file=text,
            line=3,
        )
        for each in verdicts
    ]
    lack = {"why": text, "mend": text}
    coverage = Coverage(notices=(text,), exclusions=({"what": text, "cases": 1, "lack": lack},))
    run = RunInfo(
        started="2026-11-29T20:15:00+00:00",
        command=text,
        commit=text,
        plugin=text,
        machine=text,
        platform=text,
        versions={text: text},
        options={text: [text]},
        seeds={text: text},
    )
    return Result(records, coverage, run=run)
