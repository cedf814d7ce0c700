"""Which photographs, or drawn rows, are in which feeds."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pytest_infer.errors import ModelError
from pytest_infer.models.feeds import DRAWN_ROWS, make_feeds, row_names
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, TensorSpec

SPEC = ModelSpec(
    "reader",
    "tensor",
    {
        "image": TensorSpec(("batch", 2, "width")),
        "tokens": TensorSpec(("width", "batch"), "int64", low=0, high=9),
        "flag": TensorSpec(("batch",), "bool"),
        "size": TensorSpec((3,), "int32"),
    },
    {},
    Source(module="reader"),
    {"batch": Dim(1, 1, 8), "width": Dim(1, 4, 8)},
)
DRAWN = SimpleNamespace(spec=SPEC, preprocess=None, draw=None)


def fed(batch, start=0, model=DRAWN, images=None):
    """Return feeds."""
    return make_feeds(model, batch, images, start=start)


def test_drawn_feeds_have_the_shapes_of_the_spec():
    """Dynamic dimensions have their optimum, the batch its size, wherever it stands."""
    shapes = {name: feed.shape for name, feed in fed(3).items()}
    assert shapes == {"image": (3, 2, 4), "tokens": (4, 3), "flag": (3,), "size": (3,)}
    assert {name: str(feed.dtype) for name, feed in fed(1).items()} == {
        "image": "float32",
        "tokens": "int64",
        "flag": "bool",
        "size": "int32",
    }


@pytest.mark.parametrize("batch", [1, 3, 5, 8, 11])
def test_a_row_is_the_same_in_any_batch(batch):
    """Row n of what starts at m is row n + m of all, in a cycle."""
    whole = fed(DRAWN_ROWS)
    for start in range(0, DRAWN_ROWS, 3):
        found = fed(batch, start)
        for row in range(batch):
            number = (start + row) % DRAWN_ROWS
            np.testing.assert_array_equal(found["image"][row], whole["image"][number])
            np.testing.assert_array_equal(found["tokens"][:, row], whole["tokens"][:, number])


def test_rows_differ():
    """No two rows are alike, nor do two inputs share their numbers."""
    images = fed(DRAWN_ROWS)["image"].reshape(DRAWN_ROWS, -1)
    assert len(np.unique(images, axis=0)) == DRAWN_ROWS


def test_what_has_no_batch_is_the_first_row_s():
    """An input without a batch changes with the start, too."""
    np.testing.assert_array_equal(fed(1, 2)["size"], fed(5, 2)["size"])
    assert (fed(1, 2)["size"] != fed(1, 3)["size"]).any()


def test_both_bools_are_there():
    """The first two rows of a single flag are false and true."""
    assert fed(2)["flag"].tolist() == [False, True]


def test_names_of_drawn_rows():
    """They are counted from 1."""
    assert row_names(DRAWN, None)[0] == "drawn row 1"
    assert len(row_names(DRAWN, None)) == DRAWN_ROWS


@pytest.fixture
def photographed():
    """A model whose feed of a photograph is its first pixel's red."""
    return SimpleNamespace(
        spec=replace(SPEC, inputs={"red": TensorSpec(("batch",), "uint8")}),
        preprocess=lambda pixels: {"red": np.array([each[0, 0, 0] for each in pixels])},
    )


def folder_of(path, *reds):
    """Return a folder of photographs two pixels wide, the second of them black."""
    for number, red in enumerate(reds):
        pixels = np.zeros((1, 2, 3), np.uint8)
        pixels[0, 0, 0] = red
        Image.fromarray(pixels).save(path / f"{number}.png")
    return path


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ({"blue": 1}, "a dict in which 'red' is absent"),
        ({"red": 1}, "a dict in which 'red' is int"),
        (np.zeros(2), "a ndarray"),
    ],
)
def test_preprocessing_that_returns_no_inputs(photographed, tmp_path, returned, told):
    """What came instead is named, with what the model takes."""
    photographed.preprocess = lambda _: returned
    with pytest.raises(ModelError) as caught:
        make_feeds(photographed, 1, folder_of(tmp_path, 10))
    assert caught.value.why == f"it returned {told}; the inputs are red"


def test_photographs_in_a_cycle(photographed, tmp_path):
    """Feeds begin at the start and go round."""
    folder = folder_of(tmp_path, 10, 20, 30)
    assert fed(2, 2, photographed, folder)["red"].tolist() == [30, 10]
    assert fed(5, 0, photographed, folder)["red"].tolist() == [10, 20, 30, 10, 20]
    names = ["photograph 1 (0)", "photograph 2 (1)", "photograph 3 (2)"]
    assert row_names(photographed, folder) == names


def test_a_single_photograph_is_fed_mirrored_too(photographed, tmp_path):
    """There is never one input only."""
    folder = folder_of(tmp_path, 10)
    assert fed(2, 0, photographed, folder)["red"].tolist() == [10, 0]
    assert fed(1, 1, photographed, folder)["red"].tolist() == [0]
    assert row_names(photographed, folder) == ["photograph 1 (0)", "photograph 2 (0, mirrored)"]


def test_only_what_is_fed_is_read(photographed, tmp_path):
    """A broken photograph is an error where it is fed, and nowhere else."""
    folder = folder_of(tmp_path, 10, 20)
    (folder / "1.png").write_bytes(b"")
    assert fed(1, 0, photographed, folder)["red"].tolist() == [10]
    with pytest.raises(Exception, match=r"cannot read the photograph .*1\.png"):
        fed(1, 1, photographed, folder)
