"""An engine's answers to every photograph, each inferred once and kept on the disk."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pytest_infer.arrays import read_arrays, write_arrays
from pytest_infer.hosts.memory_layout import CONTIGUOUS, STRIDED
from pytest_infer.judges.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_infer.arrays import Arrays
    from pytest_infer.judges.burst import Burst
    from pytest_infer.session.eager import Eager
    from pytest_infer.session.engine import EngineUnderTest
    from pytest_infer.session.models import Models

BURST_FEEDS = 4
"""How many batches a burst changes between; all of them are held in memory at a time."""


class Answers:
    """What a test gets as ``answers``: iterate over it, and every photograph has been fed.

    They are cut into batches of the case's size, the last one filled up from the first photograph
    on. There are two batches at least: where one holds all photographs, the second has them in
    another order.
    """

    def __init__(self, engine: EngineUnderTest, models: Models, eager: Eager) -> None:
        self._engine = engine
        self._case = engine.case
        self._models = models
        self._eager = eager
        self._folder = TemporaryDirectory(prefix="pytest-infer-answers-")

    def __iter__(self) -> Iterator[Answer]:
        """Infer what has not been, then yield one answer per batch."""
        calls = [(start, CONTIGUOUS) for start in self.starts]
        return self._answers(calls)

    @property
    def starts(self) -> list[int]:
        """Return the number of the photograph in the first row of each batch."""
        rows = len(self._models.row_names(self._case.model))
        starts = list(range(0, rows, self._case.batch))
        return starts if len(starts) > 1 else [0, 1]

    def strided(self) -> Iterator[Answer]:
        """Yield an answer for every other layout in memory, each fed another batch than before."""
        starts = self.starts
        calls = [(starts[(n + 1) % len(starts)], layout) for n, layout in enumerate(STRIDED)]
        return self._answers(calls)

    def burst(self) -> Burst:
        """Return what many calls in a row gave, their feeds changing, beside these answers."""
        first = [answer for answer, _ in zip(self, range(BURST_FEEDS), strict=False)]
        feeds = [self._feeds(answer.start) for answer in first]
        return self._engine.burst(feeds, [answer.outputs for answer in first])

    def close(self) -> None:
        """Remove what was kept."""
        self._folder.cleanup()

    def _answers(self, calls: list[tuple[int, str]]) -> Iterator[Answer]:
        with self._eager.series():
            folders = [self._inferred(start, layout) for start, layout in calls]
        return (
            self._answer(number, call, folder)
            for number, (call, folder) in enumerate(zip(calls, folders, strict=True), 1)
        )

    def _answer(self, number: int, call: tuple[int, str], folder: Path) -> Answer:
        start, layout = call
        names = self._models.row_names(self._case.model)
        rows = tuple(names[(start + row) % len(names)] for row in range(self._case.batch))
        place = f"call {number}" if layout == CONTIGUOUS else f"layout {layout}"
        return Answer(read_arrays(folder), start, rows, place)

    def _inferred(self, start: int, layout: str) -> Path:
        """Return the folder with what one call gave; eager has answered before."""
        folder = Path(self._folder.name, f"{layout}-{start}")
        if not folder.exists():
            for precision in dict.fromkeys(("fp64", self._case.precision)):
                self._eager.reference(self._case, precision, start)
            outputs = self._engine(self._feeds(start), layout=layout)
            folder.mkdir()
            write_arrays(folder, outputs)
        return folder

    def _feeds(self, start: int) -> Arrays:
        return self._models.feeds(self._case.model, self._case.batch, start)
