"""What differs between TensorRT 8.6, 10 and 11, and how each of them says what went wrong."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_infer.devices.fingerprint import runtime_fingerprint
from pytest_infer.engines.protocol import Missing
from pytest_infer.errors import BuildError, InferError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_infer.case import Precision

T = TypeVar("T")

DISTRIBUTIONS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-cu11")
"""Those that bring the module ``tensorrt``."""

FLAGS: Mapping[Precision, Mapping[str, bool]] = {
    "fp32": {"TF32": False},  # TensorRT sets it by default
    "tf32": {"TF32": True},
    "fp16": {"FP16": True},
    "bf16": {"BF16": True},
    "int8": {"INT8": True, "TF32": False},
}
"""The builder flags of each precision, by the value that they must have."""

CARRIED: Mapping[str, Precision] = {"FP16": "fp16", "BF16": "bf16", "INT8": "int8"}
"""The precision of a graph whose own types make a flag unnecessary."""

READ_BACK = ("TF32", "FP16", "BF16", "INT8", "SPARSE_WEIGHTS")

_errors: list[str] = []
"""What TensorRT has logged as errors since the last stage began."""

_OPSET_OF_8 = 17
_MAJOR_AFTER_8 = 10  # there is no TensorRT 9 for GPUs in general
_MAJOR_OF_TYPED_GRAPHS = 11


def installed_version() -> str | None:
    """Return TensorRT's version from its metadata, without importing it."""
    found = runtime_fingerprint(DISTRIBUTIONS)
    return next((found[name] for name in DISTRIBUTIONS if name in found), None)


def newest_opset(tensorrt_version: str) -> int | None:
    """Return the newest opset that a version reads correctly, if it is below the usual one.

    The parser of 8.6 accepts opset 18, whose reductions have their axes as an input, and reduces
    over all axes without a word.
    """
    return _OPSET_OF_8 if _major(tensorrt_version) < _MAJOR_AFTER_8 else None


def graph_precision(precision: Precision, tensorrt_version: str | None) -> Precision:
    """Return the types of the graph from which a version builds ``precision``.

    int8 is Q/DQ nodes in the graph everywhere. From 11 on, networks are strongly typed: fp16 and
    bf16 are the graph's types. Before, they are flags, and the graph stays in fp32.
    """
    is_typed = tensorrt_version and _major(tensorrt_version) >= _MAJOR_OF_TYPED_GRAPHS
    if precision == "int8" or (is_typed and precision in {"fp16", "bf16"}):
        return precision
    return "fp32"


def lacking(precision: Precision, tensorrt_version: str | None) -> Missing | None:
    """Return why a version cannot build ``precision``; 8.6 knows no bfloat16."""
    if precision != "bf16" or not tensorrt_version or _major(tensorrt_version) >= _MAJOR_AFTER_8:
        return None
    return Missing(
        f"TensorRT {tensorrt_version} knows no bfloat16: it has no BuilderFlag.BF16",
        "--infer-precision=fp16, or TensorRT 10 or 11 in trt's host",
    )


def network_flags() -> int:
    """Return the flags of a network with an explicit batch, which later versions always have."""
    import tensorrt

    explicit = getattr(tensorrt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    return 0 if explicit is None else 1 << int(explicit)


def wanted_flags(precision: Precision, *, sparse: bool, mixed: bool) -> dict[str, bool]:
    """Return the builder flags of ``precision`` and of the settings that are flags."""
    flags = dict(FLAGS[precision])
    if mixed and precision == "int8":
        flags["FP16"] = True
    if sparse:
        flags["SPARSE_WEIGHTS"] = True
    return flags


def set_flags(config: Any, flags: Mapping[str, bool], *, graph_types: Precision) -> dict[str, bool]:
    """Set the builder's ``flags``; return those that matter and that there are, read back.

    Raise `BuildError` if this TensorRT lacks one that the graph's own types do not replace;
    another precision is never built instead.
    """
    import tensorrt

    for name, wanted in flags.items():
        flag = getattr(tensorrt.BuilderFlag, name, None)
        if flag is None and wanted and CARRIED.get(name) != graph_types:
            raise BuildError(
                f"TensorRT {tensorrt.__version__} cannot be allowed {name}",
                why=f"it has no BuilderFlag.{name}, and the graph's own types are {graph_types}",
                mend="ask for another --infer-precision, or leave out trt.mixed, or use a TensorRT "
                "that has this flag",
            )
        if flag is not None:
            (config.set_flag if wanted else config.clear_flag)(flag)
    names = [name for name in READ_BACK if hasattr(tensorrt.BuilderFlag, name)]
    return {name: bool(config.get_flag(getattr(tensorrt.BuilderFlag, name))) for name in names}


def load_plugins() -> None:
    """Register TensorRT's own plugins, which graphs and plans may name."""
    import tensorrt

    given(tensorrt.init_libnvinfer_plugins(logger(), ""), "init_libnvinfer_plugins")


def parser_errors(parser: Any) -> str:
    """Return everything an ONNX parser has to say, one error per line."""
    return "\n".join(_parser_error(parser.get_error(i)) for i in range(parser.num_errors))


@cache
def logger() -> Any:
    """Return the process's only logger, which keeps errors for `explained`.

    TensorRT keeps the first logger that it is given, for builders and runtimes alike, and ignores
    later ones.
    """
    import tensorrt

    class ErrorLogger(tensorrt.ILogger):  # type: ignore[misc]  # vendors' types are Any
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)  # the binding demands this spelling
            self.kept = (tensorrt.ILogger.ERROR, tensorrt.ILogger.INTERNAL_ERROR)

        def log(self, severity: Any, msg: str) -> None:
            if severity in self.kept:
                _errors.append(msg)

    return ErrorLogger()


@contextmanager
def explained(kind: type[InferError], what: str, *, mend: str) -> Iterator[None]:
    """Turn what fails inside into one error of ``kind``, with what TensorRT logged meanwhile."""
    try:
        _errors.clear()
        yield
    except InferError:
        raise
    except Exception as error:
        raise kind(what, why=reason(error), mend=mend) from error


def reason(error: Exception) -> str:
    """Return why ``error`` came about: TensorRT's own messages first."""
    return "\n".join([*_errors, f"{type(error).__name__}: {error}"])


def given(value: T | None, call: str) -> T:
    """Return what a ``call`` of TensorRT's returned; raise if it returned nothing or False."""
    if value is None or value is False:
        raise RuntimeError(f"{call} returned {value}")
    return value


def _parser_error(error: Any) -> str:
    place = [str(error.node())]
    if hasattr(error, "node_name"):  # 8.6 knows a node's number only
        place += [error.node_name(), error.node_operator()]
    return f"node {' '.join(place)}: {error.desc()}"


def _major(version: str) -> int:
    return int(version.partition(".")[0])
