"""``pytest-infer``: what it prints, what it changes, and its exit status."""

import os
import sys
import time
from subprocess import run

import pytest

from pytest_infer.__main__ import main
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.store import update
from pytest_infer.case import Case
from pytest_infer.storage.cache import Cache

CPU = {"kind": "cpu", "name": "Laptop CPU"}
DAY_S = 86_400


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the baselines of two machines, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")
    for name, engine, p50_ms in (("a", "ort", 1.0), ("b", "ort", 2.0), ("b", "trt", 3.0)):
        provenance = Measured("Laptop CPU", "2026-01-02", "pytest")
        case = Case("toy", engine, "fp32", 1, "cpu")
        update(tmp_path / "baselines" / name, CPU, {case: Entry({"p50_ms": p50_ms}, provenance)})
    return tmp_path / "baselines"


def printed(capsys):
    """Return the words of each line."""
    lines = capsys.readouterr().out.splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and "──" not in line]


def test_diff(folder, capsys):
    """A row per key, however narrow the terminal is; the exit status is diff's."""
    assert main(["baselines", "diff", "a", "b"]) == 1
    assert printed(capsys) == [
        "p50 ms note",
        "toy-ort-fp32-b1 1 -> 2 (+100.0%) measured again",
        "toy-trt-fp32-b1 new 3 added",
    ]
    assert main(["baselines", "diff", str(folder / "a"), "a"]) == 0
    assert printed(capsys) == ["no difference"]


def test_diff_of_two_devices(folder, capsys):
    """Both are reported."""
    main(["baselines", "diff", "a", "gtx1070", f"--folder={folder}"])
    first, second, *_ = printed(capsys)
    assert first == f"{folder}/a: {CPU}"
    assert second.endswith(
        "/baselines/gtx1070: {'kind': 'cuda', 'name': 'NVIDIA GeForce GTX 1070'}"
    )


def test_merge(folder, capsys):
    """A conflict is an error that changes nothing; then one side is taken."""
    before = (folder / "a" / "toy.json").read_text()
    assert main(["baselines", "merge", "a", "b"]) == 2
    assert "they have other figures for toy-ort-fp32-b1" in capsys.readouterr().err
    assert (folder / "a" / "toy.json").read_text() == before
    assert main(["baselines", "merge", "a", "b", "--take=from"]) == 0
    assert printed(capsys) == [
        "stored in baselines/a: 2 entries",
        "p50 ms",
        "toy-ort-fp32-b1 1 -> 2 (+100.0%)",
        "toy-trt-fp32-b1 new 3",
    ]
    assert main(["baselines", "merge", "a", "b"]) == 0
    assert printed(capsys) == ["stored in baselines/a: 0 entries"]


def test_merge_into_a_new_folder(folder):
    """It is made."""
    assert main(["baselines", "merge", "all", "b"]) == 0
    assert (folder / "all" / "toy.json").read_text() == (folder / "b" / "toy.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["baselines", "diff", "a", "bb"], "unknown baseline 'bb'"),
        (["baselines", "diff", "a", "../../etc/"], "no baselines at ../../etc"),
        (["cache", "list", "--infer-cache=nowhere"], "cannot use the cache folder nowhere"),
    ],
)
def test_trouble(folder, capsys, arguments, error):
    """An error says what, why and the mend, and nothing else."""
    assert folder.is_dir()
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith(error)
    assert "\n  why:  " in told
    assert "\n  mend: " in told


@pytest.mark.parametrize("arguments", [[], ["cache"], ["baselines", "merge", "a"], ["serve"]])
def test_usage(arguments, capsys):
    """What is no command is reported by its usage."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: pytest-infer")


@pytest.mark.parametrize(
    ("arguments", "handed_on"),
    [
        (["run", "--infer-model=toy", "-h"], ["--pyargs", "pytest_infer.suites"]),
        (["engines", "--infer-device=cpu"], ["--infer-engines"]),
    ],
)
def test_doors_to_pytest(arguments, handed_on, monkeypatch):
    """The process becomes pytest, which gets every option, ``-h`` too."""
    became = []
    monkeypatch.setattr("os.execv", lambda program, command: became.append((program, command)))
    main(arguments)
    command = [sys.executable, "-m", "pytest", *handed_on, *arguments[1:]]
    assert became == [(sys.executable, command)]


MAKE = """
import sys
from pathlib import Path
from pytest_infer.storage.cache import Cache

for precision in ("fp32", "fp16"):
    Cache(Path(sys.argv[1])).entry(
        "engines",
        {"engine": "ort", "precision": precision},
        lambda folder: (folder / "x").write_bytes(b"x" * 10) and {},
    )
"""


@pytest.fixture
def cache(tmp_path):
    """A cache with two engines that no process holds, one of which was used ten days ago."""
    run([sys.executable, "-c", MAKE, tmp_path / "cache"], check=True)  # noqa: S603 - our own code
    made = Cache(tmp_path / "cache")
    for folder in made.root.glob("engines/*"):
        if folder.is_dir() and '"fp16"' in (folder / "manifest.json").read_text():
            os.utime(folder, (time.time() - 10 * DAY_S,) * 2)
    return made


def test_list(cache, capsys):
    """The one that was unused for longest comes first."""
    assert main(["cache", "list", f"--infer-cache={cache.root}"]) == 0
    heading, first, second, total = printed(capsys)
    assert heading == "kind made of MB last used state"
    assert first.startswith("engines ort fp16 ")
    assert second.startswith("engines ort fp32 ")
    assert total == f"{cache.root}: 2 entries, 0.00 GB; 20 GB are allowed (PYTEST_INFER_CACHE_GB)"


@pytest.mark.parametrize(
    ("options", "gone", "left"),
    [([], 0, 2), (["--older-than=9"], 1, 1), (["--older-than=11"], 0, 2), (["--all"], 2, 0)],
)
def test_clean(cache, capsys, options, gone, left):
    """Without an option only what is broken goes; bundles only with everything."""
    (cache.root / "bundles").mkdir()
    assert main(["cache", "clean", f"--infer-cache={cache.root}", *options]) == 0
    assert printed(capsys) == [f"{cache.root}: {gone} of 2 entries removed, 0.00 GB"]
    assert sum(path.is_dir() for path in cache.root.glob("engines/*")) == left
    assert (cache.root / "bundles").is_dir() == ("--all" not in options)


def test_clean_what_is_broken(cache, capsys):
    """A file that is not the one that was stored is no use to anybody."""
    next(cache.root.glob("engines/*/x")).write_text("y")
    main(["cache", "clean", f"--infer-cache={cache.root}"])
    assert printed(capsys) == [f"{cache.root}: 1 of 2 entries removed, 0.00 GB"]


def test_clean_leaves_what_is_in_use(cache, capsys):
    """Even of everything; it is reported."""
    cache.entry("engines", {"engine": "ort", "precision": "fp32"}, lambda _: {})
    main(["cache", "clean", f"--infer-cache={cache.root}", "--all"])
    assert printed(capsys) == [
        f"{cache.root}: 1 of 2 entries removed, 0.00 GB",
        "in use, and left: 1 entries",
    ]
