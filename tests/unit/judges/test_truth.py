"""What really ran against what was asked for."""

from dataclasses import replace

import pytest

from pytest_infer.engines.protocol import Evidence
from pytest_infer.graphs.facts import GraphFacts, TensorFacts
from pytest_infer.graphs.graph import GraphRequest
from pytest_infer.graphs.node_precisions import NO_FRACTIONS, NodePrecisions
from pytest_infer.judges.truth import judge_graph, judge_placement, judge_precision, judge_settings
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, TensorSpec

SPEC = ModelSpec(
    name="toy",
    task="tensor",
    inputs={"image": TensorSpec(("batch", 3)), "length": TensorSpec(("batch",), "int64")},
    outputs={"scores": TensorSpec(("batch", 2))},
    source=Source(module="toy"),
)
FACTS = GraphFacts(
    opset=18,
    tensors={
        "image": TensorFacts((0, 3), "float32"),
        "length": TensorFacts((0,), "int64"),
        "scores": TensorFacts((0, 2), "float32"),
    },
    dynamic_dims=("batch",),
    precisions=NodePrecisions({"fp32": 4}, {"fp32": 9}),
    quantizers=0,
    weight_bits=0,
    pruned_share=0.0,
)


def test_precision_that_ran():
    """The share is reported."""
    evidence = Evidence("fp16", "cuda:0", precision_share=54 / 56)
    verdict = judge_precision(evidence, "fp16", subject="toy")
    assert (verdict.status, verdict.code) == ("pass", "as-asked")
    assert verdict.message == "toy ran in fp16: 96.4% of the computing nodes"
    assert verdict.figures == {"precision_share": 54 / 56}


def test_precision_that_did_not_run():
    """What ran instead is reported with the engine's details."""
    evidence = Evidence("fp32", "cuda:0", details={"layers": 56, "is_typed": False})
    verdict = judge_precision(evidence, "fp16", subject="toy")
    assert (verdict.status, verdict.code) == ("fail", "other-precision")
    assert verdict.message == (
        "toy ran in fp32, not fp16\n"
        "  why:  that is what the engine's own record says (layers=56, is_typed=false)\n"
        "  mend: ask for what runs, or find why the engine falls back from fp16"
    )
    assert verdict.figures == {}  # a share of another precision is none of fp16


@pytest.mark.parametrize(("share", "code"), [(0.5, "as-asked"), (0.49, "partly"), (0.0, "partly")])
def test_half_must_run_in_the_precision(share, code):
    """Some layers may stay in fp32, most may not."""
    evidence = Evidence("int8", "cpu", precision_share=share)
    assert judge_precision(evidence, "int8", subject="toy").code == code


def test_share_that_is_no_number():
    """An engine that could count nothing proves nothing."""
    evidence = Evidence("int8", "cpu", precision_share=float("nan"))
    assert judge_precision(evidence, "int8", subject="toy").code == "partly"


@pytest.mark.parametrize(
    ("device", "share", "code"),
    [("cuda:0", 0.9, "as-asked"), ("cpu", 1.0, "other-device"), ("cuda:0", 0.1, "partly")],
)
def test_placement(device, share, code):
    """The device is compared, and how much of the work it did."""
    evidence = Evidence("fp32", device, device_share=share)
    assert judge_placement(evidence, "cuda:0", subject="toy").code == code


def test_other_device_is_told():
    """The message names both devices and the mend."""
    evidence = Evidence("fp32", "cpu", details={"providers": "CPUExecutionProvider"})
    assert judge_placement(evidence, "cuda:0", subject="toy").message == (
        "toy ran on cpu, not cuda:0\n"
        "  why:  that is what the engine's own record says (providers=CPUExecutionProvider)\n"
        "  mend: ask for what runs, or install the engine's support of cuda:0"
    )


def test_settings_in_force():
    """What cannot be seen is named, not passed over."""
    evidence = Evidence("fp32", "cpu", proven={"threads": 2, "another": 1})
    verdict = judge_settings(evidence, {"threads": 2, "level": 3}, subject="toy")
    assert verdict.status == "pass"
    assert verdict.message == (
        "toy runs with the settings asked for: threads=2 confirmed; cannot be observed: level"
    )


def test_setting_that_is_ignored():
    """A graph that is not replayed, or weights that are not sparse, fail."""
    evidence = Evidence("fp32", "cpu", proven={"cuda_graph": False, "sparse": True})
    verdict = judge_settings(evidence, {"cuda_graph": True, "sparse": True}, subject="toy")
    assert (verdict.status, verdict.code) == ("fail", "not-in-force")
    assert verdict.message == (
        "toy does not run with the settings asked for\n"
        "  why:  cuda_graph is false, not true\n"
        "  mend: leave the setting out, or find why the engine ignores it"
    )


def judged(facts=FACTS, spec=SPEC, **request):
    """Return the verdict on a file."""
    return judge_graph(facts, GraphRequest("onnx", **request), spec, subject="toy")


def test_graph_as_asked():
    """A file of the right opset, names, sizes and types passes."""
    verdict = judged()
    assert verdict.status == "pass"
    assert verdict.message == (
        "toy was built from a graph of opset 18 with batch dynamic dimensions"
    )


@pytest.mark.parametrize(
    ("changes", "request_fields", "code", "why"),
    [
        ({}, {"opset": 17}, "other-opset", "opset 18, not 17"),
        (
            {"tensors": {**FACTS.tensors, "image": TensorFacts((1, 3), "float32")}},
            {},
            "other-signature",
            "image: dimension 0 is 1, not batch",
        ),
        (
            {"tensors": {"input": TensorFacts((0, 3), "float32")}},
            {},
            "other-signature",
            "its tensors are input, not image, length, scores",
        ),
        (
            {"precisions": NodePrecisions({"fp16": 4}, {})},
            {"precision": "fp16"},
            "other-types",
            "image is float32, not float16",
        ),
        (
            {"precisions": NodePrecisions({"fp32": 2, "fp64": 3}, {"fp32": 9})},
            {},
            "other-types",
            (
                "its convolutions and matrix products are 2 in fp32, 3 in fp64: "
                "less than 50% in fp32; a model may cast by itself"
            ),
        ),
        (
            {},
            {"precision": "int8"},
            "not-quantized",
            "it has 0 QuantizeLinear and DequantizeLinear nodes",
        ),
        (
            {"quantizers": 4},
            {},
            "not-quantized",
            "it has 4 QuantizeLinear and DequantizeLinear nodes",
        ),
        (
            {"quantizers": 4, "weight_bits": 8},
            {"precision": "int8", "weight_bits": 7},
            "other-weights",
            "its weights in int8 have 8 bits, not 7",
        ),
        (
            {"pruned_share": 0.031},
            {"is_pruned": True},
            "not-pruned",
            "3.1% of the groups of four weights have two zeros, not all",
        ),
    ],
)
def test_graph_that_is_another(changes, request_fields, code, why):
    """Each thing that an exporter may lose has its code and is reported."""
    verdict = judged(replace(FACTS, **changes), **request_fields)
    assert (verdict.status, verdict.code) == ("fail", code)
    assert verdict.message.splitlines()[1] == f"  why:  {why}"


def test_static_graph():
    """A size that should be fixed must not be dynamic."""
    spec = replace(SPEC, inputs={**SPEC.inputs, "image": TensorSpec((2, 3))})
    assert judged(spec=spec).code == "other-signature"


@pytest.mark.parametrize(
    ("precisions", "share"),
    [
        (NodePrecisions({"fp32": 2, "fp64": 2}, {"fp64": 9}), 0.5),
        (NodePrecisions({}, {"fp32": 1, "fp64": 3}), 0.25),
        (NodePrecisions({}, {}), 0),
    ],
)
def test_graph_of_several_precisions(precisions, share):
    """Half of the products are enough; where there are none, nothing is demanded."""
    verdict = judged(replace(FACTS, precisions=precisions))
    assert verdict.code == "as-asked"
    assert verdict.figures["graph_precision_share"] == share


@pytest.mark.parametrize(
    ("found", "code"), [(0, "as-asked"), (2, "as-asked"), (3, "other-signature")]
)
def test_size_of_an_output(found, code):
    """A file may leave out what it does not infer; it must not say something else."""
    scores = TensorFacts((0, found), "float32")
    assert judged(replace(FACTS, tensors={**FACTS.tensors, "scores": scores})).code == code


def test_batch_that_was_baked_in():
    """An output of one size where any was asked for is another graph."""
    scores = TensorFacts((1, 2), "float32")
    verdict = judged(replace(FACTS, tensors={**FACTS.tensors, "scores": scores}))
    assert verdict.code == "other-signature"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_integers_have_no_precision(precision):
    """A model of integers has nothing to prove; one of fractions does, whatever its engine says."""
    found = Evidence(precision=NO_FRACTIONS, device="cpu", precision_share=0.0)
    verdict = judge_precision(found, precision, has_fractions=False, subject="toy")
    assert (verdict.status, verdict.code) == ("pass", "no-fractions")
    assert verdict.message == (
        f"toy has no {precision} to prove: it takes, computes and returns integers"
    )
    assert judge_precision(found, precision, subject="toy").code == "other-precision"
