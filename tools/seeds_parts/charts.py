"""Charts as SVG files, which a forge and the site show alike: bars, lines, rows of a graph.

They have a white ground and grey letters, so that they can be read on a dark page too.
"""

from __future__ import annotations

from html import escape
from math import log10
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH = 760
COLORS = ("#0b6e5d", "#c2571a", "#3b5ba9", "#8a3b8f", "#7a6a00", "#444444", "#b3123f")
INK, GRID, GROUND = "#333333", "#d8d8d8", "#ffffff"

BAR, GAP, LABELS = 22, 8, 320
"""Pixels: a bar's height, the space below it, and where bars begin."""

KINDS = {
    "Conv2d": ("#d7ebe6", "conv"),
    "BatchNorm2d": ("#eeeeee", "norm"),
    "ReLU6": ("#fde8d8", "relu6"),
    "add": ("#f7d4d4", "+"),
    "AvgPool2d": ("#dfe6f5", "pool"),
    "Linear": ("#dfe6f5", "linear"),
}
"""Fill and word of each kind of operation; others are white, with their own name."""


def bars(title: str, groups: Mapping[str, Sequence[tuple[str, float]]], unit: str) -> str:
    """Return horizontal bars from 0 with their names and values, under the names of their groups.

    Each group has a scale of its own: a group is a device, and devices are not compared. One
    without values is left out.
    """
    parts = []
    y = 44
    for group, values in groups.items():
        if not values:
            continue
        parts.append(_text(10, y + 15, group, size=13))
        y += BAR
        most = max(value for _, value in values)
        for name, value in values:
            parts += _bar(y, name, value, most, unit)
            y += BAR + GAP
        y += GAP
    return _svg(title, y + GAP, parts)


def lines(title: str, series: Mapping[str, Sequence[float]], unit: str) -> str:
    """Return a line per series over the number of its calls; the scale is logarithmic."""
    left, right, top, bottom = 60, WIDTH - 20, 44, 300
    least = min(min(each) for each in series.values())
    most = max(max(each) for each in series.values())
    low, high = log10(least) - 0.05, log10(most) + 0.05

    def height(value: float) -> float:
        return bottom - (log10(value) - low) / (high - low) * (bottom - top)

    parts = []
    for tick in _ticks(least, most):
        y = height(tick)
        parts += [
            f'<path d="M{left} {y:.1f}H{right}" stroke="{GRID}"/>',
            _text(left - 6, y + 4, f"{tick:g}", anchor="end"),
        ]
    for number, (name, values) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        step = (right - left) / max(len(values) - 1, 1)
        points = " ".join(
            f"{left + step * index:.1f},{height(value):.1f}" for index, value in enumerate(values)
        )
        y = bottom + 44 + number * 18
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>',
            f'<rect x="{left}" y="{y - 9}" width="18" height="4" fill="{color}"/>',
            _text(left + 26, y, name),
        ]
    longest = max(len(each) for each in series.values())
    parts.append(_text((left + right) / 2, bottom + 20, f"call, 1 to {longest}; {unit}", "middle"))
    return _svg(title, bottom + 50 + len(series) * 18, parts)


def graph(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the operations of a module, a row for each block, in their order."""
    left, wide, high = 110, 86, 30
    parts = []
    for number, row in enumerate(rows):
        y = 40 + number * (high + 10)
        parts.append(_text(left - 10, y + 19, row["name"], anchor="end"))
        for place, each in enumerate(row["operations"]):
            x = left + place * (wide + 8)
            fill, word = KINDS.get(each["kind"], (GROUND, each["kind"]))
            parts += [
                (
                    f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="3" fill="{fill}" '
                    f'stroke="{INK}" stroke-width="0.6"/>'
                ),
                _text(x + wide / 2, y + 13, word, "middle", size=11),
                _text(x + wide / 2, y + 25, each["told"], "middle", size=10),
            ]
    most = max(len(row["operations"]) for row in rows)
    return _svg(title, 50 + len(rows) * (high + 10), parts, left + most * (wide + 8) + 10)


def _bar(y: float, name: str, value: float, most: float, unit: str) -> list[str]:
    wide = (WIDTH - LABELS - 110) * value / most
    return [
        _text(LABELS - 8, y + 15, name, anchor="end"),
        f'<rect x="{LABELS}" y="{y}" width="{wide:.1f}" height="{BAR}" fill="{COLORS[0]}"/>',
        _text(LABELS + wide + 6, y + 15, f"{value:.4g} {unit}"),
    ]


def _ticks(least: float, most: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten between two values."""
    tens = range(int(log10(least)) - 2, int(log10(most)) + 2)
    ticks = [digit * 10.0**ten for ten in tens for digit in (1, 2, 5)]
    return [tick for tick in ticks if least <= tick <= most]


def _svg(title: str, height: float, parts: Sequence[str], width: int = WIDTH) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'width="{width}" height="{height:.0f}" font-family="sans-serif">'
    )
    ground = f'<rect width="100%" height="100%" fill="{GROUND}"/>'
    told = f"<title>{escape(title)}</title>"
    return "\n".join([head, told, ground, _text(10, 24, title, size=14), *parts, "</svg>", ""])


def _text(x: float, y: float, text: str, anchor: str = "start", *, size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} fill="{INK}">{escape(str(text))}</text>'
