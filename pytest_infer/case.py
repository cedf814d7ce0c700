"""A case: one test's model, engine, precision, batch size, device and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Precision: TypeAlias = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "int8"]

PRECISIONS: tuple[Precision, ...] = ("fp64", "fp32", "tf32", "bf16", "fp16", "int8")

OptionValue: TypeAlias = bool | int | str
"""What a setting of an engine may be."""


@dataclass(frozen=True)
class Case:
    """One test's model, engine, precision, batch size, device, and settings of the engine."""

    model: str
    engine: str
    precision: Precision
    batch: int
    device: str
    options: tuple[tuple[str, OptionValue], ...] = ()
    """The engine's settings that differ from their defaults, sorted by name."""
    variant: str = ""
    """The test's other parameters, as its id has them, where it is judged; else empty."""

    @property
    def id(self) -> str:
        """Return the test id, which is the baseline's key too."""
        settings = settings_text(dict(self.options))
        name = f"{self.model}-{self.engine}-{self.precision}-b{self.batch}{settings}"
        return name + variant_text(self.variant)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return {
            "model": self.model,
            "engine": self.engine,
            "precision": self.precision,
            "batch": self.batch,
            "device": self.device,
            "options": dict(self.options),
            **({"variant": self.variant} if self.variant else {}),
        }


def case_from_dict(fields: Mapping[str, Any]) -> Case:
    """Return the case of which `Case.as_dict` made ``fields``."""
    options = tuple(sorted(fields.get("options", {}).items()))
    return Case(**{**fields, "options": options})


def settings_text(settings: Mapping[str, OptionValue]) -> str:
    """Return settings as ids and tables show them: ``+cuda_graph+threads=2``."""
    return "".join(f"+{_setting(name, value)}" for name, value in settings.items())


def variant_text(variant: str) -> str:
    """Return a test's own parameters as ids and tables show them: ``[224-True]``."""
    return f"[{variant}]" if variant else ""


def _setting(name: str, value: OptionValue) -> str:
    return name if value is True else f"{name}={str(value).lower()}"
