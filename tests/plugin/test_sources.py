"""Models that a command line names: files and functions, good and bad, in one run."""

import pytest

torch = pytest.importorskip("torch")

TEST = """
import numpy as np
import pytest
import torch


def test_answers(engine, feeds, model):
    (output,) = engine(feeds).values()
    with torch.inference_mode():
        expected = model.module(torch.from_numpy(feeds["x"]))
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    print(model.spec.name, "puts out", output.shape, "the least", output.min() >= 0)


@pytest.mark.infer(models="scripted")
def test_one(engine, feeds):
    engine(feeds)
"""

NETS = """
import torch

from pytest_infer import model


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x)


@model(example=lambda: torch.zeros(1, 5, 3), dynamic={"x": {1: "time"}})
def decorated():
    return Net().eval()
"""


class Net(torch.nn.Module):
    """A layer and an activation."""

    def __init__(self, activation):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.activation = torch.nn.Linear(3, 2), activation

    def forward(self, x):
        """Return the activations."""
        return self.activation(self.layer(x))


def script(path, activation):
    """Write a TorchScript file."""
    torch.jit.script(Net(activation).eval()).save(str(path))


@pytest.fixture
def sources(pytester, cache, monkeypatch):
    """Run a test on the models that ``--infer-model`` names, by eager alone."""
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makepyfile(test_it=TEST)

    def run(models, *options):
        return pytester.runpytest_subprocess(
            "-rA", "-p", "no:xdist", f"--infer-cache={cache}", "--engine=eager",
            f"--infer-model={models}", *options,
        )  # fmt: skip

    return run


def test_good_and_bad_ones(pytester, sources):
    """Each bad one fails the tests that want it, with its reason; the others go on."""
    script(pytester.path / "scripted.pt", torch.nn.ReLU())
    script(pytester.path / "other.pt", torch.nn.ReLU())
    (pytester.path / "half.pt").write_bytes((pytester.path / "scripted.pt").read_bytes()[:500])
    (pytester.path / "own_nets.py").write_text(NETS)
    (pytester.path / "folder").mkdir()
    script(pytester.path / "folder" / "other.pt", torch.nn.Tanh())
    texts = "scripted.pt,half.pt,absent.pt,own_nets:decorated,other.pt,folder/other.pt,no.nets:net"
    stated = [f"--infer-input={name}.x:float32[batch,3]" for name in ("scripted", "other")]
    result = sources(texts, *stated)
    result.assert_outcomes(passed=4, errors=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines_random(
        [
            "PASSED test_it.py::test_answers[[]scripted-eager-fp32-b1[]]",
            "PASSED test_it.py::test_answers[[]decorated-eager-fp32-b1[]]",
            "PASSED test_it.py::test_one[[]scripted-eager-fp32-b1[]]",
            "ERROR test_it.py::test_answers[[]half-unread[]] - cannot read *half.pt as TorchScript",
            "ERROR test_it.py::test_answers[[]absent-unread[]] - there is no file *absent.pt",
            "ERROR test_it.py::test_answers[[]other-unread[]] - two models are called 'other'",
            "ERROR test_it.py::test_answers[[]net-unread[]] - cannot import no.nets",
            "could not run: half (1 case): it is damaged*",
            "could not run: absent (1 case): *",
        ]
    )


def test_an_unread_model_is_told_once(pytester, sources):
    """The second test that wants it names the first, where the reason is."""
    pytester.makepyfile(test_it="def test_first(engine): ...\ndef test_second(engine): ...")
    result = sources("absent.pt")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "ERROR test_it.py::test_first[[]absent-unread[]] - there is no file *absent.pt",
            "ERROR *test_second[[]absent-unread[]] - there is no file *: see *test_first[[]absent*",
        ]
    )


@pytest.mark.nightly
def test_a_file_that_changes(pytester, sources):
    """It is read again: nothing of the former file is served."""
    path, stated = pytester.path / "scripted.pt", "--infer-input=x:float32[batch,3]"
    script(path, torch.nn.Tanh())
    first = sources("scripted.pt", stated)
    script(path, torch.nn.ReLU())
    second = sources("scripted.pt", stated)
    for result, is_positive in ((first, False), (second, True)):
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(f"scripted puts out (1, 2) the least {is_positive}")


def test_from_a_conftest(pytester, sources):
    """The same texts, relative to the file; no option is needed to have them in the matrix."""
    script(pytester.path / "net.pt", torch.nn.ReLU())
    pytester.makeconftest(
        "import torch\n"
        "from pytest_infer import model_from\n"
        "model_from('net.pt', name='scripted', example=lambda: torch.zeros(1, 3))\n"
    )
    result = sources("scripted")
    result.assert_outcomes(passed=2)
