"""Baseline files that somebody, or something, has ruined: told with a mend, or read right."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_infer import Case, InferError
from pytest_infer.baselines.floor import judge_floor
from pytest_infer.baselines.search import destination, match_device, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

CASE = Case("toy", "ort", "fp32", 1, "cpu")
KEY = CASE.id
CPU = {"kind": "cpu", "name": "Laptop CPU"}
DEVICE = {"schema": 3, "holds": "measured", "fingerprint": CPU}
MEASURED = {"kind": "measured", "device": "Laptop CPU", "date": "2026-01-02", "command": "pytest"}
GATE = {
    "protocol": 1,
    "clock": "monotonic",
    "threads": 1,
    "measurements": [{"theta": 0.5, "rho": 3.0, "engine_ms": 7.5, "rounds": 100}],
}
ENTRY = {"figures": {"p50_ms": 1.5, "mae": 0.0}, "provenance": MEASURED, "gate": GATE}
MODEL = {"schema": 3, "model": "toy", "entries": {KEY: ENTRY}}

FIGURES = {"p50_ms": 1.0, "p90_ms": 1.1, "throughput_per_s": 1000.0}
"""What a case that is compared with a hostile file has measured."""

NUMBERS = [0, -1, 1e308, -0.0, 10**400, -(10**30), 2**63, float("nan"), float("inf"), 5e-324]
TEXTS = [
    *("", "..", "../../etc/passwd", "/etc/passwd", "toy.json", "device", "NaN", "nan"),
    *("\x00", "\x1b[2J", "\ud800", "\u202egnp.yot", "a\nb", "é" * 300, "[red]x[/]", "x" * 5000),
    *(KEY, "toy-ort-fp32-b0", "toy-\x1b-fp32-b1", "toy-\nort-fp32-b1", "toy-é-fp32-b1", "kind"),
]
OTHERS = [None, True, [], {}, [[[]]], {"a": {"b": 1}}]
HOSTILE = [*NUMBERS, *TEXTS, *OTHERS]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
VALUES = st.recursive(
    SCALARS | st.sampled_from(HOSTILE),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.text(max_size=20) | st.sampled_from(TEXTS)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value within ``value``, its own first."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [place, *(each for key, item in inner for each in places(item, (*place, key)))]


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of ``value`` with another one at ``place``."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = changed(value[place[0]], place[1:], new)
    return copy


def encoded(value: Any) -> bytes:
    """Return a file as Python writes it, NaN and half characters included."""
    return json.dumps(value).encode()


def renamed(value: Any, place: tuple[Any, ...], name: str) -> Any:
    """Return a copy of ``value`` in which the object's key at ``place`` is another."""
    first, *rest = place
    if rest:
        return changed(value, (first,), renamed(value[first], tuple(rest), name))
    return {(name if key == first else key): item for key, item in value.items()}


@st.composite
def ruined(draw: st.DrawFn, origin: Any) -> bytes:
    """Return a file that was valid: values and keys exchanged, bytes flipped, cut or repeated."""
    value = origin
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(places(value)))
        value = changed(value, place, draw(VALUES))
    named = [each for each in places(value) if each and isinstance(each[-1], str)]
    if named and draw(st.booleans()):
        value = renamed(value, draw(st.sampled_from(named)), draw(NAMES))
    content = encoded(value)
    match draw(st.sampled_from(["whole", "whole", "cut", "flip", "twice", "deep", "bytes"])):
        case "cut":
            return content[: draw(st.integers(0, len(content)))]
        case "flip":
            at = draw(st.integers(0, len(content) - 1))
            return (
                content[:at]
                + bytes([content[at] ^ 1 << draw(st.integers(0, 7))])
                + content[at + 1 :]
            )
        case "twice":
            return content.replace(b'{"', b'{"schema": 3, "schema": 2, "', 1)
        case "deep":
            depth = draw(st.sampled_from([20, 33, 500, 50_000]))
            return content.replace(b"1.5", b"[" * depth + b"]" * depth)
        case "bytes":
            return draw(st.binary(max_size=200))
    return content


def looked_at(folder: Path) -> dict[str, Any]:
    """Return every entry of a folder, after everything that a run does with one."""
    baselines = resolve(str(folder), ())
    entries = {
        key: each for name in baselines.models() for key, each in baselines.read(name).items()
    }
    assert match_device(CPU, (folder.parent,)) in {baselines, None}
    told = judge_floor(CASE, FIGURES, baselines, same_device=baselines.fingerprint == CPU)
    assert_printable(told.message)
    return entries


def assert_printable(text: str) -> None:
    """Nothing in a message acts on a terminal, or cannot be printed at all."""
    assert all(each.isprintable() or each == "\n" for each in text), text
    assert len(text) < 3000


def check_error(error: InferError, folder: Path) -> None:
    """An error names a file in ``folder``, the reason and the mend."""
    assert str(folder) in error.what
    assert error.why
    assert error.mend
    assert_printable(str(error))


def check(device: bytes, model: bytes) -> None:
    """A folder of these files is reported with path and mend, or read as a plain reader does."""
    with TemporaryDirectory() as place:
        folder = Path(place, "mine")
        folder.mkdir()
        (folder / "device.json").write_bytes(device)
        (folder / "toy.json").write_bytes(model)
        try:
            entries = looked_at(folder)
        except InferError as error:
            check_error(error, folder)
            return
    plain = json.loads(model)["entries"]
    assert {key: each.figures for key, each in entries.items()} == {
        key: each["figures"] for key, each in plain.items()
    }
    assert all(isfinite(f) for each in entries.values() for f in each.figures.values())


@pytest.mark.parametrize("origin", [DEVICE, MODEL], ids=["device.json", "toy.json"])
def test_each_value_and_key(origin: Any) -> None:
    """Every value and every key in turn, by every hostile one: 1,674 files in all."""
    spoilt = [changed(origin, place, value) for place in places(origin) for value in HOSTILE]
    spoilt += [
        renamed(origin, place, name)
        for place in places(origin)
        for name in TEXTS
        if place and isinstance(place[-1], str)
    ]
    for value in spoilt:
        is_device = origin is DEVICE
        check(encoded(value if is_device else DEVICE), encoded(MODEL if is_device else value))


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(device=st.just(encoded(DEVICE)) | ruined(DEVICE), model=ruined(MODEL))
def test_hostile_file(device: bytes, model: bytes) -> None:
    """Several faults at once, bytes flipped, cut, repeated or nested."""
    check(device, model)


@settings(max_examples=100)
@given(name=NAMES)
@example("..")
@example("../mine")
@example("mine/..")
@example(".")
@example("a" * 5000)
@example("/" * 5000)
@example("mine\x00")
def test_hostile_name(name: str) -> None:
    """A NAME never leads out of its folder; what is no name is a path, or an error."""
    with TemporaryDirectory() as place:
        folder = Path(place, "baselines")
        folder.mkdir()
        assert_within(folder, lambda: resolve(name, [folder]).folder, name)
        assert_within(folder, lambda: destination(name, folder), name)


def assert_within(folder: Path, find: Callable[[], Path], name: str) -> None:
    """What is found by a name is in ``folder``, or an error."""
    try:
        found = find()
    except InferError as error:
        assert_printable(str(error))
    else:
        assert "/" in name or found.resolve().parent == folder.resolve()
