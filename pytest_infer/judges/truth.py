"""The judge of truth: what really ran, and what was really exported, against what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.graphs.node_precisions import LEAST_SHARE, NO_FRACTIONS
from pytest_infer.verdict import Verdict, failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import Evidence
    from pytest_infer.graphs.facts import GraphFacts
    from pytest_infer.graphs.graph import GraphRequest
    from pytest_infer.models.spec import ModelSpec

NO_FRACTIONS_CODE = "no-fractions"

_DTYPES = {"fp64": "float64", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


def judge_precision(
    evidence: Evidence, precision: Precision, *, subject: str, has_fractions: bool = True
) -> Verdict:
    """Judge the arithmetic. Pass: ``as-asked``; fail: ``other-precision``, ``partly``.

    Integers and bools are exact in every precision. If the engine computes nothing else, and the
    model has no input or output of floating numbers either (not ``has_fractions``), then there is
    no precision to prove. Pass: ``no-fractions``.
    """
    if evidence.precision == NO_FRACTIONS and not has_fractions:
        message = f"{subject} has no {precision} to prove: it takes, computes and returns integers"
        return Verdict("truth", "pass", NO_FRACTIONS_CODE, message)
    return _judge_share(
        f"{subject} ran in",
        evidence,
        asked=precision,
        found=evidence.precision,
        share=("precision_share", evidence.precision_share),
        other=("other-precision", f"find why the engine falls back from {precision}"),
    )


def judge_placement(evidence: Evidence, device: str, *, subject: str) -> Verdict:
    """Judge the device. Pass: ``as-asked``; fail: ``other-device``, ``partly``."""
    return _judge_share(
        f"{subject} ran on",
        evidence,
        asked=device,
        found=evidence.device,
        share=("device_share", evidence.device_share),
        other=("other-device", f"install the engine's support of {device}"),
    )


def _judge_share(
    fact: str,
    evidence: Evidence,
    *,
    asked: str,
    found: str,
    share: tuple[str, float],
    other: tuple[str, str],
) -> Verdict:
    """Judge one thing that all of the work should share; ``other`` is a code and its mend.

    The share itself is in the figures and in the message. It is of what was asked for: where
    something else ran, there is none.
    """
    name, value = share
    told = f"{value:.1%} of the computing nodes"
    if found != asked:
        return failed(
            "truth",
            other[0],
            what=f"{fact} {found}, not {asked}",
            why=f"that is what the engine's own record says{_told(evidence)}",
            mend=f"ask for what runs, or {other[1]}",
        )
    if not value >= LEAST_SHARE:
        return failed(
            "truth",
            "partly",
            what=f"{fact} {asked} in part only",
            why=f"{told}{_told(evidence)}; at least {LEAST_SHARE:.0%} is asked",
            mend="see which operators the engine leaves out, and why",
            figures={name: value},
        )
    return Verdict("truth", "pass", "as-asked", f"{fact} {asked}: {told}", {name: value})


def judge_settings(
    evidence: Evidence, settings: Mapping[str, OptionValue], *, subject: str
) -> Verdict:
    """Judge whether the engine's settings are in force, as far as they can be seen.

    Pass: ``as-asked``; fail: ``not-in-force``.
    """
    seen = {name: value for name, value in evidence.proven.items() if name in settings}
    ignored = {name: value for name, value in seen.items() if value != settings[name]}
    figures = {"settings_seen": len(seen), "settings_asked": len(settings)}
    if ignored:
        return failed(
            "truth",
            "not-in-force",
            what=f"{subject} does not run with the settings asked for",
            why="\n".join(
                f"{name} is {_text(value)}, not {_text(settings[name])}"
                for name, value in ignored.items()
            )
            + _told(evidence),
            mend="leave the setting out, or find why the engine ignores it",
            figures=figures,
        )
    unseen = [name for name in settings if name not in seen]
    message = f"{subject} runs with the settings asked for: {_listed(seen) or 'nothing'} confirmed"
    if unseen:
        message += f"; cannot be observed: {', '.join(unseen)}"
    return Verdict("truth", "pass", "as-asked", message, figures)


def judge_graph(
    facts: GraphFacts, request: GraphRequest, signature: ModelSpec, *, subject: str
) -> Verdict:
    """Judge an exported file against what its engine wants and the names and sizes of its model.

    Pass: ``as-asked``; fail: ``other-opset``, ``other-signature`` (names or sizes; a dynamic
    dimension was lost), ``other-types`` (of inputs, or of most convolutions and matrix products),
    ``not-quantized``, ``other-weights`` (of more bits), ``not-pruned``.
    """
    figures = facts.figures()
    if request.precision in _DTYPES:
        figures["graph_precision_share"] = facts.precisions.share(request.precision)
    for code, oddities in _GRAPH_CHECKS.items():
        if odd := oddities(facts, request, signature):
            return failed(
                "truth",
                code,
                what=f"{subject} was built from another graph than the one that was asked for",
                why="\n".join(odd),
                mend="export the graph again with another --infer-cache=DIR; if it stays so, "
                "the exporter ignores what it is asked",
                figures=figures,
            )
    message = (
        f"{subject} was built from a graph of opset {facts.opset} with "
        f"{', '.join(facts.dynamic_dims) or 'no'} dynamic dimensions"
    )
    return Verdict("truth", "pass", "as-asked", message, figures)


def _opset_oddities(facts: GraphFacts, request: GraphRequest, _: ModelSpec) -> list[str]:
    return [] if facts.opset == request.opset else [f"opset {facts.opset}, not {request.opset}"]


def _signature_oddities(
    facts: GraphFacts, request: GraphRequest, signature: ModelSpec
) -> list[str]:
    """Return how names and sizes differ; a user's own file may leave open what a spec fixes."""
    specs = {**signature.inputs, **signature.outputs}
    is_fixed = not any(
        isinstance(dim, str) for each in signature.inputs.values() for dim in each.shape
    )
    if list(facts.tensors) != list(specs):
        return [f"its tensors are {', '.join(facts.tensors)}, not {', '.join(specs)}"]
    return [
        f"{name}: dimension {axis} is {found or 'dynamic'}, not {wanted}"
        for name, spec in specs.items()
        for axis, (found, wanted) in enumerate(
            zip(facts.tensors[name].shape, spec.shape, strict=True)
        )
        if not (is_fixed and isinstance(wanted, str))
        and not (signature.onnx and not request.is_static and found == 0)
        and not _is_stated(found, wanted, is_input=name in signature.inputs)
    ]


def _is_stated(found: int, wanted: int | str, *, is_input: bool) -> bool:
    """Return whether a file's size, 0 if it gives none, is what is wanted, a name if dynamic.

    Of an output a file need not know a size: torch's tracing exporter leaves out what it reshapes
    to. What comes out is judged where it is compared.
    """
    if isinstance(wanted, str):
        return found == 0
    return found == wanted or (found == 0 and not is_input)


def _type_oddities(facts: GraphFacts, request: GraphRequest, signature: ModelSpec) -> list[str]:
    wanted = _DTYPES.get(request.precision, "float32")
    odd = [
        f"{name} is {facts.tensors[name].dtype}, not {wanted}"
        for name, spec in signature.inputs.items()
        if spec.dtype.startswith("float") and facts.tensors[name].dtype != wanted
    ]
    precisions = facts.precisions
    if (
        request.precision in _DTYPES
        and precisions.products
        and precisions.share(request.precision) < LEAST_SHARE
    ):
        counted = ", ".join(f"{count} in {name}" for name, count in precisions.products.items())
        odd.append(
            f"its convolutions and matrix products are {counted}: "
            f"less than {LEAST_SHARE:.0%} in {request.precision}; a model may cast by itself"
        )
    return odd


def _quantization_oddities(facts: GraphFacts, request: GraphRequest, _: ModelSpec) -> list[str]:
    is_quantized = facts.quantizers > 0
    if is_quantized == (request.precision == "int8"):
        return []
    return [f"it has {facts.quantizers} QuantizeLinear and DequantizeLinear nodes"]


def _weight_oddities(facts: GraphFacts, request: GraphRequest, _: ModelSpec) -> list[str]:
    if facts.weight_bits <= request.weight_bits:
        return []
    return [f"its weights in int8 have {facts.weight_bits} bits, not {request.weight_bits}"]


def _pruning_oddities(facts: GraphFacts, request: GraphRequest, _: ModelSpec) -> list[str]:
    if not request.is_pruned or facts.pruned_share == 1:
        return []
    return [f"{facts.pruned_share:.1%} of the groups of four weights have two zeros, not all"]


_GRAPH_CHECKS = {
    "other-opset": _opset_oddities,
    "other-signature": _signature_oddities,
    "other-types": _type_oddities,
    "not-quantized": _quantization_oddities,
    "other-weights": _weight_oddities,
    "not-pruned": _pruning_oddities,
}
"""By the code of the failure, in order: a check may rely on those before it."""


def _told(evidence: Evidence) -> str:
    details = _listed(evidence.details)
    return f" ({details})" if details else ""


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(_pairs(values))


def _pairs(values: Mapping[str, object]) -> Iterable[str]:
    return (f"{name}={_text(value)}" for name, value in values.items())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
