"""Kernels' timings beside a device's baselines, from which later builds of an engine start.

``<engine>-<version>.timing`` is the file as the engine's library writes and reads it.
``<engine>-<version>.timing.sha256`` is its digest, as ``sha256sum`` writes and checks it.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from pytest_infer.baselines.json_file import write_content
from pytest_infer.baselines.listing import files_in, is_there, unreadable
from pytest_infer.baselines.store import claim, writing
from pytest_infer.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_infer.baselines.folder import Fingerprint

SUFFIX = ".timing"
DIGESTS = ".sha256"
MOST_BYTES = 16 << 20
"""Of one file, which is in version control; a ResNet-50 and a MobileNetV2 took 161 kB."""

_LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>\S+)")


def timing_files(folder: Path, engine: str = "") -> list[Path]:
    """Return the files of timings in ``folder``, of one engine or of all, sorted."""
    return [
        folder / name
        for name in files_in(folder)
        if name.endswith(SUFFIX) and name.startswith(f"{engine}-" if engine else "")
    ]


def read_timings(path: Path) -> bytes:
    """Return the timings at ``path``, none without a file.

    Raise `BaselineError` for a file that is not the one whose digest stands beside it.
    """
    if not is_there(path):
        return b""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) > MOST_BYTES:
        raise _unusable(path, f"it is larger than {MOST_BYTES >> 20} MiB")
    known = _digests(path)
    if digest_of_timings(content) not in known:
        named = f"says {', '.join(known)}" if known else "is not there, or has no digest of it"
        raise _unusable(
            path, f"its SHA-256 is {digest_of_timings(content)}, and {path.name}{DIGESTS} {named}"
        )
    return content


def keep_timings(
    folder: Path, device: Fingerprint, name: str, merged: Callable[[bytes], bytes]
) -> str:
    """Store under ``name`` what ``merged`` makes of the timings that are there; return its digest.

    Writers in other processes wait for each other and lose nothing. Raise `BaselineError` as
    `update` does.
    """
    path = folder / name
    with writing(folder, device):
        there = read_timings(path)
        content = merged(there)
        if content == there:
            return digest_of_timings(content)
        if len(content) > MOST_BYTES:
            raise _unusable(path, f"it would be larger than {MOST_BYTES >> 20} MiB")
        claim(folder, device)
        # The digests of both stand there until the file is replaced: an end between is no damage.
        _write_digests(path, *([there] if there else []), content)
        write_content(path, content)
        _write_digests(path, content)
    return digest_of_timings(content)


def timing_differences(old: Path, new: Path) -> list[str]:
    """Return a line for each file of timings that only one folder has, or that differs."""
    before, after = (
        {path.name: read_timings(path) for path in timing_files(folder)} for folder in (old, new)
    )
    lines = []
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        sides = (name in before, name in after)
        told = {(True, False): "removed", (False, True): "added"}.get(sides, "other timings")
        lines.append(f"{name}: {told}")
    return lines


def digest_of_timings(content: bytes) -> str:
    """Return the SHA-256 of timings."""
    return sha256(content).hexdigest()


def _write_digests(path: Path, *contents: bytes) -> None:
    lines = [f"{digest_of_timings(each)}  {path.name}\n" for each in contents]
    write_content(path.with_name(path.name + DIGESTS), "".join(lines).encode())


def _digests(path: Path) -> list[str]:
    beside = path.with_name(path.name + DIGESTS)
    if not is_there(beside):
        return []
    try:
        lines = beside.read_text(errors="replace")[:MOST_BYTES].splitlines()
    except OSError as error:
        raise unreadable(beside, error) from error
    found = [_LINE.fullmatch(line) for line in lines]
    return [each["digest"] for each in found if each and each["name"] == path.name]


def _unusable(path: Path, why: str) -> BaselineError:
    return BaselineError(
        f"cannot use the timings in {path}",
        why=why,
        mend="restore both files from version control, or delete both and run with "
        "--update-baselines",
    )
