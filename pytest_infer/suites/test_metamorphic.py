"""Every engine agrees with itself: other batches, orders, calls, builds and runners beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_infer import Consistency, Enforce, Variants


@pytest.mark.infer(batched=True)
def test_equal_rows(variants: Variants, consistency: Consistency, enforce: Enforce) -> None:
    """Equal rows of a batch give equal outputs, within the noise floor."""
    enforce(consistency.equal_rows(variants.equal_rows()))


@pytest.mark.infer(batched=True)
def test_permuted_batch(variants: Variants, consistency: Consistency, enforce: Enforce) -> None:
    """A reversed batch gives reversed outputs, within the noise floor."""
    enforce(consistency.permuted(variants.reversed_rows(), variants.outputs))


@pytest.mark.infer(batched=True)
def test_batch_or_single_rows(
    variants: Variants, consistency: Consistency, enforce: Enforce
) -> None:
    """A batch gives what its rows give one by one, within the noise floor."""
    enforce(consistency.split(variants.outputs, variants.single_rows()))


def test_repeated(variants: Variants, consistency: Consistency, enforce: Enforce) -> None:
    """A second call gives the first one's outputs, to the last bit."""
    enforce(consistency.repeated(variants.engine(variants.feeds), variants.outputs))


@pytest.mark.infer(once=True)
def test_reopened(variants: Variants, consistency: Consistency, enforce: Enforce) -> None:
    """The same files, loaded in another process, give the same outputs, to the last bit."""
    enforce(consistency.reopened(variants.reopened(), variants.outputs))


@pytest.mark.infer(once=True)
def test_rebuilt(variants: Variants, consistency: Consistency, enforce: Enforce) -> None:
    """An engine built again gives the same outputs, within the noise floor."""
    enforce(consistency.rebuilt(variants.rebuilt(), variants.outputs))


@pytest.mark.infer(batched=True)
def test_interleaved_shapes(variants: Variants, consistency: Consistency, enforce: Enforce) -> None:
    """A call with another batch in between changes nothing, to the last bit."""
    before = variants.outputs
    enforce(consistency.interleaved(variants.after_another_shape(), before))


def test_concurrent_runners(variants: Variants, consistency: Consistency, enforce: Enforce) -> None:
    """Two runners at the same time give what each gives alone, to the last bit."""
    first, second = variants.concurrent()
    alone = variants.outputs
    enforce(consistency.concurrent(first, alone), consistency.concurrent(second, alone))
