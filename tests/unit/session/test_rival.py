"""What cannot be compared with itself in another environment, and why."""

from types import SimpleNamespace

import pytest

from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.engines.protocol import Missing
from pytest_infer.errors import BuildError, OptionError
from pytest_infer.reports.counts import Coverage
from pytest_infer.session.built_engines import Tally
from pytest_infer.session.matrix import Matrix
from pytest_infer.session.rival import Rival, check_rival, rival_config

CASE = Case("toy", "ort", "fp32", 1, "cpu")
MATRIX = Matrix((CASE,), ())


def hosts(machine="here"):
    """Return hosts on a machine."""
    return SimpleNamespace(place=lambda _: SimpleNamespace(machine=machine))


def rival(machine="here", lack=None):
    """Return an environment on a machine, which may lack the engine."""
    availability = SimpleNamespace(missing=lambda _: lack)
    return SimpleNamespace(hosts=hosts(machine), availability=availability)


def test_config():
    """The compared engine alone runs in the other environment."""
    config = InferConfig(hosts={"ort": "popen", "trt": "ssh=a"}, against={"ort": "ssh=b"})
    assert rival_config(config).hosts == {"ort": "ssh=b", "trt": "ssh=a"}


def test_fine():
    """The same machine and an engine that is tested and there."""
    check_rival("ort", "popen", MATRIX, hosts(), rival())


@pytest.mark.parametrize(
    ("engine", "other", "expected"),
    [
        (
            "eager",
            rival(),
            (
                "--infer-against=eager=popen compares nothing\n"
                "  why:  this run does not test eager; it tests ort\n"
                "  mend: add --engine=eager, or leave out --infer-against=eager=…"
            ),
        ),
        (
            "ort",
            rival(lack=Missing("onnxruntime is not installed", "pip install onnxruntime")),
            (
                "cannot run engine 'ort' in the environment of --infer-against=ort=popen\n"
                "  why:  onnxruntime is not installed\n"
                "  mend: in that environment: pip install onnxruntime"
            ),
        ),
        (
            "ort",
            rival(machine="jetson"),
            (
                "--infer-against=ort=popen compares nothing\n"
                "  why:  ort runs on here, and the other environment is on jetson: what differs "
                "would be the machines\n"
                "  mend: name the same machine in --infer-host=ort=… and --infer-against=ort=…"
            ),
        ),
    ],
)
def test_refused(engine, other, expected):
    """Each refusal says what, why and the mend."""
    with pytest.raises(OptionError) as error:
        check_rival(engine, "popen", MATRIX, hosts(), other)
    assert str(error.value) == expected


def test_build_says_where():
    """An error of a build there names the environment; the build's own why and mend stay."""
    made = Rival(InferConfig(hosts={"ort": "popen//nice=1"}), hosts(), None, None, lambda _: {})

    class Engines:
        tally = Tally(found=1, made=2, notices=("odd",))

        def of(self, case):
            raise BuildError(f"cannot build {case.id}", why="opset 23", mend="export it again")

    made._engines = Engines()
    with pytest.raises(BuildError) as error:
        made.built(CASE)
    assert error.value.what == (
        "cannot build toy-ort-fp32-b1, in the environment of --infer-against=ort=popen//nice=1"
    )
    assert (error.value.why, error.value.mend) == ("opset 23", "export it again")
    coverage = Coverage(built=1, sent_bytes={"jetson": 1})
    made.hosts = SimpleNamespace(sent_bytes={"jetson": 2})
    made.count(coverage)
    assert (coverage.built, coverage.reused, coverage.notices) == (3, 1, ("odd",))
    assert coverage.sent_bytes == {"jetson": 3}
