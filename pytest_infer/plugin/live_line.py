"""One line below the cursor of a terminal, which goes before anything else is written."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

CLEAR = "\x1b[K"
DIM, PLAIN = "\x1b[2m", "\x1b[0m"
UP = "\x1b[1A"


class LiveLine:
    """Draws on a terminal beside pytest, whatever captures the output of tests meanwhile."""

    def __init__(self, terminal: pytest.TerminalReporter, descriptor: int) -> None:
        """Write to ``descriptor``, a duplicate of the terminal's."""
        self._writer: Any = terminal._tw  # noqa: SLF001 - there is no public way to its file
        self._descriptor = descriptor
        self._lock = Lock()
        self._is_drawn = False
        self._file = self._writer._file  # noqa: SLF001
        self._writer._file = _Guarded(self._file, self)  # noqa: SLF001

    def draw(self, line: str) -> None:
        """Show ``line``, cut to the terminal's width, instead of what was shown before."""
        from rich.cells import set_cell_size

        with self._lock:
            self._file.flush()
            shown = set_cell_size(line, max(1, self._writer.fullwidth - 1)).rstrip()
            self._is_drawn = True
            self._write_below(f"{DIM}{shown}{PLAIN}")

    def clear(self) -> None:
        """Remove the line."""
        with self._lock:
            self._remove()

    def write(self, text: str) -> Any:
        """Write what pytest has to say, where the line was."""
        with self._lock:
            self._remove()
            return self._file.write(text)

    def close(self) -> None:
        """Remove the line, and give pytest's file back."""
        self.clear()
        self._writer._file = self._file  # noqa: SLF001

    def _remove(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._write_below("")

    def _write_below(self, text: str) -> None:
        """Write to the next line, and move the cursor back to where pytest left it."""
        back = f"{UP}\x1b[{self._writer.width_of_current_line + 1}G"
        os.write(self._descriptor, f"\n\r{text}{CLEAR}{back}".encode(errors="replace"))


class _Guarded:
    """The terminal's file, of which only writing is the line's matter."""

    def __init__(self, file: Any, line: LiveLine) -> None:
        self._guarded = file
        self.write = line.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guarded, name)
