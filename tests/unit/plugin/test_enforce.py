"""What may be enforced."""

import pytest

from pytest_infer import CaseError
from pytest_infer.plugin.enforce import Enforce


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "enforce() has nothing to enforce\n  why:  it got no verdict"),
        ((["verdict"],), "enforce() takes verdicts\n  why:  it got list"),
        ((None,), "enforce() takes verdicts\n  why:  it got NoneType"),
    ],
)
def test_no_verdicts(given, told):
    """A check that was forgotten is no pass."""
    enforce = Enforce(item=None, case=None, origin=dict, strict=False)
    with pytest.raises(CaseError) as caught:
        enforce(*given)
    assert str(caught.value).startswith(told)
