"""Write reports to files: for programs, for people, and for what a CI shows."""

from __future__ import annotations

import os
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infer.errors import OptionError
from pytest_infer.reports.annotations import github_text, gitlab_text
from pytest_infer.reports.history import cut_bytes, history_text
from pytest_infer.reports.markdown import markdown_text
from pytest_infer.reports.result_file import json_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.reports.result import Result

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write_report(kind: str, path: Path, result: Result) -> None:
    """Write one report; raise `OptionError` if its path cannot be written.

    Only JSON has the records of earlier attempts at tests, which count for nothing.
    """
    write_text(kind, path, WRITERS[kind](result), option=f"--infer-report={kind}:PATH")


def write_text(kind: str, path: Path, text: str, *, option: str) -> None:
    """Write the text of a report; raise `OptionError` if its path cannot be written.

    ``option`` is what names the path.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "history":
            _append_lines(path, text)
            return
        is_added = kind == "md" and _is_step_summary(path)
        with path.open("a" if is_added else "w", encoding="utf-8", errors="backslashreplace") as it:
            gap = "\n" if is_added and it.tell() else ""  # a table begins after a blank line
            it.write(gap + text)
    except OSError as error:
        raise OptionError(
            f"cannot write the report {path}",
            why=str(error),
            mend=f"name another file with {option}",
        ) from error


def _append_lines(path: Path, text: str) -> None:
    """Append whole lines to a history; one that a run was cut off in makes room for them.

    Runs that end at the same time write one after the other.
    """
    with path.open("a+b") as file:
        flock(file, LOCK_EX)
        file.seek(0)
        there = file.read()
        whole = there[: len(there) - cut_bytes(there)]
        file.truncate(len(whole))
        gap = b"\n" if whole and not whole.endswith(b"\n") else b""
        file.write(gap + text.encode("utf-8", "backslashreplace"))


def _is_step_summary(path: Path) -> bool:
    """Return whether a path is the file to which the steps of a GitHub job append in turn."""
    named = os.environ.get(STEP_SUMMARY, "")
    return bool(named) and path.resolve() == Path(named).resolve()


def _page_text(result: Result) -> str:
    from pytest_infer.reports.page import page_text  # jinja2 is for those who want a page

    return page_text(result)


WRITERS: dict[str, Callable[[Result], str]] = {
    "github": github_text,
    "gitlab": gitlab_text,
    "history": history_text,
    "html": _page_text,
    "json": json_text,
    "md": markdown_text,
}
