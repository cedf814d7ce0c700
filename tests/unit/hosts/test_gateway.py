"""What ssh is given besides what the user gives it, and programs that are no Python."""

import os
import signal
from pathlib import Path

import pytest

from pytest_infer.hosts.gateway import SSH_OPTIONS, Gateway, NoGatewayError, _spec_with_limits

NEVER_ANSWERS = {
    "it leaves a child that holds its pipes": (
        "exec 3<&0\nsetsid sleep 777 <&3 &\necho $! > {pid}\nexit 0"
    ),
    "it reads nothing, and neither does its child": (
        "setsid sleep 777 &\necho $! > {pid}\nexec sleep 778"
    ),
    "it will not be told to end": "echo $$ > {pid}\ntrap '' TERM\nsleep 777\nsleep 778",
}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("popen//python=/opt/ssh=x", "popen//python=/opt/ssh=x"),
        ("ssh=jetson", f"ssh=jetson {SSH_OPTIONS}"),
        (
            "ssh=me@jetson -p 2222 -o ConnectTimeout=5//python=python3",
            f"ssh=me@jetson -p 2222 -o ConnectTimeout=5 {SSH_OPTIONS}//python=python3",
        ),
    ],
)
def test_options_come_last(spec, expected):
    """Ours come after the user's, of which ssh takes the first, and only for ssh."""
    assert _spec_with_limits(spec) == expected


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 3", "it ended (exit status 3) before it answered"),
        ("kill -15 $$", "it ended (SIGTERM) before it answered"),
        ("echo sorry >&2; exit 0", "sorry"),
    ],
)
def test_program_that_ends(tmp_path: Path, script: str, why: str) -> None:
    """What it said is reported, or else how it ended."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    with pytest.raises(NoGatewayError) as caught:
        Gateway(f"popen//python={program}", "", timeout_s=60)
    assert str(caught.value) == why


@pytest.mark.parametrize("script", NEVER_ANSWERS.values(), ids=NEVER_ANSWERS)
def test_program_that_is_no_python(tmp_path: Path, script: str) -> None:
    """Whoever holds its pipes open, the start is given up after the time-out."""
    program, pid = tmp_path / "program", tmp_path / "pid"
    program.write_text("#!/bin/sh\n" + script.format(pid=pid))
    program.chmod(0o700)
    with pytest.raises(NoGatewayError, match=r"^it did not answer within 0\.5 s$"):
        Gateway(f"popen//python={program}", "", timeout_s=0.5)
    try:
        os.kill(int(pid.read_text()), signal.SIGKILL)  # in a separate session, it is left
    except ProcessLookupError:
        assert "TERM" in script
