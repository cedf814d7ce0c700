"""DETR with its outputs as a plain tuple, as tracers and exporters want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import DetrForObjectDetection


class Detr(nn.Module):
    """Hugging Face's DETR: photographs in; class logits and boxes of the queries out."""

    def __init__(self, network: DetrForObjectDetection) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, 100, 92) and boxes (batch, 100, 4): centre, width and height.

        Boxes are parts of the input's size; the last class is "no object".
        """
        found = self.network(pixel_values, return_dict=True)
        return found.logits, found.pred_boxes
