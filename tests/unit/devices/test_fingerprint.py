"""What identifies a device, and the folder name made of it."""

import os
import platform
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_infer.devices import fingerprint
from pytest_infer.devices.fingerprint import device_fingerprint, device_slug, runtime_fingerprint


@pytest.mark.parametrize(
    ("kind", "name", "slug"),
    [
        ("cuda", "NVIDIA H200", "h200"),
        ("cuda", "NVIDIA GeForce GTX 1070", "gtx-1070"),
        ("cuda", "Tesla T4", "t4"),
        ("cuda", "NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("cpu", "Intel(R) Xeon(R) Processor @ 2.70GHz", "cpu-intel-xeon-2.70ghz-2c"),
        ("cpu", "AMD EPYC 7763 64-Core Processor", "cpu-amd-epyc-7763-64-core-2c"),
        ("cpu", "aarch64", "cpu-aarch64-2c"),
        ("cpu", "Virtual CPU", "cpu-unknown-2c"),
        ("cpu", "", "cpu-unknown-2c"),
        ("cpu", "../../etc", "cpu-etc-2c"),
        ("cuda", ".hidden", "hidden"),
    ],
)
def test_slug(kind, name, slug):
    """A device's name becomes a folder's: short, lower case, without what all names have."""
    assert device_slug({"kind": kind, "name": name, "cores": 2}) == slug


@given(st.sampled_from(["cuda", "cpu"]), st.text())
def test_slug_is_always_a_folder_name(kind, name):
    """Whatever a device is called, its baselines can be stored and found again."""
    slug = device_slug({"kind": kind, "name": name, "cores": 2})
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", slug)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 7763\nflags\t: fpu\n", "AMD EPYC 7763"),
        ("model name : Cortex-A72  \n", "Cortex-A72"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n", "the platform's"),
        ("model name\t:\nstepping\t: 7\n", "the platform's"),
        ("model name\t: \nstepping\t: 7\n", "the platform's"),
        ("", "the platform's"),
    ],
)
def test_name_of_a_cpu(monkeypatch, text, name):
    """Linux names the CPU in /proc/cpuinfo; where it does not, Python's word is taken."""
    monkeypatch.setattr(fingerprint, "_text", lambda _: text)
    monkeypatch.setattr(platform, "processor", lambda: "the platform's")
    found = device_fingerprint("cpu")
    assert (found["kind"], found["name"]) == ("cpu", name)
    assert found["cores"] == len(os.sched_getaffinity(0))


def test_instructions_of_a_cpu(monkeypatch):
    """CPUs of one name and other instructions differ: what is compiled for one may need them."""
    texts = [f"model name : AMD EPYC\nflags\t: {flags}\n" for flags in ("avx2", "avx2 avx512f")]
    found = []
    for text in (*texts, texts[0], "model name : AMD EPYC\n"):
        monkeypatch.setattr(fingerprint, "_text", lambda _, text=text: text)
        found.append(device_fingerprint("cpu")["instructions"])
    assert found[0] == found[2]
    assert len({found[0], found[1]}) == 2
    assert found[3] == "unknown"


def test_unreadable_proc():
    """A system without /proc has no text there, and no error."""
    assert fingerprint._text("/no/such/file") == ""


def test_runtime_names_what_is_installed():
    """Versions of absent distributions are left out; Python's is always there."""
    found = runtime_fingerprint(("numpy", "no-such-distribution"))
    assert set(found) == {"python", "numpy"}
    assert found["python"] == platform.python_version()


def test_machine():
    """A machine is told from others by its name and by when it booted."""
    name, _, boot = fingerprint.machine().rpartition("-")
    assert name == platform.node()
    assert re.fullmatch("[0-9a-f]{8}", boot)
    assert fingerprint.machine() == fingerprint.machine()
