"""The photographs that models are fed with: scikit-image's own, or a folder of the user's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    Pixels = npt.NDArray[np.uint8]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

# The colour photographs inside scikit-image's wheel; its other files are fetched on first use.
_CARRIED = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)


@dataclass(frozen=True)
class Photograph:
    """A photograph's name and its pixels: uint8, height x width x RGB."""

    name: str
    pixels: Pixels


@dataclass(frozen=True)
class Picture:
    """A photograph that is read when it is needed."""

    name: str
    path: Path
    is_mirrored: bool = False

    def pixels(self) -> Pixels:
        """Return its pixels; raise `ModelError` if it cannot be read."""
        pixels = _read(self.path)
        return pixels[:, ::-1].copy() if self.is_mirrored else pixels


def photographs(folder: Path | None = None) -> tuple[Photograph, ...]:
    """Return the photographs in ``folder``, or those scikit-image carries, sorted by name.

    Orientation follows EXIF; grey becomes RGB; transparency is laid on white. Raise `ModelError`
    if the folder is missing or empty, or a photograph cannot be read.
    """
    return tuple(Photograph(path.stem, _read(path)) for path in _paths(folder))


def pictures(folder: Path | None = None) -> tuple[Picture, ...]:
    """Return the same photographs unread; of a single one, its mirror image besides.

    An engine that is only ever fed one input cannot show that it looks at it.
    """
    found = tuple(Picture(path.stem, path) for path in _paths(folder))
    if len(found) > 1:
        return found
    (only,) = found
    return only, replace(only, name=f"{only.name}, mirrored", is_mirrored=True)


def batch(chosen: Sequence[Picture], rows: int, *, start: int = 0) -> list[Pixels]:
    """Return the pixels of ``rows`` pictures, cycling through ``chosen`` from ``start``."""
    numbers = [(start + row) % len(chosen) for row in range(rows)]
    pixels = {number: chosen[number].pixels() for number in dict.fromkeys(numbers)}
    return [pixels[number] for number in numbers]


def _paths(folder: Path | None) -> list[Path]:
    _require("PIL", "Pillow", "photographs are read")
    return _carried() if folder is None else _paths_in(folder)


def _carried() -> list[Path]:
    return [_carried_folder() / name for name in _CARRIED]


def _carried_folder() -> Path:
    spec = _require("skimage", "scikit-image", "the default photographs are those in its wheel")
    return Path(spec.origin).parent / "data"


def _require(module: str, distribution: str, purpose: str) -> Any:
    """Return the module's import spec, without importing it."""
    spec = find_spec(module)
    if spec is None:
        raise ModelError(
            "cannot read photographs",
            why=f"{purpose} with {distribution}, which is not installed",
            mend=f"pip install {distribution}",
        )
    return spec


def _paths_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ModelError(
            f"cannot read photographs from {folder}",
            why="it is not a folder" if folder.exists() else "there is no such folder",
            mend="give a folder of photographs, or none to use those of scikit-image",
        )
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ModelError(
            f"cannot read photographs from {folder}",
            why=f"no file in it ends in {', '.join(SUFFIXES)}",
            mend="put photographs into it, or give another folder",
        )
    return paths


def _read(path: Path) -> Pixels:
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return np.array(_rgb(ImageOps.exif_transpose(image)), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelError(
            f"cannot read the photograph {path}",
            why=f"{type(error).__name__}: {error}",
            mend="replace the file or take it out of the folder",
        ) from error


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256, "L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    opaque = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), opaque).convert("RGB")
