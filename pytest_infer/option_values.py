"""Read the texts of options: each function takes the flag and its values, and returns one value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from pytest_infer.errors import OptionError, unknown

if TYPE_CHECKING:
    from pytest_infer.config import Update
    from pytest_infer.spec import Precision

REPORTS = ("html", "json", "md")

FLAG_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def read_names(_: str, parts: list[str]) -> tuple[str, ...]:
    """Return the values as they are, each once."""
    return tuple(dict.fromkeys(parts))


def read_one(_: str, parts: list[str]) -> str:
    """Return the last value given."""
    return parts[-1]


def read_precisions(_: str, parts: list[str]) -> tuple[Precision, ...]:
    """Return precisions, each once."""
    from pytest_infer.spec import PRECISIONS

    for part in parts:
        if part not in PRECISIONS:
            raise unknown("precision", part, PRECISIONS)
    return cast("tuple[Precision, ...]", tuple(dict.fromkeys(parts)))


def read_positive_ints(flag: str, parts: list[str]) -> tuple[int, ...]:
    """Return whole numbers from 1 up, each once."""
    return tuple(dict.fromkeys(_int(flag, part, least=1) for part in parts))


def read_calls(flag: str, parts: list[str]) -> int:
    """Return a number of calls, at least 1."""
    return _int(flag, read_one(flag, parts), least=1)


def read_warmup(flag: str, parts: list[str]) -> int:
    """Return a number of calls, at least 0."""
    return _int(flag, read_one(flag, parts), least=0)


def _int(flag: str, text: str, *, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise OptionError(
            f"{flag}={text} is not valid",
            why=f"it takes whole numbers from {least} up",
            mend=f"for example {flag}={max(least, 8)}",
        )
    return int(text)


def read_seconds(flag: str, parts: list[str]) -> float:
    """Return a positive, finite number of seconds."""
    text = read_one(flag, parts)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise OptionError(
            f"{flag}={text} is not valid",
            why="it takes a positive number of seconds",
            mend=f"for example {flag}=600",
        )
    return seconds


def read_device(flag: str, parts: list[str]) -> str:
    """Return ``auto``, ``cpu`` or ``cuda:N``."""
    from pytest_infer.config import AUTO

    text = read_one(flag, parts)
    kind, _, index = text.partition(":")
    if text in (AUTO, "cpu", "cuda") or (kind == "cuda" and index.isdecimal()):
        return "cuda:0" if text == "cuda" else text
    raise unknown("device", text, (AUTO, "cpu", "cuda", "cuda:0"))


def read_hosts(flag: str, parts: list[str]) -> dict[str, str]:
    """Return the specification of each ENGINE=SPEC."""
    hosts = {}
    for part in parts:
        engine, separator, spec = part.partition("=")
        if not (engine and separator and spec):
            raise OptionError(
                f"{flag}={part} is not valid",
                why="it takes ENGINE=SPEC, where SPEC is an execnet specification or 'inline'",
                mend=f"for example {flag}=ort=popen//python=/opt/ort/bin/python",
            )
        hosts[engine] = spec
    return hosts


def read_engine_options(flag: str, parts: list[str]) -> dict[str, str]:
    """Return the text of each ENGINE.NAME=VALUE."""
    texts = {}
    for part in parts:
        name, separator, value = part.partition("=")
        engine, _, option = name.partition(".")
        if not (engine and option and separator and value):
            raise OptionError(
                f"{flag}={part} is not valid",
                why="it takes ENGINE.NAME=VALUE",
                mend=f"for example {flag}=ort.intra_op_threads=1; --infer-engines shows all",
            )
        texts[name] = value
    return texts


def read_weights(flag: str, parts: list[str]) -> str:
    """Return ``seeded``, ``pretrained`` or the path of a folder that exists."""
    from pytest_infer.spec import WEIGHTS

    text = read_one(flag, parts)
    if text in WEIGHTS:
        return text
    return str(read_folder(flag, parts))


def read_folder(flag: str, parts: list[str]) -> Path:
    """Return the absolute path of a folder that exists."""
    path = Path(read_one(flag, parts)).expanduser()
    if path.is_dir():
        return path.resolve()
    from pytest_infer.spec import WEIGHTS

    words = f" (or one of: {', '.join(WEIGHTS)})" if flag == "--infer-weights" else ""
    raise OptionError(
        f"{flag}={path} is not a folder",
        why="it is a file" if path.exists() else f"there is nothing at {path.absolute()}",
        mend=f"name a folder that exists{words}{_nearby(path)}",
    )


def _nearby(path: Path) -> str:
    from difflib import get_close_matches

    if not path.parent.is_dir():
        return ""
    near = get_close_matches(path.name, [p.name for p in path.parent.iterdir() if p.is_dir()], n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def read_path(flag: str, parts: list[str]) -> Path:
    """Return a path, which need not exist."""
    return Path(read_one(flag, parts)).expanduser()


def read_update(flag: str, parts: list[str]) -> Update | None:
    """Return which baselines are stored: a flag's words, ``new`` or ``improved``."""
    from typing import get_args

    from pytest_infer.config import Update

    modes: dict[str, Update | None] = {mode: mode for mode in get_args(Update)}
    modes |= {word: "all" if is_on else None for word, is_on in FLAG_WORDS.items()}
    if parts[0].lower() not in modes:
        raise unknown(f"value of {flag}", parts[0], modes)
    return modes[parts[0].lower()]


def read_cache(flag: str, parts: list[str]) -> Path | Literal["off"]:
    """Return a path, which need not exist, or ``off``; ``./off`` is a folder."""
    from pytest_infer.config import OFF

    return OFF if read_one(flag, parts) == OFF else read_path(flag, parts)


def read_reports(flag: str, parts: list[str]) -> tuple[tuple[str, Path], ...]:
    """Return the kind and path of each KIND:PATH."""
    reports = []
    for part in parts:
        kind, separator, path = part.partition(":")
        if kind not in REPORTS:
            raise unknown("report", kind, REPORTS)
        if not (separator and path):
            raise OptionError(
                f"{flag}={part} is not valid",
                why="it takes KIND:PATH",
                mend=f"for example {flag}={kind}:report.{kind}",
            )
        reports.append((kind, Path(path)))
    return tuple(reports)


def read_flag(flag: str, parts: list[str]) -> bool:
    """Return whether a flag, or its ini twin, is on."""
    if parts[0].lower() not in FLAG_WORDS:
        raise unknown(f"value of {flag}", parts[0], FLAG_WORDS)
    return FLAG_WORDS[parts[0].lower()]
