"""The cases that a test declares, on machines that have or lack engines."""

from __future__ import annotations

import pytest

from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.engines.protocol import Missing
from pytest_infer.errors import OptionError
from pytest_infer.session.experiment import Experiment, check_settings, experiment_matrix

GONE = Missing("it is not there", "install it")


class Machine:
    """Says what can run; ``lacking`` are engines that cannot."""

    def __init__(self, device="cpu", lacking=()):
        self.device, self.lacking = device, lacking

    def device_of(self, engine):
        """Return the one device."""
        del engine
        return self.device

    def missing(self, engine):
        """Return why an engine cannot run."""
        return GONE if engine in self.lacking else None

    def lack(self, engine, precision):
        """Return that every precision can."""
        del engine, precision


def ids(matrix):
    """Return the ids of a matrix's cases."""
    return [case.id for case in matrix.cases]


ARTICLE = Experiment(
    models=("resnet50",),
    engines=("eager-fp32+cudnn_benchmark", "ort-fp32", "ort-fp32+intra_op_threads=1", "trt-fp16"),
    batches=(1, 4),
)


def test_in_its_order():
    """Engines come as declared, each at all its batches; the run's defaults mean nothing."""
    found = experiment_matrix(ARTICLE, InferConfig(), Machine("cuda:0"))
    assert ids(found) == [
        "resnet50-eager-fp32-b1+cudnn_benchmark",
        "resnet50-eager-fp32-b4+cudnn_benchmark",
        "resnet50-ort-fp32-b1",
        "resnet50-ort-fp32-b4",
        "resnet50-ort-fp32-b1+intra_op_threads=1",
        "resnet50-ort-fp32-b4+intra_op_threads=1",
        "resnet50-trt-fp16-b1",
        "resnet50-trt-fp16-b4",
    ]
    assert (found.exclusions, found.notices) == ((), ())


def test_a_cpu():
    """A setting for a GPU is left out and said; an engine that lacks the device is an exclusion."""
    found = experiment_matrix(ARTICLE, InferConfig(), Machine("cpu", lacking=("trt",)))
    assert Case("resnet50", "eager", "fp32", 1, "cpu") in found.cases
    assert found.notices[0] == (
        "resnet50-eager-fp32-b1 runs without cudnn_benchmark, which only a GPU has"
    )
    (lacking,) = found.exclusions
    assert (lacking.what, lacking.cases, lacking.lack) == ("resnet50 on trt in fp16", 2, GONE)


def test_precision_that_a_device_has_not():
    """It is an exclusion with its reason."""
    tf32 = Experiment(("resnet50",), ("eager-tf32",))
    found = experiment_matrix(tf32, InferConfig(), Machine("cpu"))
    assert found.cases == ()
    assert found.exclusions[0].lack.why == "on cpu, eager runs fp64, fp32, bf16, fp16"


def test_the_same_case_once():
    """Two arms that a CPU cannot tell apart are one case."""
    twice = Experiment(("resnet50",), ("eager-fp32", "eager-fp32+cuda_graph"))
    assert ids(experiment_matrix(twice, InferConfig(), Machine("cpu"))) == [
        "resnet50-eager-fp32-b1"
    ]


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({"engines": ("ort",)}, 4),
        ({"engines": ("auto",)}, 8),
        ({"batches": (4,), "given": ("batches",)}, 4),
        ({"batches": (4,)}, 8),
        ({"precisions": ("fp16",), "given": ("precisions",)}, 2),
        ({"models": ("mobilenet_v2",), "given": ("models",)}, 0),
    ],
)
def test_what_the_user_names_chooses(chosen, count):
    """Only what was given does: a default of the run is no choice."""
    found = experiment_matrix(ARTICLE, InferConfig(**chosen), Machine("cuda:0"))
    assert len(found.cases) == count


def test_settings_of_the_user():
    """They hold where the experiment has no others."""
    texts = {"ort.intra_op_threads": "2", "ort.inter_op_threads": "3"}
    found = experiment_matrix(
        Experiment(("resnet50",), ("ort-fp32+intra_op_threads=1",)),
        InferConfig(engine_options=texts),
        Machine("cpu"),
    )
    assert ids(found) == ["resnet50-ort-fp32-b1+inter_op_threads=3+intra_op_threads=1"]


@pytest.mark.parametrize("text", ["ort", "ort-fp31", "ort-fp32+", "-fp32"])
def test_no_engine_in_a_precision(text):
    """The form is shown, and the precisions there are."""
    with pytest.raises(OptionError) as caught:
        check_settings(Experiment(("resnet50",), (text,)))
    assert str(caught.value) == (
        f"cannot use the engine {text!r} of an experiment\n"
        "  why:  it is not ENGINE-PRECISION[+SETTING=VALUE]\n"
        "  mend: write 'ort-fp32', or 'ort-fp32+intra_op_threads=1'; precisions: "
        "fp64, fp32, tf32, bf16, fp16, int8"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ortt-fp32", "unknown engine 'ortt'"),
        ("ort-fp32+thread=1", "unknown option of ort 'thread'"),
        ("ort-fp32+intra_op_threads=many", "ort.intra_op_threads=many is not valid"),
    ],
)
def test_unknown_names(text, why):
    """They are errors before anything runs."""
    with pytest.raises(OptionError, match=why):
        check_settings(Experiment(("resnet50",), (text,)))
