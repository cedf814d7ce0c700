"""The kinds of sources from which models come, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infer.models.sources import (
    function,
    hf_id,
    onnx_file,
    program_file,
    scripted_file,
    timm_name,
    torchvision_name,
)

if TYPE_CHECKING:
    from pytest_infer.models.source_kind import SourceKind

KINDS: tuple[SourceKind, ...] = (
    hf_id.KIND,
    timm_name.KIND,
    torchvision_name.KIND,
    onnx_file.KIND,
    scripted_file.KIND,
    program_file.KIND,
    function.KIND,
)
"""In order: the first that matches a text is its kind."""
