"""Which layers are worth leaving in fp32, by plain numbers."""

import pytest

from pytest_infer.judges.layer_losses import LayerLoss, int8_loss, most_left_out

LAYERS = [LayerLoss(f"n{number}", "Conv", f"t{number}", loss) for number, loss in
          enumerate([0.01, 0.08, 0.02, 0.05])]  # fmt: skip


@pytest.mark.parametrize(
    ("without", "leave_out"),
    [
        ([0.05, 0.04, 0.04], ["n1"]),  # the first saves 5 of the 6 that can be saved
        ([0.08, 0.04, 0.03], ["n1", "n3"]),
        ([0.08, 0.07, 0.02], ["n1", "n3", "n2"]),
        ([0.095, 0.092], []),  # nothing that is worth it
        ([0.12, 0.11], []),
        ([], []),
    ],
)
def test_the_fewest_that_save_nearly_all(without, leave_out):
    """More layers are left out only while each of them still saves something."""
    found = int8_loss(0.1, LAYERS, without)
    assert list(found.leave_out) == leave_out
    assert [each.node for each in found.layers] == ["n1", "n3", "n2", "n0"]
    assert found.count == 4


@pytest.mark.parametrize(("count", "most"), [(1, 1), (9, 1), (63, 6)])
def test_most_left_out(count, most):
    """A tenth may be left out: the rest is what int8 was asked for."""
    assert most_left_out(count) == most
