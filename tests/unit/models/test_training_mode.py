"""What was traced or exported in training mode is refused; a module that has a mode is not."""

import pytest

from pytest_infer.errors import ModelError
from pytest_infer.models.training_mode import refuse_training

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.filterwarnings("ignore")  # torch deprecates TorchScript
ROWS = torch.ones(4, 3)


def net(*, tracks=True):
    """Return dropout and a batch norm."""
    norm = nn.BatchNorm1d(3, track_running_stats=tracks)
    return nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), norm)


def traced(module):
    """Trace a module as it is."""
    return torch.jit.trace(module, ROWS, check_trace=False)


def exported(module):
    """Export a module as it is."""
    return torch.export.export(module, (ROWS,)).module()


def decomposed(module):
    """Export a module in fewer operators."""
    return torch.export.export(module, (ROWS,)).run_decompositions().module()


@pytest.mark.parametrize("make", [traced, exported, decomposed])
def test_training_is_refused(make):
    """The operators are named, with the mend."""
    with pytest.raises(ModelError) as caught:
        refuse_training(make(net().train()), "net")
    assert caught.value.what == "cannot use net: it was traced or exported in training mode"
    assert "dropout, " in caught.value.why
    assert "batch_norm" in caught.value.why
    assert caught.value.mend == "call module.eval(), and then trace or export it again"


@pytest.mark.parametrize("make", [traced, exported, decomposed])
def test_eval_mode_is_not(make):
    """Neither is a batch norm without statistics, which has one way to compute."""
    refuse_training(make(net().eval()), "net")
    refuse_training(make(net(tracks=False).eval()), "net")


def test_what_has_a_mode_is_not():
    """Scripted modules and others obey eval()."""
    refuse_training(net().train(), "net")
    refuse_training(torch.jit.script(net().train()), "net")
