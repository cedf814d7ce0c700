"""What may stand after ``--infer-host=ENGINE=``: an execnet specification that makes sense."""

from __future__ import annotations

import re

from pytest_infer.bounds import number_from_text
from pytest_infer.errors import OptionError, unknown
from pytest_infer.plain_text import shown

INLINE = "inline"

WAYS = ("popen", "ssh", "socket", "vagrant_ssh")
"""How a host is reached, one of them."""

PARTS = (*WAYS, "python", "chdir", "nice", "execmodel", "ssh_config", "dont_write_bytecode", "id")
"""execnet ignores what it does not know."""

ENVIRONMENT = "env:"
MODELS = ("main_thread_only", "thread")
"""Execution models of execnet that need no further library."""

MOST_CHARACTERS = 8192
MOST_PORT = 65_535
_NICE = re.compile(r"-?[0-9]{1,2}")


def check_spec(flag: str, spec: str) -> None:
    """Raise `OptionError` unless ``spec`` is ``inline`` or names one way to reach a Python."""
    if spec != INLINE and (why := _fault(spec)):
        raise OptionError(
            f"{flag}={shown(spec)} is not valid",
            why=why,
            mend="for example popen//python=/opt/trt8/bin/python, ssh=jetson//python=python3, "
            "or inline",
        )


def _fault(spec: str) -> str:
    """Return what is wrong with a specification; empty if nothing is."""
    if len(spec) > MOST_CHARACTERS:
        return f"it has {len(spec)} characters, and {MOST_CHARACTERS} are allowed"
    if not _is_encodable(spec):
        return "it holds a null byte or half of a character"
    pairs = [part.partition("=") for part in spec.split("//")]
    names = [name for name, _, _ in pairs]
    values = {name: value for name, _, value in pairs}
    for name in names:
        if not name.startswith(ENVIRONMENT) and name not in PARTS:
            raise unknown("part of an execnet specification", name, PARTS)
    if len(values) < len(names):
        return "it names a part twice"
    ways = [name for name in names if name in WAYS]
    if len(ways) != 1:
        return f"it names {len(ways)} ways instead of one of {', '.join(WAYS)}"
    if ENVIRONMENT in names:
        return "env: has no name"
    faults = (_part_fault(name, value) for name, value in values.items())
    return next((fault for fault in faults if fault), "")


def _part_fault(name: str, value: str) -> str:
    if name in {"ssh", "vagrant_ssh", "ssh_config", "python", "chdir"} and not value.strip():
        return f"{name} names nothing"
    if name == "execmodel" and value not in MODELS:
        return f"execmodel is {shown(value)}, and hosts run as one of {', '.join(MODELS)}"
    if name == "nice" and not _NICE.fullmatch(value):
        return f"nice is {shown(value)}, not a whole number from -20 to 19"
    if name == "socket" and not _is_address(value):
        return f"socket is {shown(value)}, not HOST:PORT with a port from 1 to {MOST_PORT}"
    return ""


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and ":" not in host and 0 < (number_from_text(port) or 0) <= MOST_PORT


def _is_encodable(text: str) -> bool:
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
