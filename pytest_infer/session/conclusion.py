"""What a run does when its tests are over: it stores baselines and writes reports."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_infer.baselines.update import store_by_device
from pytest_infer.border import border
from pytest_infer.errors import InferError, OptionError
from pytest_infer.reports.history import read_history
from pytest_infer.reports.report_file import write_report
from pytest_infer.storage.artifacts import write_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_infer.config import InferConfig
    from pytest_infer.reports.result import Result

HISTORY = "history"
"""The kind of report that is written first, for the page shows it."""


def conclude(config: InferConfig, result: Result) -> tuple[list[str], list[InferError]]:
    """Store baselines and write reports, as the options ask.

    Return what to show, and what could not be stored or written, which the former has too.
    """
    jobs: list[Callable[[], list[str]]] = []
    if config.update:
        jobs.append(partial(store_by_device, config, result.records))
    if config.artifacts:
        jobs.append(partial(_listed, config.artifacts))
    ordered = sorted(config.reports, key=lambda each: each[0] != HISTORY)
    jobs += [partial(_reported, kind, path, result, dict(ordered)) for kind, path in ordered]
    done = [_attempted(job) for job in jobs]
    errors = [each for each in done if isinstance(each, InferError)]
    lines = [line for each in done if not isinstance(each, InferError) for line in each]
    return [*lines, *map(str, errors)], errors


def _listed(folder: Path) -> list[str]:
    """Write the list of what is kept for people."""
    count = write_list(folder)
    return [f"artifacts: {folder}: {count} cases; pytest-infer open shows one"]


def _attempted(job: Callable[[], list[str]]) -> list[str] | InferError:
    """Return what a job has to show, or why it could not be done: the others are done anyway."""
    try:
        with border("store baselines or write reports"):
            return job()
    except InferError as error:
        return error


def _reported(kind: str, path: Path, result: Result, paths: Mapping[str, Path]) -> list[str]:
    """Write one report; a page shows the history to which this run has added.

    A history that cannot be read is an error of its own, and leaves the page without one.
    """
    told = f"report: {path}"
    if kind == "html" and HISTORY in paths:
        try:
            result = replace(result, history=read_history(paths[HISTORY]))
        except OptionError:
            told += ", without the history"
    if kind == HISTORY and path.exists():
        read_history(path)  # nothing is added to a file that cannot be read
    write_report(kind, path, result)
    return [told]
