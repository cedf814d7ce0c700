"""Specifications of hosts: what execnet takes and this package cannot use is refused."""

import pytest

from pytest_infer.errors import OptionError
from pytest_infer.hosts.host_spec import check_spec


@pytest.mark.parametrize(
    "spec",
    [
        "inline",
        "popen",
        "popen//python=/opt/a b/bin/python -X dev",
        "popen//env:A=//env:B=x=y//chdir=/tmp//nice=-20//dont_write_bytecode",
        "popen//execmodel=thread",
        "ssh=me@jetson -p 2222 -i ~/.ssh/ci//python=python3//ssh_config=/etc/x",
        "socket=localhost:8888",
        "vagrant_ssh=default",
    ],
)
def test_taken(spec):
    """All ways, and everything that is set beside one."""
    check_spec("--infer-host=ort", spec)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("python=x", "it names 0 ways instead of one of popen, ssh, socket, vagrant_ssh"),
        ("popen//ssh=x", "it names 2 ways instead of one of popen, ssh, socket, vagrant_ssh"),
        ("popen//popen", "it names a part twice"),
        ("popen//execmodel=eventlet", "execmodel is eventlet, and hosts run as one of "),
        ("popen//nice=low", "nice is low, not a whole number from -20 to 19"),
        ("popen//python=", "python names nothing"),
        ("ssh", "ssh names nothing"),
        ("socket=localhost", "socket is localhost, not HOST:PORT with a port from 1 to 65535"),
        ("socket=a:65536", "socket is a:65536, not HOST:PORT with a port from 1 to 65535"),
        ("popen//env:=x", "env: has no name"),
        ("popen//env:A=\0", "it holds a null byte or half of a character"),
        ("popen//env:A=\ud800", "it holds a null byte or half of a character"),
        ("popen//env:A=" + "x" * 9000, "it has 9013 characters, and 8192 are allowed"),
    ],
)
def test_refused(spec, why):
    """The reason is named, and what would do."""
    with pytest.raises(OptionError) as caught:
        check_spec("--infer-host=ort", spec)
    assert caught.value.what.startswith("--infer-host=ort=")
    assert caught.value.why.startswith(why)
    assert caught.value.mend.startswith("for example popen//python=")


@pytest.mark.parametrize("name", ["via", "installvia", "pyhton", "_x", ""])
def test_unknown_part(name):
    """Execnet passes over what it does not know; here it is an error."""
    with pytest.raises(OptionError, match="unknown part of an execnet specification"):
        check_spec("--infer-host=ort", f"popen//{name}=x")
