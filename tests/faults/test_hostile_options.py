"""Options, ini values and marks that nobody would write, or that somebody would on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_infer import InferError, ModelSpec, TensorSpec
from pytest_infer.baselines.search import resolve
from pytest_infer.engines import registry as engines
from pytest_infer.engines.setting import read_options
from pytest_infer.fuzzing.recipe import recipe_from_text
from pytest_infer.judges.budget import budget_from_keywords
from pytest_infer.judges.tolerance import tolerance_from_keywords
from pytest_infer.models.source import Source
from pytest_infer.plugin.marks import narrowing_of
from pytest_infer.plugin.option_table import OPTIONS
from pytest_infer.plugin.options import read_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_infer.config import InferConfig

    Run = Callable[..., pytest.RunResult]

USAGE_ERROR = 4
MOST_CHARACTERS = 3000
"""Of a message: what is hostile is not repeated at length."""

LONG, NINES, EASTERN = "a" * 5000, "9" * 60, "\u0663"
PIECES = [
    *("", " ", "0", "-1", "1", "8", "1.5", "1e300", "1e-300", "nan", "inf", "1_0", "\u00b2"),
    *(NINES, "9" * 5000, EASTERN, "\uff11", "0x10", "+1", "true", "TRUE", "off", "auto", "all"),
    *("cpu", "cuda", "cuda:", "cuda:0", "cuda:99999999999", f"cuda:{EASTERN}", "fp32", "fp61"),
    *("~", "~nosuchuser/x", "~\x00", "/", ".", "..", LONG, f"/{LONG}", "a/" * 3000, "/dev/null/x"),
    *(
        "a\x00b",
        "a\nb",
        "\x1b[31mred",
        "::error::x",
        "##vso[task.complete]x",
        "\u202egnp",
        "\u2028",
    ),
    *("\ud800", "\udc80", "[red]x[/]", "<script>", "é" * 300, "{}", "%s", "$HOME", "`id`"),
    *("json:", "json:r.json", "md:\x00", f"html:{LONG}", "md:~nosuchuser/x", "pdf:x", "json"),
    *("ort", "ort.", ".x=1", "ort.intra_op_threads=1", f"ort.intra_op_threads={NINES}", "ort.x=1"),
    *(f"ort.inter_op_threads={EASTERN}", "openvino.threads=1025", "trt.workspace_mib=0"),
    *("ort=popen", "ort=popen//execmodel=eventlet", "ort=popen//execmodel=", "ort=", "=popen"),
    *("ort=popen//popen", "ort=popen////", "ort=//", "ort=popen//_x=1", "ort=popen//nice=x"),
    *("ort=popen//nice=999999999999", "ort=ssh", "ort=ssh=", "ort=socket=a", "ort=socket=a:b"),
    *("ort=socket=a:99999", "ort=popen//via=x", "ort=popen//id", "ort=popen//python=\x00"),
    *(f"ort=popen//python={LONG}", "ort=popen//env:=x", "ort=popen//env:A", "ort=popen//pyhton=x"),
    *("ort=popen//chdir=", "ort=inline//x", "ort=popen//ssh=x", "batch=1", f"batch={NINES}"),
    *(f"batch={EASTERN}", "batch=1,seed=" + "9" * 5000, "batch=1,values=x", "new", "improved"),
]
FLAGS = [option.flag for option in OPTIONS]
SPEC = ModelSpec(
    "toy",
    "tensor",
    {"x": TensorSpec(("batch", 3))},
    {"y": TensorSpec(("batch", 3))},
    Source("toy"),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=20), min_size=1, max_size=3).map(
    "".join
) | st.sampled_from(PIECES)


class FakeConfig:
    """A pytest configuration with one option, given on the command line or in the ini file."""

    def __init__(self, flag: str, texts: list[str], *, is_ini: bool) -> None:
        self.rootpath = Path("/root/of/project")
        self._option = next(each for each in OPTIONS if each.flag == flag)
        self._texts, self._is_ini = texts, is_ini

    def getoption(self, name: str) -> Any:
        """Return what the command line gave."""
        if self._is_ini or name != self._option.dest:
            return None
        return self._texts if self._option.metavar else self._texts[0]

    def getini(self, name: str) -> Any:
        """Return what the ini file gave."""
        return ",".join(self._texts) if self._is_ini and name == self._option.ini else None


def used(config: InferConfig) -> None:
    """Do what a run does with these values before it looks at any test."""
    for name, text in config.engine_options.items():
        engine, _, option = name.partition(".")
        read_options(engines.find(engine).options, engine, {option: text})
    for name in config.hosts:
        engines.find(name)
    if config.baseline != "auto":
        resolve(config.baseline, ())
    if config.fuzz_replay:
        recipe_from_text(config.fuzz_replay, SPEC)


def check_told(error: InferError) -> None:
    """An error says what, why and the mend, shortly, and nothing in it acts."""
    assert error.what.strip()
    assert error.why.strip()
    assert error.mend.strip()
    text = str(error)
    assert len(text) < MOST_CHARACTERS, text
    assert all(each.isprintable() or each in "\n\t" for each in text), ascii(text)
    assert "##vso[" not in text
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    text.encode()


def attempt(call: Callable[[], object]) -> None:
    """Whatever ``call`` raises is an error of ours, told as one is."""
    try:
        call()
    except InferError as error:
        check_told(error)


@settings(max_examples=2000, suppress_health_check=list(HealthCheck))
@given(
    flag=st.sampled_from(FLAGS), texts=st.lists(TEXTS, min_size=1, max_size=3), is_ini=st.booleans()
)
@example(flag="--infer-batch", texts=[NINES], is_ini=False)
@example(flag="--infer-batch", texts=["9" * 5000], is_ini=True)
@example(flag="--infer-calls", texts=[EASTERN], is_ini=False)
@example(flag="--infer-timeout", texts=["1e300"], is_ini=False)
@example(flag="--infer-images", texts=[f"/{LONG}"], is_ini=False)
@example(flag="--infer-weights", texts=["a\x00b"], is_ini=True)
@example(flag="--infer-cache", texts=["~nosuchuser/x"], is_ini=False)
def test_hostile_option(flag: str, texts: list[str], is_ini: bool) -> None:
    """2,000 of them in each run: a value of the option's type, or an error of ours."""
    attempt(lambda: used(read_config(FakeConfig(flag, texts, is_ini=is_ini))))


@pytest.mark.parametrize("piece", PIECES, ids=range(len(PIECES)))
def test_each_piece_for_each_option(piece: str) -> None:
    """Every hostile text alone, by the command line and by the ini file."""
    for flag in FLAGS:
        for is_ini in (False, True):
            config = FakeConfig(flag, [piece], is_ini=is_ini)
            attempt(lambda config=config: used(read_config(config)))


LOOP = "loop"


@pytest.mark.parametrize("flag", ["--infer-images", "--infer-weights"])
@pytest.mark.parametrize("name", [LOOP, "closed/x", "file/x"])
def test_a_folder_that_cannot_be_looked_at(tmp_path: Path, flag: str, name: str) -> None:
    """A loop of links, a folder without the right to search it, a file on the way."""
    (tmp_path / LOOP).symlink_to(LOOP)
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "file").touch()
    with pytest.raises(InferError) as caught:
        read_config(FakeConfig(flag, [str(tmp_path / name)], is_ini=False))
    check_told(caught.value)
    assert str(tmp_path / name) in caught.value.what


NUMBERS = [0, -1, 10**60, 10**400, 10**5000, 1e308, 5e-324, float("nan"), float("-inf"), True]
OTHERS = [None, "", "9", "\x1b[31m", "\ud800", [], {}, (10**5000,), [[]], object(), 1j, b"x"]


@pytest.mark.parametrize("value", NUMBERS + OTHERS, ids=range(len(NUMBERS + OTHERS)))
def test_hostile_mark(value: Any) -> None:
    """Every keyword of every mark takes it, or refuses it in words."""

    class Node:
        nodeid = "test_it.py::test_it"

        def __init__(self, keywords: dict[str, Any]) -> None:
            self._keywords = keywords

        def iter_markers(self, _: str) -> list[Any]:
            return [type("Mark", (), {"args": (), "kwargs": self._keywords})]

    keywords = ("models", "engines", "precisions", "batches", "tasks", "formats")
    attempts: list[Callable[[], Any]] = [
        *(lambda name=name: narrowing_of(Node({name: value})) for name in keywords),
        *(lambda n=n: budget_from_keywords({n: value}) for n in ("p50_ms", "speedup")),
        *(lambda n=n: tolerance_from_keywords({n: value}) for n in ("mae", "cosine", "top_k")),
    ]
    for each in attempts:
        attempt(each)


def test_bounds_of_marks() -> None:
    """A batch is bounded in a mark as it is in an option; the least and the greatest are taken."""

    class Node:
        nodeid = "test_it.py::test_it"

        def __init__(self, batches: Any) -> None:
            self._batches = batches

        def iter_markers(self, _: str) -> list[Any]:
            return [type("Mark", (), {"args": (), "kwargs": {"batches": self._batches}})]

    assert narrowing_of(Node((1, 1_000_000))).batches == (1, 1_000_000)
    for batch in (0, 1_000_001, 10**60, True, 1.0):
        with pytest.raises(InferError, match="a batch is a whole number from 1 to 1000000"):
            narrowing_of(Node([batch]))


USAGE = [
    (f"--infer-batch={NINES}", f"--infer-batch={NINES} is not valid"),
    (f"--infer-calls={NINES}", f"--infer-calls={NINES} is not valid"),
    (f"--infer-warmup={NINES}", f"--infer-warmup={NINES} is not valid"),
    (f"--infer-fuzz-examples={NINES}", f"--infer-fuzz-examples={NINES} is not valid"),
    ("--infer-timeout=1e300", "--infer-timeout=1e300 is not valid"),
    ("--infer-device=cuda:99999999999", "--infer-device=cuda:99999999999 is not valid"),
    (f"--infer-option=ort.intra_op_threads={NINES}", f"ort.intra_op_threads={NINES} is not"),
    (f"--infer-weights=/{LONG}", "--infer-weights=/aaaa"),
    (f"--infer-images=/{LONG}", "--infer-images=/aaaa"),
    (f"--infer-baselines=/{LONG}", "--infer-baselines=/aaaa"),
    (f"--infer-cache=/{LONG}", "--infer-cache=/aaaa"),
    (f"--infer-report=md:/{LONG}", "--infer-report=md:=/aaaa"),
    ("--infer-cache=~nosuchuser/x", "--infer-cache=~nosuchuser/x is not valid"),
    ("--infer-baselines=~nosuchuser/x", "--infer-baselines=~nosuchuser/x is not valid"),
    ("--infer-host=ort=popen//execmodel=eventlet", "--infer-host=ort=popen//execmodel=eventlet"),
    ("--infer-host=ort=popen//chdir=/proc/x/y", "cannot start the engine host popen//chdir"),
    ("--infer-cache=/dev/null/x", "cannot use the cache folder /dev/null/x"),
    ("--infer-baselines=/dev/null", "cannot read /dev/null"),
    ("--infer-model=\x1b[31m::error::x", "unknown model '\\x1b[31m::error::x'"),
    ("--infer-model=##vso[task.complete]x", "unknown model '# #vso[task.complete]x'"),
    (f"--gpu-baseline=/{LONG}", "cannot read /aaaa"),
]
"""Options, and how the error begins."""


def check_usage_error(result: pytest.RunResult, what: str) -> None:
    """The run ended with pytest's exit code for it, and without any traceback."""
    errors = result.stderr.str().strip()
    text = errors + result.stdout.str()
    assert result.ret == USAGE_ERROR, text
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert errors.startswith(f"ERROR: {what}")
    assert "\n  why:  " in errors
    assert "\n  mend: " in errors


@pytest.mark.parametrize(("option", "what"), USAGE, ids=range(len(USAGE)))
def test_usage_error(pytester: pytest.Pytester, option: str, what: str) -> None:
    """Each is refused before a test runs."""
    pytester.makepyfile("def test_ok(): pass")
    options = (option, "--engine=ort", "-p", "no:xdist", "-p", "no:cacheprovider")
    check_usage_error(pytester.runpytest_inprocess(*options), what)


INI = {
    "infer_batch": (NINES, f"--infer-batch={NINES} is not valid"),
    "infer_cache": (f"/{LONG}", "--infer-cache=/aaaa"),
    "infer_timeout": ("1e300", "--infer-timeout=1e300 is not valid"),
    "infer_engine": ("ortt", "unknown engine 'ortt'"),
    "infer_option": ("ort.x=1", "unknown option of ort 'x'"),
}


@pytest.mark.parametrize("name", INI)
def test_usage_error_of_ini(bare_run: Run, pytester: pytest.Pytester, name: str) -> None:
    """An ini value is refused as the option is, with nothing asked for on the command line."""
    text, what = INI[name]
    pytester.makeini(f"[pytest]\naddopts = --import-mode=importlib\n{name} = {text}\n")
    check_usage_error(bare_run("-p", "no:xdist"), what)
