"""The texts of engines' settings are read by the type of their defaults."""

import pytest

from pytest_infer.engine_option import EngineOption, read_options
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
        ("threads", "-1", "it takes whole numbers from 0 up"),
        ("level", "0", "it takes whole numbers from 1 up"),
        ("graph", "on", "there is no such value of e.graph"),
        ("mode", "min", "there is no such value of e.mode"),
        ("name", "a b", "it becomes a part of test ids and file names"),
        ("modes", "max", "there is no such option of e"),
    ],
)
def test_refused(name, text, why):
    """What is not valid is told with what is."""
    with pytest.raises(OptionError) as caught:
        read_options(OPTIONS, "e", {name: text})
    assert caught.value.why.startswith(why) or caught.value.what.startswith("unknown")
