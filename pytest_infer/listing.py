"""Say which engines can run here, which cannot, why, and the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer import engines

if TYPE_CHECKING:
    from rich.table import Table

    from pytest_infer.session import InferSession


def show_engines(session: InferSession) -> None:
    """Print a line per engine, then end the hosts that were asked."""
    from rich.console import Console

    try:
        Console().print(engines_table(session))
    finally:
        session.close()


def engines_table(session: InferSession) -> Table:
    """Return the table of engines: where they run, their precisions, or why not and the mend."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table("engine", "runs", "precisions, or what is missing", box=box.SIMPLE_HEAD)
    for name, engine in engines.registered().items():
        device, lack = session.device_of(name), session.missing(name)
        precisions = ", ".join(engine.precisions.get(device.partition(":")[0], ()))
        said = Text(f"{lack.why}\nmend: {lack.mend}" if lack else precisions)
        table.add_row(name, "no" if lack else f"on {device}", said)
    return table
