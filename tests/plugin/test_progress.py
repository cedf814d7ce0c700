"""In a terminal a line says what a run is waiting for, and goes before anything else is written."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., str]

TEST = """
def test_same_answers(engine, feeds, parity, enforce):
    enforce(parity(engine(feeds)))
"""
EAGER = """
from pytest_infer.plugin import progress

progress.SHORT_S, progress.LIVE_S = 0.0, 0.01  # all that is done is shown, on any machine
"""
PLAIN = EAGER + "progress.PLAIN_S = 0.0\n"
DRAWN = re.compile(r"\n\r\x1b\[2m(.*?)\x1b\[0m\x1b\[K\x1b\[1A\x1b\[\d+G")


@pytest.fixture
def run(tmp_path: Path, cache: Path, toy: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a folder with a toy model; return all that a terminal gets."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        monkeypatch.delenv(name)
    (tmp_path / "conftest.py").write_text(toy + EAGER)
    (tmp_path / "test_toy.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "--infer-model=toy", "--engine=eager"]

    def call(*options: str) -> str:
        ours, its = pty.openpty()
        with subprocess.Popen(  # noqa: S603 - our own interpreter and options
            [*command, f"--infer-cache={cache}", *options],
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=subprocess.STDOUT,
        ) as process:
            os.close(its)
            text = b""
            with suppress(OSError):  # a terminal's end, when its last process has gone
                while piece := os.read(ours, 65536):
                    text += piece
            os.close(ours)
        assert process.returncode == 0, text.decode()
        return text.decode().replace("\r\n", "\n")

    return call


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "worker"])
def test_a_terminal_has_a_live_line(run: Run, options: tuple[str, ...]) -> None:
    """What is done is drawn, and is gone at the end."""
    text = run(*options)
    shown = DRAWN.findall(text)
    worker = "gw0 " if options else ""
    assert any(re.search(rf"{worker}start the host of eager, \d+ s", each) for each in shown)
    assert all(len(each) < 80 for each in shown)
    left = text.rsplit("\x1b[2m", 1)[1]
    assert "\n\r\x1b[K\x1b[1A" in left  # the last one was removed


def test_with_s_there_is_none(run: Run) -> None:
    """What tests print would get in its way."""
    assert not DRAWN.search(run("-s"))


def test_plain_lines_keep_a_line_whole(pytester: pytest.Pytester, toy: str, cache: Path) -> None:
    """Without a terminal a line is printed; after it ``-v`` has id and outcome side by side."""
    pytester.makeconftest(toy + PLAIN)
    pytester.makepyfile(test_toy=TEST)
    told = pytester.runpytest_subprocess(
        *("-v", "--infer-model=toy", "--engine=eager", f"--infer-cache={cache}"), "-pno:xdist"
    )
    told.stdout.re_match_lines([r"0 of 1: start the host of eager, \d+ s.*"])
    told.stdout.re_match_lines([r"test_toy\.py::test_same_answers\[\S+\] PASSED .*"])
