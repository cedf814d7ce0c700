"""The engines that other packages bring."""

from importlib.metadata import EntryPoint

import pytest

from pytest_infer.engines import registry
from pytest_infer.errors import OptionError


def test_package_that_cannot_be_imported(monkeypatch):
    """It is named, with what it raised: no run begins without an engine that may be meant."""
    entry = EntryPoint("lost", "no_such_package.lost:ENGINE", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [entry])
    registry._installed.cache_clear()
    with pytest.raises(OptionError) as caught:
        registry.registered()
    assert str(caught.value) == (
        "cannot import the engine 'lost'\n"
        "  why:  a package brings it in no_such_package.lost:ENGINE: ModuleNotFoundError: No "
        "module named 'no_such_package'\n"
        "  mend: install a package again, or uninstall it"
    )
