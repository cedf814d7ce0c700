"""The settings of TensorRT, by what ``--infer-option=trt.NAME=VALUE`` calls them."""

from __future__ import annotations

from pytest_infer.engines.adapters.trt import calibrator
from pytest_infer.engines.cuda_graph import CUDA_GRAPH, OPTION
from pytest_infer.engines.setting import EngineOption

FRESH = "fresh"
OPTIONS = {
    "sparse": EngineOption(
        default=False, help="prune weights to 2:4 and allow the kernels for sparse tensor cores"
    ),
    "mixed": EngineOption(
        default=False, help="in int8: allow fp16 where nothing is quantized (8.6 and 10)"
    ),
    "optimization_level": EngineOption(
        default="3",
        help="how long to look for fast kernels: 0 builds soonest, 5 searches longest",
        choices=("0", "1", "2", "3", "4", "5"),
    ),
    "workspace_mib": EngineOption(
        default=4096,  # fits beside a network on an 8 GB GPU
        help="the most scratch memory that a kernel may ask for, in MiB",
        least=1,
    ),
    "timing_cache": EngineOption(
        default="baseline",
        help="how builds choose kernels: baseline starts from the timings that are kept beside the "
        "baselines and in the cache, fresh times every kernel again",
        choices=("baseline", FRESH),
    ),
    calibrator.NAME: calibrator.OPTION,
    OPTION: CUDA_GRAPH,
    "dynamic_batch": EngineOption(
        default=False, help="build for every size in the model's bounds instead of the case's alone"
    ),
    "unsafe_opset": EngineOption(
        default=0,
        help="build from this ONNX opset even if TensorRT is known to read it wrong; for tests of "
        "that fault",
    ),
}
