"""Whether every operator of a file is known: to onnx, and to the code that computes references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_infer.errors import ModelError
from pytest_infer.models.onnx_file.floats import nodes_of
from pytest_infer.models.onnx_file.microsoft import DOMAIN as MICROSOFT
from pytest_infer.models.onnx_file.operators import own_operators

if TYPE_CHECKING:
    from pathlib import Path

ONNX = ("", "ai.onnx")
ML = "ai.onnx.ml"


def check_operators(path: Path, model: Any) -> None:
    """Raise `ModelError` for the first operator that no reference could be computed of."""
    versions = {each.domain: int(each.version) for each in model.opset_import}
    functions = {(each.domain, each.name) for each in model.functions}
    seen: set[tuple[str, str]] = set()
    for node in nodes_of(model):
        key = (node.domain, node.op_type)
        if key in seen or key in functions:
            continue
        seen.add(key)
        if flaw := _flaw(key, versions):
            raise ModelError(
                f"cannot use the ONNX file {path}",
                why=f"{told(node)}: {flaw}",
                mend=f"give the file a function {node.domain}.{node.op_type} made of ONNX's own "
                "operators, or export the model without this operator"
                if node.domain not in ONNX
                else "export the model for an operator set that has it",
            )


def other_domains(model: Any) -> tuple[str, ...]:
    """Return whose operators a model has that are neither ONNX's nor functions in the file."""
    functions = {(each.domain, each.name) for each in model.functions}
    nodes = [node for node in nodes_of(model) if (node.domain, node.op_type) not in functions]
    return tuple(sorted({node.domain for node in nodes} - set(ONNX)))


def _flaw(key: tuple[str, str], versions: dict[str, int]) -> str:
    """Return what keeps an operator from being computed; nothing if it can be."""
    domain, name = key
    if any(_name_of(each) == ("" if domain in ONNX else domain, name) for each in own_operators()):
        return ""
    version = versions.get(domain, versions.get("", versions.get("ai.onnx", 0)))
    if domain in ONNX:
        return _flaw_of_onnx(name, version)
    if domain == ML:
        return _flaw_of_learner(name, version)
    known = sorted(name for each, name in map(_name_of, own_operators()) if each == MICROSOFT)
    has = f"; of {MICROSOFT} it has {', '.join(known)}" if domain == MICROSOFT else ""
    return f"the reference has no such operator, and the file has no function of that name{has}"


def _flaw_of_onnx(name: str, version: int) -> str:
    from onnx.defs import SchemaError, get_schema
    from onnx.reference.ops import load_op

    try:
        schema = get_schema(name, version, "")
    except SchemaError:
        return f"ONNX has no such operator in its set {version}"
    if schema.has_function or schema.has_context_dependent_function:
        return ""
    try:
        load_op("", name, version)
    except Exception as error:  # noqa: BLE001 - whatever onnx raises for what it has not
        return f"onnx's reference code does not have it: {type(error).__name__}"
    return ""


def _flaw_of_learner(name: str, version: int) -> str:
    from onnx.reference.ops.aionnxml import load_op

    try:
        load_op(ML, name, version)
    except Exception as error:  # noqa: BLE001 - whatever onnx raises for what it has not
        return f"onnx's reference code does not have it: {type(error).__name__}"
    return ""


def _name_of(operator: Any) -> tuple[str, str]:
    return operator.op_domain, operator.__name__


def told(node: Any) -> str:
    """Return a node in words: its operator, its domain unless it is ONNX's, its name or output."""
    domain = f"{node.domain}." if node.domain not in ONNX else ""
    shown = node.name or next(iter(node.output), "")
    return f"the node {shown!r} ({domain}{node.op_type})"
