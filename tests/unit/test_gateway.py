"""What ssh is told besides what the user tells it."""

import pytest

from pytest_infer.hosts.gateway import SSH_OPTIONS, _spec_with_limits


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("popen//python=/opt/ssh=x", "popen//python=/opt/ssh=x"),
        ("ssh=jetson", f"ssh=jetson {SSH_OPTIONS}"),
        (
            "ssh=me@jetson -p 2222 -o ConnectTimeout=5//python=python3",
            f"ssh=me@jetson -p 2222 -o ConnectTimeout=5 {SSH_OPTIONS}//python=python3",
        ),
    ],
)
def test_options_come_last(spec, expected):
    """Ours come after the user's, of which ssh takes the first, and only for ssh."""
    assert _spec_with_limits(spec) == expected
