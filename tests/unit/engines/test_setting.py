"""The texts of engines' settings are read by the type of their defaults."""

import pytest

from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import BuildRequest
from pytest_infer.engines.requests import with_threads
from pytest_infer.engines.setting import EngineOption, read_options
from pytest_infer.errors import OptionError

OPTIONS = {
    "threads": EngineOption(0, "threads"),
    "level": EngineOption(3, "level", least=1),
    "graph": EngineOption(False, "replay a graph"),
    "mode": EngineOption("default", "mode", choices=("default", "max")),
    "name": EngineOption("x", "any text"),
}


def test_what_differs_from_the_default():
    """Values have their types, defaults are left out, names are sorted."""
    texts = {"threads": "4", "level": "3", "graph": "true", "mode": "max", "name": "sm_90.1"}
    assert list(read_options(OPTIONS, "e", texts).items()) == [
        ("graph", True),
        ("mode", "max"),
        ("name", "sm_90.1"),
        ("threads", 4),
    ]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("threads", "-1", "it takes whole numbers from 0 to 2147483647: "),
        ("level", "0", "it takes whole numbers from 1 to 2147483647: "),
        ("graph", "on", "there is no such value of e.graph"),
        ("mode", "min", "there is no such value of e.mode"),
        ("name", "a b", "it becomes a part of test ids and file names"),
        ("modes", "max", "there is no such option of e"),
    ],
)
def test_refused(name, text, why):
    """What is not valid is reported with what is."""
    with pytest.raises(OptionError) as caught:
        read_options(OPTIONS, "e", {name: text})
    assert caught.value.why.startswith(why) or caught.value.what.startswith("unknown")


def test_threads_are_set_where_they_are_counted():
    """Every setting that counts threads gets the number, and no other setting changes."""
    options = {**OPTIONS, "threads": EngineOption(0, "threads", counts_threads=True)}
    request = BuildRequest("fp32", "cpu", {"image": (1, 3)}, {"threads": 0, "level": 3})
    changed = with_threads(request, options, 2)
    assert changed.options == {"threads": 2, "level": 3}
    assert (changed.precision, changed.device, changed.shapes) == ("fp32", "cpu", {"image": (1, 3)})
    assert with_threads(request, OPTIONS, 2) == request


@pytest.mark.parametrize(
    ("engine", "counting"),
    [("ort", ["intra_op_threads"]), ("openvino", ["threads"]), ("eager", []), ("compile", [])],
)
def test_settings_that_count_threads(engine, counting):
    """The threads of one inference are counted, not how many operators run at a time."""
    options = engines.find(engine).options
    assert [name for name, option in options.items() if option.counts_threads] == counting
    assert not any(options[name].affects_build for name in counting)
