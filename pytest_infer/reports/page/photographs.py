"""What is shown beside a photograph: boxes of both sides over it, or bars of the best classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_infer.reports.pictures import PHOTOGRAPHS, name_of
from pytest_infer.reports.summary import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_infer.reports.record import Record

MOST_PICTURES = 100
"""Different pictures of a page, those of failures first: about 6 kB each."""

LETTERS = 30
"""A line of text over a picture has about as many."""

FEW = 6
"""Detections of the engine that are all named in the picture; of more, those that differ."""

ENGINE = "engine"


@dataclass(frozen=True)
class Box:
    """One detection of one side, in pixels of the input."""

    side: str
    name: str
    score: float
    box: tuple[float, float, float, float]
    differs: bool = False
    """The other side has no such detection."""

    @property
    def width(self) -> float:
        """Return its width."""
        return max(self.box[2] - self.box[0], 0.0)

    @property
    def height(self) -> float:
        """Return its height."""
        return max(self.box[3] - self.box[1], 0.0)

    @property
    def side_class(self) -> str:
        """Return the class of the side in the page's styles."""
        return self.side if self.side == ENGINE else "reference"


@dataclass(frozen=True)
class DrawnBox:
    """A box over a picture."""

    box: Box
    text: str
    """Its name and score; empty where they would only hide the picture."""
    x: float
    y: float
    """Where the text begins."""


@dataclass(frozen=True)
class ClassBar:
    """One class's probability on both sides."""

    name: str
    engine: float
    reference: float


@dataclass(frozen=True)
class Photograph:
    """One row that a model was fed with, as a record's details have it."""

    name: str
    is_wrong: bool = False
    jpeg: str = ""
    width: int = 0
    height: int = 0
    boxes: Sequence[Box] = ()
    classes: Sequence[ClassBar] = ()

    @property
    def picture(self) -> str:
        """Return the name of its picture on the page; empty if there is none."""
        return name_of(self.jpeg) if self.jpeg else ""

    @property
    def letter_px(self) -> float:
        """Return the height of a letter over the picture, in pixels of the input."""
        return round(self.width / LETTERS, 1)

    @property
    def drawn(self) -> list[DrawnBox]:
        """Return the boxes, those that differ last: they lie above the others."""
        found = [self._drawn(each) for each in self.boxes]
        return sorted(found, key=lambda each: each.box.differs)

    def _drawn(self, box: Box) -> DrawnBox:
        is_engine = box.side == ENGINE
        few = sum(each.side == ENGINE for each in self.boxes) <= FEW
        text = f"{box.name} {box.score:.2f}" if box.differs or (is_engine and few) else ""
        height = self.letter_px
        lowest = self.height - 0.3 * height
        y = box.box[1] + height if is_engine else box.box[3] - 0.3 * height
        x = min(max(box.box[0], 0.0), 0.8 * self.width) + 0.3 * height
        return DrawnBox(box, text, round(x, 1), round(min(max(y, height), lowest), 1))

    @property
    def told(self) -> str:
        """Return in words what is drawn."""
        if self.boxes:
            sides = [each.side for each in self.boxes]
            engines = sides.count(ENGINE)
            others = f"{len(sides) - engines} boxes of the reference"
            return f"{self.name}: {others}, {engines} of the engine"
        return self.name


@dataclass(frozen=True)
class Photographs:
    """Those of one verdict; ``note`` says why they cannot be shown, where they cannot."""

    shown: Sequence[Photograph] = field(default_factory=tuple)
    note: str = ""

    @property
    def wrong(self) -> Sequence[Photograph]:
        """Return those of which the engine makes something else than the reference."""
        return [each for each in self.shown if each.is_wrong]


def photographs_of(details: Mapping[str, Any]) -> Photographs:
    """Return the photographs in a record's details, which a task of another package may have."""
    try:
        found = msgspec.convert(details.get(PHOTOGRAPHS, []), list[Photograph])
    except msgspec.ValidationError as error:
        return Photographs(note=f"the photographs in its details cannot be shown: {error}")
    return Photographs(found)


def pictures_of(records: Iterable[Record]) -> dict[str, str]:
    """Return pictures (JPEG in base64) by name: the first `MOST_PICTURES`, failures first."""
    found: dict[str, str] = {}
    for record in sorted(records, key=lambda each: SEVERITY.index(each.status)):
        for each in photographs_of(record.details).shown:
            if each.picture and len(found) < MOST_PICTURES:
                found[each.picture] = each.jpeg
    return found
