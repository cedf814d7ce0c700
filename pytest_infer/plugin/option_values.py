"""Read the texts of options: each function takes the flag and its values, and returns one value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

from pytest_infer import bounds
from pytest_infer.errors import ModelError, OptionError, unknown
from pytest_infer.hosts.host_spec import INLINE, check_spec
from pytest_infer.plain_text import shown
from pytest_infer.plugin.option_paths import folder_from_text, path_from_text

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_infer.case import Precision
    from pytest_infer.config import Update

REPORTS = ("github", "gitlab", "history", "html", "json", "md")

_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?|\.[0-9]{1,20}")

FLAG_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def read_names(_: str, parts: list[str]) -> tuple[str, ...]:
    """Return the values as they are, each once."""
    return tuple(dict.fromkeys(parts))


def read_inputs(flag: str, parts: list[str]) -> tuple[str, ...]:
    """Return what is said of inputs, as it is, commas and all."""
    from pytest_infer.models.input_text import inputs_from_texts

    try:
        inputs_from_texts(part.strip() for part in parts)
    except ModelError as error:
        raise OptionError(f"{flag}: {error.what}", why=error.why, mend=error.mend) from None
    return tuple(parts)


def read_one(_: str, parts: list[str]) -> str:
    """Return the last value given."""
    return parts[-1]


def read_precisions(_: str, parts: list[str]) -> tuple[Precision, ...]:
    """Return precisions, each once."""
    from pytest_infer.case import PRECISIONS

    for part in parts:
        if part not in PRECISIONS:
            raise unknown("precision", part, PRECISIONS)
    return cast("tuple[Precision, ...]", tuple(dict.fromkeys(parts)))


def read_batches(flag: str, parts: list[str]) -> tuple[int, ...]:
    """Return batch sizes, each once."""
    return tuple(dict.fromkeys(bounds.BATCH.read(flag, part) for part in parts))


def read_calls(flag: str, parts: list[str]) -> int:
    """Return a number of calls, at least 1."""
    return bounds.CALLS.read(flag, read_one(flag, parts))


def read_examples(flag: str, parts: list[str]) -> int:
    """Return a number of shapes, at least 1."""
    return bounds.EXAMPLES.read(flag, read_one(flag, parts))


def read_warmup(flag: str, parts: list[str]) -> int:
    """Return a number of calls, at least 0."""
    return bounds.WARMUP.read(flag, read_one(flag, parts))


def read_seconds(flag: str, parts: list[str]) -> float:
    """Return a positive number of seconds, at most a year."""
    text = read_one(flag, parts)
    seconds = float(text) if _DECIMAL.fullmatch(text) else 0.0
    if not 0 < seconds <= bounds.LONGEST_S:
        raise OptionError(
            f"{flag}={shown(text)} is not valid",
            why=f"it takes a positive number of seconds, at most {bounds.LONGEST_S}: a year, and "
            "no call takes longer",
            mend=f"for example {flag}=600",
        )
    return seconds


def read_device(flag: str, parts: list[str]) -> str:
    """Return ``auto``, ``cpu`` or ``cuda:N``."""
    from pytest_infer.config import AUTO

    text = read_one(flag, parts)
    kind, _, index = text.partition(":")
    if text in (AUTO, "cpu"):
        return text
    if text == "cuda":
        return "cuda:0"
    if kind != "cuda" or not index.isdecimal():
        raise unknown("device", text, (AUTO, "cpu", "cuda", "cuda:0"))
    number = bounds.number_from_text(index)
    if number is None or number > bounds.GPU.most:
        raise OptionError(
            f"{flag}={shown(text)} is not valid",
            why=f"N of cuda:N takes whole numbers {bounds.GPU}",
            mend=f"for example {flag}=cuda:0",
        )
    return f"cuda:{number}"


def read_hosts(flag: str, parts: list[str], also: str = " or 'inline'") -> dict[str, str]:
    """Return the specification of each ENGINE=SPEC; ``also`` is what else it may be."""
    hosts = {}
    for part in parts:
        engine, separator, spec = part.partition("=")
        if not (engine and separator and spec):
            raise OptionError(
                f"{flag}={shown(part)} is not valid",
                why=f"it takes ENGINE=SPEC, where SPEC is an execnet specification{also}",
                mend=f"for example {flag}=ort=popen//python=/opt/ort/bin/python",
            )
        check_spec(f"{flag}={shown(engine)}", spec)
        hosts[engine] = spec
    return hosts


def read_against(flag: str, parts: list[str]) -> dict[str, str]:
    """Return the one other environment of each engine: the specification of each ENGINE=SPEC."""
    named = [part.partition("=")[0] for part in parts]
    twice = next((name for name in named if named.count(name) > 1), "")
    if twice and len(set(parts)) > len(set(named)):
        raise OptionError(
            f"{flag} names {shown(twice)} more than once",
            why="an engine is compared with one other environment at a time",
            mend=f"leave out all but one {flag}={shown(twice)}=…, and run again for the others",
        )
    hosts = read_hosts(flag, parts, also="")
    inline = next((engine for engine, spec in hosts.items() if spec == INLINE), "")
    if inline:
        raise OptionError(
            f"{flag}={shown(inline)}=inline is not valid",
            why="inline is this process, and every measurement needs a fresh one",
            mend=f"for example {flag}={shown(inline)}=popen//python=/opt/old/bin/python",
        )
    return hosts


def read_nodes(flag: str, parts: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the nodes of each MODEL=NODE by model, sorted."""
    nodes: dict[str, set[str]] = {}
    for part in parts:
        model, separator, node = part.partition("=")
        if not (model and separator and node):
            raise OptionError(
                f"{flag}={shown(part)} is not valid",
                why="it takes MODEL=NODE",
                mend=f"for example {flag}=mobilenet_v2=node_Conv_810",
            )
        nodes.setdefault(model, set()).add(node)
    return {model: tuple(sorted(names)) for model, names in nodes.items()}


def read_engine_options(flag: str, parts: list[str]) -> dict[str, str]:
    """Return the text of each ENGINE.NAME=VALUE."""
    texts = {}
    for part in parts:
        name, separator, value = part.partition("=")
        engine, _, option = name.partition(".")
        if not (engine and option and separator and value):
            raise OptionError(
                f"{flag}={shown(part)} is not valid",
                why="it takes ENGINE.NAME=VALUE",
                mend=f"for example {flag}=ort.intra_op_threads=1; --infer-engines shows all",
            )
        texts[name] = value
    return texts


def read_weights(flag: str, parts: list[str]) -> str:
    """Return ``seeded``, ``pretrained`` or the path of a folder that exists."""
    from pytest_infer.models.spec import WEIGHTS

    text = read_one(flag, parts)
    if text in WEIGHTS:
        return text
    others = f" (or one of: {', '.join(WEIGHTS)})"
    return str(folder_from_text(flag, text, others))


def read_folder(flag: str, parts: list[str]) -> Path:
    """Return the absolute path of a folder that exists."""
    return folder_from_text(flag, read_one(flag, parts))


def read_path(flag: str, parts: list[str]) -> Path:
    """Return a path, which need not exist."""
    return path_from_text(flag, read_one(flag, parts))


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
                f"{flag}={shown(part)} is not valid",
                why="it takes KIND:PATH",
                mend=f"for example {flag}={kind}:report.{kind}",
            )
        reports.append((kind, path_from_text(f"{flag}={kind}:", path)))
    return tuple(reports)


def read_flag(flag: str, parts: list[str]) -> bool:
    """Return whether a flag, or its ini twin, is on."""
    if parts[0].lower() not in FLAG_WORDS:
        raise unknown(f"value of {flag}", parts[0], FLAG_WORDS)
    return FLAG_WORDS[parts[0].lower()]
