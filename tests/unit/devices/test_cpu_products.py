"""How many bits int8 weights have: by what /proc/cpuinfo says."""

import numpy as np
import pytest

from pytest_infer.devices.cpu_products import weight_bits


@pytest.mark.parametrize(
    ("content", "bits"),
    [
        ("model name: AMD EPYC\nflags\t\t: fpu avx avx2\n", 7),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", 8),
        ("flags : avx2 avx_vnni avx_ne_convert\n", 8),
        ("Features\t: fp asimd asimddp\n", 8),
        ("", 8),
    ],
)
def test_bits(tmp_path, content, bits):
    """x86 says flags, ARM says Features."""
    path = tmp_path / "cpuinfo"
    path.write_text(content)
    assert weight_bits(path) == bits


def test_unreadable(tmp_path):
    """Where nothing is known, nothing is narrowed."""
    assert weight_bits(tmp_path / "none") == 8


@pytest.mark.parametrize(("bits", "fits"), [(8, False), (7, True)])
def test_sum_of_two_products(bits, fits):
    """The largest sum that the instruction forms fits into int16 with 7 bits only."""
    largest = 2 * 255 * (64 if bits == 7 else 127)
    assert (largest <= np.iinfo(np.int16).max) is fits
