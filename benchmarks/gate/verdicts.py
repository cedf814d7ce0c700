"""Several verdicts of the gate on one built engine, each with fresh processes.

    VERDICTS=4 pytest benchmarks/gate/verdicts.py --engine=trt --infer-precision=fp16 \
        --infer-option=trt.cuda_graph=true --infer-model=resnet50 --gpu-baseline=h200 \
        --infer-report=json:verdicts.json

In a fresh cache the engine is built again. ``rebuilt.py`` makes the table of such reports.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_infer import Arrays, BaselineJudge, Enforce, EngineUnderTest, GpuTimer


def test_gate(
    engine: EngineUnderTest,
    feeds: Arrays,
    gpu_timer: GpuTimer,
    baseline: BaselineJudge,
    enforce: Enforce,
) -> None:
    """Each verdict passes; what fails is told after all of them are there."""
    samples = gpu_timer(engine, feeds)
    wanted = int(os.environ.get("VERDICTS", "4"))
    enforce(*(baseline(engine, feeds, samples) for _ in range(wanted)))
