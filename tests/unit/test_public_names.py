"""What suites import from the packages of engines and models, and when that is loaded."""

import importlib
import sys
from subprocess import run

import pytest


@pytest.mark.parametrize("package", ["pytest_infer.engines", "pytest_infer.models"])
def test_names(package):
    """Each name that a package says it has is there, and no other one."""
    module = importlib.import_module(package)
    assert all(callable(getattr(module, name)) for name in module.__all__)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


def test_packages_are_light():
    """Importing a package imports neither its registry nor numpy."""
    code = (
        "import sys, pytest_infer.engines, pytest_infer.models; "
        "print([name for name in sys.modules if name == 'numpy' or name.endswith('.registry')])"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"
