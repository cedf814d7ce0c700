"""Where code lives, and importing it from there."""

import sys

import pytest

from pytest_infer.errors import ModelError
from pytest_infer.models import source
from pytest_infer.models.source import Source, import_source, source_of


@pytest.fixture(autouse=True)
def _own_import_state(monkeypatch):
    monkeypatch.setattr(source, "_imported", set())
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_own_code_is_a_module():
    """Own functions are found by module, wherever it is installed."""
    assert source_of(source_of) == Source(module="pytest_infer.models.source")


def test_other_code_is_a_file():
    """Anybody else's functions are found by file."""
    assert source_of(test_other_code_is_a_file) == Source(file=__file__)


def test_file_is_imported_once_with_its_folder(tmp_path):
    """A file sees its neighbours, as a conftest.py does, and is run once."""
    (tmp_path / "neighbour_of_it.py").write_text("RUNS = []\n")
    file = tmp_path / "conftest.py"
    file.write_text("import neighbour_of_it\nneighbour_of_it.RUNS.append(1)\n")
    for _ in range(2):
        import_source(Source(file=str(file)))
    assert sys.modules.pop("neighbour_of_it").RUNS == [1]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_broken_file(tmp_path, content, why):
    """Whatever a file raises is reported with its place; it is not taken for imported."""
    file = tmp_path / "conftest.py"
    file.write_text(content)
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            import_source(Source(file=str(file)))
        assert str(caught.value) == (
            f"cannot import {file}\n  why:  {why}\n"
            "  mend: make it importable by the interpreter of this engine's host"
        )


def test_file_that_is_not_python(tmp_path):
    """A file that Python cannot import by its name is refused."""
    with pytest.raises(ModelError, match="is not a Python file"):
        import_source(Source(file=str(tmp_path / "model.onnx")))


def test_missing_module():
    """A module that this interpreter lacks is an error that names it."""
    with pytest.raises(ModelError, match="cannot import no_such_package"):
        import_source(Source(module="no_such_package"))
