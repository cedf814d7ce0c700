"""The wheel has all that the suites need: it runs where there is no clone."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run([*pip, "--wheel-dir", str(folder), str(ROOT)], check=True)  # noqa: S603 - ours
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel, tmp_path_factory):
    """The programs of an environment that has the wheel, and this one's other packages."""
    home = tmp_path_factory.mktemp("home")
    venv.create(home, symlinks=True)
    own = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    # A path in a .pth file is searched for packages; the .pth file of an editable install is not.
    Path(own["purelib"], "others.pth").write_text(sysconfig.get_path("purelib"))
    pip = (sys.executable, "-m", "pip", f"--python={home / 'bin/python'}", "install", "--quiet")
    options = ("--no-deps", "--no-index", "--ignore-installed")
    subprocess.run([*pip, *options, str(wheel)], check=True)  # noqa: S603 - our own wheel
    return home / "bin"


@pytest.fixture
def call(scripts, tmp_path, monkeypatch):
    """Run a program of that environment in an empty folder; return its output."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        monkeypatch.delenv(name)

    def run(*arguments, code=0):
        done = subprocess.run(  # noqa: S603 - our own programs
            [scripts / arguments[0], *arguments[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


def test_contents(wheel):
    """Suites, shipped baselines and the mark of types are in it; tests and the link are not."""
    names = ZipFile(wheel).namelist()
    assert {"pytest_infer/py.typed", "pytest_infer/suites/test_parity.py"} <= set(names)
    assert "pytest_infer/baselines/shipped/h200/device.json" in names
    check = (sys.executable, ROOT / "tools" / "check_release.py", wheel)
    assert subprocess.run(check, check=False).returncode == 0  # noqa: S603 - our own
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"pytest_infer"}


def test_it_is_the_wheel_that_runs(call):
    """No module comes from the clone."""
    found = call("python", "-c", "import pytest_infer; print(pytest_infer.__file__)")
    assert ROOT not in Path(found.strip()).parents
    assert "site-packages" in found


ASKED = ("--infer-model=toy", "--engine=ort", "--infer-device=cpu", "-q", "-p", "no:cacheprovider")


def test_suites(call, cache, toy, tmp_path):
    """Both doors lead to the same tests, with the model of the folder's conftest.py."""
    (tmp_path / "conftest.py").write_text(toy)
    asked = (*ASKED, f"--infer-cache={cache}", "-k", "test_outputs or test_what_ran")
    text = call("python", "-m", "pytest", "--pyargs", "pytest_infer.suites", *asked)
    assert "2 passed" in text
    assert "2 passed" in call("pytest-infer", "run", *asked)
