"""A compiled call that is never compiled again; programs are compiled in tests/contract."""

from __future__ import annotations

import pytest
import torch
from torch._dynamo import eval_frame

from pytest_infer.engines.adapters.compile.program import _fill_caches, _loaded, _never_again
from pytest_infer.errors import RunError


@pytest.fixture
def compiled():
    """A call that Dynamo has compiled for two rows."""

    def doubled(image):
        return image * 2

    call = torch.compile(doubled, fullgraph=True, dynamic=False, backend="eager")
    call(torch.zeros(2, 3))
    yield call
    torch.compiler.reset()


def test_call_that_would_be_compiled_anew(compiled):
    """Another shape is an error with Dynamo's reason, and neither compiled nor run eagerly."""
    fixed = _never_again(compiled, "toy")
    assert fixed(torch.ones(2, 3)).tolist() == [[2.0] * 3] * 2
    with pytest.raises(RunError) as caught:
        fixed(torch.ones(4, 3))
    assert caught.value.what == "toy would be compiled again"
    assert "size mismatch at index 0. expected 2, actual 4" in caught.value.why


def test_other_calls_of_the_process(compiled):
    """The stance ends with each call, and with one that failed: others may be compiled."""
    fixed = _never_again(compiled, "toy")
    fixed(torch.ones(2, 3))
    with pytest.raises(RunError):
        fixed(torch.ones(4, 3))
    assert eval_frame._stance.stance == "default"
    assert compiled(torch.ones(5, 3)).shape == (5, 3)


def test_error_of_the_call_itself():
    """What a kernel raises is not taken for a compilation."""

    def failing(_):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        _never_again(failing, "toy")(torch.zeros(1))


def test_caches_that_cannot_be_read(tmp_path):
    """Bytes that torch cannot read are an error, no reason to compile in silence."""
    path = tmp_path / "caches.bin"
    path.write_bytes(b"no caches")
    with pytest.raises(ValueError, match=r"torch cannot read the caches in caches\.bin"):
        _fill_caches(path)


def test_program_for_another_device(tmp_path):
    """Weights come to the device on which the program is opened."""
    path = tmp_path / "program.pt2"
    module = torch.nn.Linear(2, 2)
    torch.export.save(torch.export.export(module, (torch.zeros(1, 2),), strict=True), path)
    for device in ("cpu", "meta"):
        weights = _loaded(path, device).state_dict.values()
        assert {value.device.type for value in weights} == {device}
