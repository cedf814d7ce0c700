"""The command that measures a case and stores it, as messages and entries name it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer.baselines.folder import Baselines
    from pytest_infer.case import Case


def storing_command(case: Case, baselines: Baselines | None = None) -> str:
    """Return the command that measures ``case`` and stores it, with or without a clone."""
    name = f" --gpu-baseline={baselines.name}" if baselines else ""
    from pytest_infer.models import registry as models  # which needs numpy

    model = shlex.join(models.options_for(case.model))
    return (
        f"pytest-infer run --update-baselines{name} --engine={case.engine} "
        f"{model} --infer-precision={case.precision} --infer-batch={case.batch}"
        + "".join(
            f" --infer-option={case.engine}.{name}={str(value).lower()}"
            for name, value in case.options
        )
    )
