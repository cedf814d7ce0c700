"""One engine for every shape of a model is right on all of them: searched by hypothesis.

    pytest suites -m fuzz --infer-fuzz-examples=200

Without ``-m fuzz`` these tests are counted and reported, and do not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer import Enforce, Fuzz

pytestmark = pytest.mark.fuzz


def test_every_shape(fuzz: Fuzz, enforce: Enforce) -> None:
    """Sizes, values and layouts within the profile give eager's outputs."""
    enforce(fuzz.shapes())


def test_sequences(fuzz: Fuzz, enforce: Enforce) -> None:
    """No call, of this runner or another, changes what the next one gives."""
    enforce(fuzz.sequences())


def test_wrong_feeds(fuzz: Fuzz, enforce: Enforce) -> None:
    """What the engine was not built for is refused before it computes."""
    enforce(fuzz.refusals())
