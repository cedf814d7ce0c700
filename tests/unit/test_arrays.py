"""Named arrays in files, and their digest."""

import numpy as np
import pytest

from pytest_infer.arrays import FILE, digest_of_arrays, read_arrays, write_arrays

ARRAYS = {
    "floats": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "half": np.ones((0, 4), np.float16),
    "flag": np.array(True),
    "file": np.arange(3),
    "allow_pickle": np.arange(2),
}


def test_round_trip(tmp_path):
    """Names, dtypes, shapes and values come back, whatever the names."""
    write_arrays(tmp_path, ARRAYS)
    with np.load(tmp_path / FILE) as stored:
        assert len(stored.files) == len(ARRAYS)
    again = read_arrays(tmp_path)
    assert set(again) == set(ARRAYS)
    for name, value in ARRAYS.items():
        assert (again[name].dtype, again[name].shape) == (value.dtype, value.shape)
        assert (again[name] == value).all()


def test_objects_are_refused(tmp_path):
    """An object array would be pickled, so it is never written."""
    with pytest.raises(ValueError, match="Object arrays"):
        write_arrays(tmp_path, {"x": np.array([{}], dtype=object)})


@pytest.mark.parametrize(
    "other",
    [
        {"a": np.zeros(4, np.float64)},
        {"a": np.zeros(4, np.int32)},
        {"a": np.zeros((2, 2), np.float32)},
        {"b": np.zeros(4, np.float32)},
        {"a": np.array([0, 0, 0, 1e-45], np.float32)},
        {"a": np.array([0, 0, 0, -0.0], np.float32)},
        {"a": np.zeros(4, np.float32), "b": np.zeros(0, np.float32)},
    ],
)
def test_digest_sees_every_difference(other):
    """Name, dtype, shape and every bit of a value are in the digest."""
    assert digest_of_arrays(other) != digest_of_arrays({"a": np.zeros(4, np.float32)})


def test_digest_is_of_content():
    """Order of names and layout in memory are not in the digest."""
    matrix = np.arange(6.0).reshape(2, 3)
    first = {"a": matrix, "b": np.arange(2)}
    second = {"b": np.arange(2), "a": np.asfortranarray(matrix)}
    assert digest_of_arrays(first) == digest_of_arrays(second)
