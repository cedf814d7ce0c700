"""Say which engines can run here, which cannot, why, and the mend; and how each can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.plain_text import encodable, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from pytest_infer.engines.protocol import Engine
    from pytest_infer.engines.setting import EngineOption
    from pytest_infer.session.availability import Availability
    from pytest_infer.session.session import InferSession

ENVIRONMENTS = (
    "Libraries that exclude each other each get a separate environment, which\n"
    "--infer-host=ENGINE=popen//python=PATH names: onnxruntime and onnxruntime-gpu own the same\n"
    "files; onnxruntime-gpu links TensorRT 10, torch-tensorrt 2.13 and later TensorRT 11, and a\n"
    "GTX 1070 or a Jetson has TensorRT 8.6 with Python 3.10."
)


def show_engines(session: InferSession) -> None:
    """Print a row per engine, then end the hosts that were asked."""
    from rich.console import Console

    console = Console()
    try:
        console.print(engines_table(session))
        console.print(ENVIRONMENTS, highlight=False, soft_wrap=True)
    finally:
        session.close()


def engines_table(session: InferSession) -> Table:
    """Return the table of engines: precisions and settings, or what is missing and the mend."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table("engine", "runs", "precisions and settings, or what is missing", box=box.SIMPLE)
    asked = session.availability
    for name, engine in engines.registered().items():
        device, lack = asked.device_of(name), asked.missing(name)
        said = f"{lack.why}\nmend: {lack.mend}" if lack else "\n".join(_able(asked, engine))
        table.add_row(name, "no" if lack else f"on {device}", Text(encodable(plain_text(said))))
    return table


def _able(asked: Availability, engine: Engine) -> Iterable[str]:
    """Return the precisions, those that are missing here, and the settings with their defaults."""
    kind = Device.named(asked.device_of(engine.name)).kind
    precisions = engine.precisions.get(kind, ())
    lacks = {each: asked.lack(engine.name, each) for each in precisions}
    yield ", ".join(each for each in precisions if not lacks[each])
    for precision, lack in lacks.items():
        if lack:
            yield f"not {precision}: {lack.why}; mend: {lack.mend}"
    for name, option in engine.options.items():
        yield _setting(f"{engine.name}.{name}", option)


def _setting(name: str, option: EngineOption) -> str:
    valid = "|".join(option.choices) or ("true|false" if isinstance(option.default, bool) else "")
    default = str(option.default).lower() if isinstance(option.default, bool) else option.default
    return f"--infer-option={name}={valid or 'N'} ({default}): {option.help}"
