"""What a kind of source is: it knows its texts, and makes a draft of the model of one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from unicodedata import combining, normalize

if TYPE_CHECKING:
    from pytest_infer.models.draft import Asked, Draft

_MOST_LETTERS = 100


class SourceKind(Protocol):
    """A kind of source; nothing but its draft's functions imports the library of its models."""

    @property
    def form(self) -> str:
        """Return how its texts look, such as ``timm:NAME``."""
        ...

    def matches(self, text: str) -> bool:
        """Return whether ``text`` has its form; what it names need not exist."""
        ...

    def absolute(self, text: str, folder: Path) -> str:
        """Return ``text`` so that it means the same in every folder."""
        ...

    def file(self, text: str) -> str:
        """Return the one file that an absolute text names, for hosts elsewhere; empty if none."""
        ...

    def name(self, text: str) -> str:
        """Return what the model of an absolute text is called, unless its user names it."""
        ...

    def draft(self, asked: Asked) -> Draft:
        """Return the draft of a model; raise `ModelError` for what is not there."""
        ...


def name_from_text(text: str) -> str:
    """Return ``text`` with what no name may hold replaced by dashes, and accents left out."""
    plain = "".join(each for each in normalize("NFKD", text) if not combining(each))
    found = re.sub(r"[^\w.-]+", "-", plain, flags=re.ASCII)
    return found.strip("-.")[:_MOST_LETTERS] or "model"


class FileKind:
    """The texts of a kind whose models are files of one suffix."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self.form = f"path/to/NAME{suffix}"

    def matches(self, text: str) -> bool:
        """Return whether the text ends in the suffix."""
        return text.endswith(self._suffix)

    def absolute(self, text: str, folder: Path) -> str:
        """Return the absolute path."""
        return str((folder / Path(text).expanduser()).absolute())

    def file(self, text: str) -> str:
        """Return the path."""
        return text

    def name(self, text: str) -> str:
        """Return the file's stem."""
        return name_from_text(Path(text).stem)


class SchemeKind:
    """The texts of a kind whose models a library knows by a name: ``timm:NAME``."""

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme
        self.form = f"{scheme}:NAME"

    def matches(self, text: str) -> bool:
        """Return whether the text begins with the scheme."""
        return text.startswith(f"{self._scheme}:")

    def absolute(self, text: str, folder: Path) -> str:
        """Return the text: a library's name is the same everywhere."""
        del folder
        return text

    def file(self, text: str) -> str:
        """Return nothing."""
        del text
        return ""

    def name(self, text: str) -> str:
        """Return scheme and name with a dash between."""
        return name_from_text(text)
