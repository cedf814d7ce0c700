"""What a file's imports lead to is found without running any of it."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import pytest

from pytest_infer.errors import ModelError
from pytest_infer.models import reached_code as module
from pytest_infer.models.reached_code import reached_code


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Write files below a folder that is on Python's path; a dict's values are their texts."""
    installed = [path for path in sys.path if "site-packages" not in path]
    monkeypatch.setattr(
        sys, "path", [str(tmp_path), *installed]
    )  # reading the others takes a second

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def names(*roots):
    """Return the names of the files that count by content."""
    return [name for name, _ in reached_code(roots).files]


def digest_of(text):
    """Return what stands for a file's content."""
    return sha256(text.encode()).hexdigest()


def test_a_file_stands_for_itself(place):
    """A file without imports is its name and the SHA-256 of its content."""
    folder = place({"alone.py": "x = 1\n"})
    assert reached_code([folder / "alone.py"]).files == (("alone.py", digest_of("x = 1\n")),)


@pytest.mark.parametrize(
    "line",
    [
        "import zz_net",
        "from zz_net import Net",
        "import zz_net as other",
        "def make():\n    import zz_net",
        "if True:\n    try:\n        from zz_net import *\n    except ImportError: pass",
        "from importlib import import_module\nimport_module('zz_net')",
        "__import__('zz_net')",
    ],
)
def test_neighbour_is_reached(place, line):
    """However it is imported, a file beside the root counts, and so does what that one imports."""
    folder = place(
        {"root.py": line, "zz_net.py": "import zz_far", "zz_far.py": "", "zz_other.py": ""}
    )
    assert names(folder / "root.py") == ["root.py", "zz_far.py", "zz_net.py"]


def test_content_not_place_decides(place):
    """The same files in two folders are the same code, and one other byte is another."""
    texts = {"root.py": "import zz_twin", "zz_twin.py": "a = 1"}
    folder = place(texts)
    before = reached_code([folder / "root.py"]).as_key()
    (folder / "zz_twin.py").write_text("a = 2")
    assert reached_code([folder / "root.py"]).as_key() != before
    (folder / "zz_twin.py").write_text("a = 1")
    assert reached_code([folder / "root.py"]).as_key() == before


def test_packages_are_reached_part_by_part(place):
    """Of a package the modules that are named count, with each `__init__` above them."""
    folder = place(
        {
            "root.py": "from zz_pack.deep import layer",
            "zz_pack/__init__.py": "",
            "zz_pack/unused.py": "",
            "zz_pack/beside.py": "",
            "zz_pack/deep/__init__.py": "",
            "zz_pack/deep/layer.py": "from ..beside import x\n"
            "from . import near\nfrom .far import z",
            "zz_pack/deep/near.py": "",
            "zz_pack/deep/far.py": "",
        }
    )
    assert names(folder / "root.py") == [
        "root.py",
        "zz_pack/__init__.py",
        "zz_pack/beside.py",
        "zz_pack/deep/__init__.py",
        "zz_pack/deep/far.py",
        "zz_pack/deep/layer.py",
        "zz_pack/deep/near.py",
    ]


def test_folder_without_init_is_a_package(place):
    """A namespace package is found where Python finds it."""
    folder = place({"root.py": "import zz_space.net", "zz_space/net.py": ""})
    assert names(folder / "root.py") == ["net.py", "root.py"]


def test_types_only_is_not_reached(place):
    """What only a type checker imports decides nothing; the other branch does."""
    text = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import zz_types\nelse:\n    import zz_real\n"
    )
    folder = place({"root.py": text, "zz_types.py": "", "zz_real.py": ""})
    assert names(folder / "root.py") == ["root.py", "zz_real.py"]


def test_circles_end(place):
    """Two files that import each other are both there, once."""
    folder = place({"root.py": "import zz_ring", "zz_ring.py": "import root"})
    assert names(folder / "root.py") == ["root.py", "zz_ring.py"]


def test_compiled_extension_counts_by_content(place):
    """A shared library beside the root is reached, and not read as Python."""
    folder = place({"root.py": "import zz_fast"})
    (folder / "zz_fast.so").write_bytes(b"\x7fELF\x00one")
    found = dict(reached_code([folder / "root.py"]).files)
    assert found["zz_fast.so"] == sha256(b"\x7fELF\x00one").hexdigest()


def test_standard_library_is_left_to_the_version_of_python(place):
    """Python's own modules are neither files nor distributions."""
    folder = place({"root.py": "import json, sys, os.path, xml.etree.ElementTree"})
    found = reached_code([folder / "root.py"])
    assert (len(found.files), found.distributions) == (1, ())


def install(folder, name, version, *, requires=(), top="", origin=""):
    """Write what an installed distribution leaves in a folder of packages."""
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Requires-Dist: {each}" for each in requires]
    (place / "METADATA").write_text("\n".join(lines) + "\n")
    (place / "top_level.txt").write_text(f"{top or name}\n")
    (place / "RECORD").write_text(f"{top or name}/__init__.py,,\n")
    if origin:
        (place / "direct_url.json").write_text(origin)


def test_distributions_count_by_version_with_what_they_require(place):
    """An installed package is its version; so is what it requires, but for its extras."""
    folder = place(
        {"root.py": "from zz_lib.part import f", "zz_lib/__init__.py": "", "zz_lib/part.py": ""}
    )
    install(
        folder,
        "zz-lib",
        "1.0",
        top="zz_lib",
        requires=[
            "zz_base>=1",
            "zz_missing",
            "zz_extra; extra == 'all'",
            "zz_never; python_version < '3'",
        ],
    )
    for name in ("zz_base", "zz_extra", "zz_never"):
        install(folder, name, "2.0")
    found = reached_code([folder / "root.py"])
    assert [name for name, _ in found.files] == ["root.py"]
    assert found.distributions == (("zz-lib", "1.0"), ("zz_base", "2.0"))


def test_upgraded_distribution_is_other_code(place):
    """Another version of the same package, its files unread, is another key."""
    folder = place({"root.py": "import zz_up", "zz_up/__init__.py": ""})
    install(folder, "zz_up", "1.0")
    before = reached_code([folder / "root.py"]).as_key()
    (folder / "zz_up-1.0.dist-info").rename(folder / "zz_up-1.1.dist-info")
    text = (folder / "zz_up-1.1.dist-info/METADATA").read_text()
    (folder / "zz_up-1.1.dist-info/METADATA").write_text(text.replace("1.0", "1.1"))
    module._providers_on.cache_clear()
    after = reached_code([folder / "root.py"]).as_key()
    assert (before["distributions"], after["distributions"]) == ({"zz_up": "1.0"}, {"zz_up": "1.1"})


def test_working_tree_counts_by_content(place, tmp_path_factory, monkeypatch):
    """A distribution whose files lie elsewhere, as an editable install's do, is not its version."""
    tree, packages = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("packages")
    folder = place({"root.py": "import zz_dev"})
    monkeypatch.setattr(sys, "path", [str(tree), str(packages), *sys.path])
    (tree / "zz_dev").mkdir()
    (tree / "zz_dev/__init__.py").write_text("import zz_dev.net")
    (tree / "zz_dev/net.py").write_text("a = 1")
    install(
        packages, "zz_dev", "1.0", origin='{"url": "file:///x", "dir_info": {"editable": true}}'
    )
    assert names(folder / "root.py") == ["root.py", "zz_dev/__init__.py", "zz_dev/net.py"]


def test_working_tree_behind_a_distribution_counts_by_content(place, tmp_path_factory, monkeypatch):
    """What an installed package requires may be editable, too: all of its files count."""
    tree, packages = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("packages")
    folder = place({"root.py": "import zz_front"})
    monkeypatch.setattr(sys, "path", [str(tree), str(packages), *sys.path])
    (tree / "zz_core").mkdir()
    (tree / "zz_core/__init__.py").write_text("")
    (tree / "zz_core/hidden.py").write_text("a = 1")
    install(packages, "zz_core", "1.0", origin='{"dir_info": {"editable": true}}')
    (packages / "zz_front").mkdir()
    (packages / "zz_front/__init__.py").write_text("")
    install(packages, "zz_front", "3.0", requires=["zz_core"])
    found = reached_code([folder / "root.py"])
    assert [name for name, _ in found.files] == [
        "root.py",
        "zz_core/__init__.py",
        "zz_core/hidden.py",
    ]
    assert dict(found.distributions) == {"zz_core": "1.0", "zz_front": "3.0"}


def test_root_in_an_installed_package_counts_by_content(place):
    """An engine's adapter in another package is its files, whatever version they have."""
    folder = place(
        {
            "zz_plug/__init__.py": "",
            "zz_plug/engine.py": "from zz_plug import more",
            "zz_plug/more.py": "",
        }
    )
    install(folder, "zz_plug", "1.0")
    assert names(folder / "zz_plug/engine.py") == [
        "zz_plug/__init__.py",
        "zz_plug/engine.py",
        "zz_plug/more.py",
    ]


def test_this_package_counts_by_content(place):
    """Whoever imports from this package has its files in the key, wherever it is installed."""
    folder = place({"root.py": "from pytest_infer.models.spec import TensorSpec"})
    found = names(folder / "root.py")
    assert {"pytest_infer/models/spec.py", "pytest_infer/errors.py", "root.py"} <= set(found)


def test_file_that_is_not_python_is_its_content(place):
    """A syntax error is reported where the file is run, not here."""
    folder = place({"root.py": "def (:"})
    assert names(folder / "root.py") == ["root.py"]


def test_missing_file_is_an_error():
    """A file that cannot be read decides an answer that nobody can know."""
    with pytest.raises(ModelError) as caught:
        reached_code([Path("/nowhere/net.py")])
    assert str(caught.value) == (
        "cannot read /nowhere/net.py\n"
        "  why:  [Errno 2] No such file or directory: '/nowhere/net.py'; its content decides what "
        "a model or an engine computes\n"
        "  mend: give this user the right to read it"
    )


def test_nothing_is_imported(place):
    """A module that must not run is read, and stays unimported."""
    folder = place({"root.py": "import zz_bomb", "zz_bomb.py": "raise SystemExit"})
    assert names(folder / "root.py") == ["root.py", "zz_bomb.py"]
    assert "zz_bomb" not in sys.modules


def test_public_names_lead_to_their_modules(tmp_path):
    """What is imported from the public face is followed to where it is written."""
    deep, public = tmp_path / "a", tmp_path / "b"
    for folder, line in [
        (deep, "from pytest_infer.judges.known_failures import expect\n"),
        (public, "from pytest_infer import expect\n"),
    ]:
        folder.mkdir()
        (folder / "own.py").write_text(line)
    found = [{name for name, _ in reached_code([each / "own.py"]).files} for each in (deep, public)]
    assert "pytest_infer/judges/known_failures.py" in found[1]
    assert found[0] == found[1]
