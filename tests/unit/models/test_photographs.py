"""Photographs: what is carried, what a folder gives, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_infer.errors import ModelError
from pytest_infer.models.photographs import batch, photographs, pictures


def test_carried_photographs_are_eight_colour_ones_sorted() -> None:
    """Without a folder there are eight RGB photographs, in the same order every time."""
    carried = photographs()
    names = [photograph.name for photograph in carried]
    assert names == sorted(names)
    assert len(names) == 8
    assert {"astronaut", "chelsea", "coffee", "retina", "rocket"} <= set(names)
    for photograph in carried:
        assert photograph.pixels.dtype == np.uint8
        assert photograph.pixels.ndim == 3
        assert photograph.pixels.shape[2] == 3
        assert photograph.pixels.flags.writeable


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    """The user's photographs are sorted by file name; other files are left alone."""
    for name in ("b.png", "a.JPG"):
        Image.new("RGB", (4, 2), "red").save(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").write_text("not a photograph")
    assert [photograph.name for photograph in photographs(tmp_path)] == ["a", "b"]


def test_exif_orientation_is_respected(tmp_path: Path) -> None:
    """A camera held on its side gives an upright photograph."""
    exif = Image.Exif()
    exif[0x0112] = 6  # the row that is first in the file is the right side
    wide = Image.new("RGB", (4, 2))
    wide.putpixel((0, 0), (255, 255, 255))
    wide.save(tmp_path / "a.png", exif=exif)
    pixels = photographs(tmp_path)[0].pixels
    assert pixels.shape == (4, 2, 3)
    assert pixels[0, 1].tolist() == [255, 255, 255]


def test_grey_becomes_rgb(tmp_path: Path) -> None:
    """A grey photograph has three equal channels; 16 bits keep their upper 8."""
    Image.new("L", (2, 2), 7).save(tmp_path / "a.png")
    Image.fromarray(np.full((2, 2), 7 * 256 + 200, dtype=np.uint16)).save(tmp_path / "b.png")
    for photograph in photographs(tmp_path):
        assert photograph.pixels.tolist() == [[[7, 7, 7]] * 2] * 2


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    """What is transparent is white, whatever colour is stored beneath."""
    Image.new("RGBA", (1, 1), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert photographs(tmp_path)[0].pixels.tolist() == [[[255, 255, 255]]]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The message names the folder and the way to the default photographs."""
    with pytest.raises(ModelError) as caught:
        photographs(tmp_path / "none")
    assert str(caught.value) == (
        f"cannot read photographs from {tmp_path / 'none'}\n"
        "  why:  there is no such folder\n"
        "  mend: give a folder of photographs, or none to use those of scikit-image"
    )


def test_a_folder_without_photographs_is_an_error(tmp_path: Path) -> None:
    """The message lists the endings that count."""
    with pytest.raises(ModelError) as caught:
        photographs(tmp_path)
    assert str(caught.value) == (
        f"cannot read photographs from {tmp_path}\n"
        "  why:  no file in it ends in .bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp\n"
        "  mend: put photographs into it, or give another folder"
    )


@pytest.mark.parametrize("size", [0, 20, 60])
def test_a_truncated_photograph_is_an_error(tmp_path: Path, size: int) -> None:
    """No photograph is skipped, wherever the file was cut off."""
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelError) as caught:
        photographs(tmp_path)
    assert caught.value.what == f"cannot read the photograph {path}"
    assert caught.value.mend == "replace the file or take it out of the folder"


def test_batch_cycles_through_the_photographs(tmp_path: Path) -> None:
    """Row n is photograph n modulo their number, from the start that was given."""
    for n in range(3):
        Image.fromarray(np.full((1, 1, 3), n, dtype=np.uint8)).save(tmp_path / f"{n}.png")
    chosen = pictures(tmp_path)
    assert [picture.name for picture in chosen] == ["0", "1", "2"]
    assert [int(pixels[0, 0, 0]) for pixels in batch(chosen, 5)] == [0, 1, 2, 0, 1]
    assert [int(pixels[0, 0, 0]) for pixels in batch(chosen, 2, start=2)] == [2, 0]


def test_mirror_image_of_a_single_photograph(tmp_path: Path) -> None:
    """Left and right are exchanged in the second picture."""
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    first, second = pictures(tmp_path)
    np.testing.assert_array_equal(first.pixels(), pixels)
    np.testing.assert_array_equal(second.pixels(), pixels[:, ::-1])
    assert second.name == "a, mirrored"
