"""What differs between TensorRT 8.6, 10 and 11, and how each of them says what went wrong."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_infer.errors import BuildError, InferError
from pytest_infer.fingerprint import runtime_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_infer.spec import Precision

T = TypeVar("T")

DISTRIBUTIONS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-cu11")
"""Those that bring the module ``tensorrt``."""

FLAGS: Mapping[Precision, Mapping[str, bool]] = {
    "fp32": {"TF32": False},  # TensorRT sets it by default
    "tf32": {"TF32": True},
    "fp16": {"FP16": True},
}
"""The builder flags of each precision, by the value that they must have."""

_errors: list[str] = []
"""What TensorRT has logged as errors since the last stage began."""

_OPSET_OF_8 = 17
_MAJOR_AFTER_8 = 10  # there is no TensorRT 9 for GPUs in general


def installed_version() -> str | None:
    """Return TensorRT's version from its metadata, without importing it."""
    found = runtime_fingerprint(DISTRIBUTIONS)
    return next((found[name] for name in DISTRIBUTIONS if name in found), None)


def newest_opset(tensorrt_version: str) -> int | None:
    """Return the newest opset that a version reads correctly, if it is below the usual one.

    The parser of 8.6 accepts opset 18, whose reductions have their axes as an input, and reduces
    over all axes without a word.
    """
    major = int(tensorrt_version.partition(".")[0])
    return _OPSET_OF_8 if major < _MAJOR_AFTER_8 else None


def network_flags() -> int:
    """Return the flags of a network with an explicit batch, which later versions always have."""
    import tensorrt

    explicit = getattr(tensorrt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    return 0 if explicit is None else 1 << int(explicit)


def set_precision(config: Any, precision: Precision) -> dict[str, bool]:
    """Set the builder flags of ``precision``; return those that there are, read back.

    Raise `BuildError` if this TensorRT lacks one; another precision is never built instead.
    """
    import tensorrt

    for name, wanted in FLAGS[precision].items():
        flag = getattr(tensorrt.BuilderFlag, name, None)
        if flag is None and wanted:
            raise BuildError(
                f"cannot build {precision} with TensorRT {tensorrt.__version__}",
                why=f"it has no BuilderFlag.{name}: its networks are strongly typed, and the "
                "graph's types are those of the fp32 model",
                mend="ask for --infer-precision=fp32, or use TensorRT 8.6 or 10",
            )
        if flag is not None:
            (config.set_flag if wanted else config.clear_flag)(flag)
    names = [name for name in ("TF32", "FP16") if hasattr(tensorrt.BuilderFlag, name)]
    return {name: bool(config.get_flag(getattr(tensorrt.BuilderFlag, name))) for name in names}


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
