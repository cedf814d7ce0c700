"""Train the networks: ``python -m infer_digits FOLDER`` writes their files there."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import torch

from infer_digits.onnx_file import write_onnx
from infer_digits.quantized import quantized
from infer_digits.sparse import sparse
from infer_digits.training import trained

torch.use_deterministic_algorithms(True)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
module = trained()
torch.save(module.state_dict(), folder / "digits.pt")
torch.save(sparse(module).state_dict(), folder / "digits_sparse.pt")
write_onnx(quantized(module), folder / "digits_qat.onnx")
if find_spec("modelopt"):
    from infer_digits.with_modelopt import calibrated, quantized_for_tensorrt, write_calibrated

    write_calibrated(calibrated(module, is_unsigned=True), folder / "digits_modelopt.onnx")
    write_calibrated(calibrated(module, is_unsigned=False), folder / "digits_trt.onnx")
    write_calibrated(quantized_for_tensorrt(module), folder / "digits_qat_trt.onnx")
else:
    sys.stderr.write(
        "no digits_modelopt.onnx, digits_trt.onnx and digits_qat_trt.onnx: nvidia-modelopt is not "
        "installed (extra modelopt)\n"
    )
