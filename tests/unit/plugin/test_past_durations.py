"""How long things took is remembered in pytest's cache."""

from types import SimpleNamespace

import pytest

from pytest_infer.plugin.past_durations import MOST, read_durations, write_durations


class Cache(dict):
    """As pytest's."""

    def set(self, key, value):
        """Keep a value."""
        self[key] = value


@pytest.fixture
def config():
    """One with a cache."""
    return SimpleNamespace(cache=Cache())


def test_what_was_written_is_read(config):
    """What is measured again takes the place of what was."""
    write_durations(config, {"build a": 12.34, "build b": 3.0})
    write_durations(config, {"build a": 9.0})
    assert read_durations(config) == {"build a": 9.0, "build b": 3.0}


def test_the_oldest_are_forgotten(config):
    """The file does not grow without end."""
    write_durations(config, {f"build {n}": 2.0 for n in range(MOST)})
    write_durations(config, {"build new": 2.0})
    found = read_durations(config)
    assert len(found) == MOST
    assert "build 0" not in found
    assert "build new" in found


@pytest.mark.parametrize("damaged", [[], "x", {"build a": "long"}])
def test_a_damaged_cache_remembers_nothing(config, damaged):
    """It may be anybody's file."""
    config.cache["infer/durations_s"] = damaged
    assert read_durations(config) == {}


def test_without_a_cache():
    """``-p no:cacheprovider`` leaves none."""
    nothing = SimpleNamespace()
    write_durations(nothing, {"build a": 2.0})
    assert read_durations(nothing) == {}
