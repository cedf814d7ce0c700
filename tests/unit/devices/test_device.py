"""What the name of a device says."""

import pytest

from pytest_infer.devices.device import Device


@pytest.mark.parametrize(
    ("name", "kind", "index", "shown"),
    [
        ("cpu", "cpu", 0, "cpu"),
        ("cpu:0", "cpu", 0, "cpu"),
        ("cuda", "cuda", 0, "cuda:0"),
        ("cuda:0", "cuda", 0, "cuda:0"),
        ("cuda:11", "cuda", 11, "cuda:11"),
    ],
)
def test_name(name, kind, index, shown):
    """It is read once, and written as torch writes it."""
    device = Device.named(name)
    assert (device.kind, device.index, str(device)) == (kind, index, shown)
    assert device.is_gpu is (kind == "cuda")
