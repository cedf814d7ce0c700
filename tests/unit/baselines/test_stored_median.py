"""Which stored p50 a budget may be over, and why others will not do."""

import pytest

from pytest_infer.baselines.entry import Entry, Measured, Published
from pytest_infer.baselines.folder import Baselines
from pytest_infer.baselines.json_file import write_json
from pytest_infer.baselines.store import update
from pytest_infer.baselines.stored_median import stored_median
from pytest_infer.case import Case
from pytest_infer.judges.budget import StoredMedian

CASE = Case("toy", "ort", "fp32", 1, "cpu")
HERE = {"kind": "cpu", "name": "Laptop CPU"}
COMMAND = (
    "pytest-infer run --update-baselines{} --engine=ort --infer-model=toy "
    "--infer-precision=fp32 --infer-batch=1"
)


@pytest.fixture
def mine(tmp_path):
    """Baselines of this device with the figures of one case."""

    def make(case=CASE, **figures):
        provenance = Measured(device="Laptop CPU", date="2026-01-02", command="pytest")
        update(tmp_path / "mine", HERE, {case: Entry(figures, provenance)})
        return Baselines(tmp_path / "mine")

    return make


def found(baselines, present=HERE, *, is_named=True, is_updating=False):
    """Return what is looked up for the case."""
    return stored_median(CASE, baselines, present, is_named=is_named, is_updating=is_updating)


def test_own_entry(mine):
    """The entry of the case itself, measured on this device, is the one."""
    assert found(mine(p50_ms=4.0)) == StoredMedian(4.0)


def test_run_that_stores(mine):
    """What this run replaces is not what it is judged by."""
    median = found(mine(p50_ms=4.0), is_updating=True)
    assert (median.p50_ms, median.code, median.is_demanded) == (None, "to-be-stored", False)


def test_no_baselines():
    """Without baselines of this device the command that stores them is reported."""
    median = found(None, is_named=False)
    assert median == StoredMedian(lack=f"nothing is stored: store it with {COMMAND.format('')}")


@pytest.mark.parametrize("is_named", [True, False])
def test_no_entry(mine, is_named):
    """An entry that is missing is demanded of baselines that a person named."""
    other = Case("toy", "eager", "fp32", 1, "cpu")
    for baselines in (mine(other, p50_ms=4.0), mine(throughput_per_s=9.0)):
        command = COMMAND.format(" --gpu-baseline=mine")
        lack = f"mine has no p50 of it: store it with {command}"
        assert found(baselines, is_named=is_named) == StoredMedian(lack=lack, is_demanded=is_named)


def test_other_device(mine):
    """What another device took is no past of this one."""
    median = found(mine(p50_ms=4.0), present={**HERE, "name": "Server CPU"})
    assert median == StoredMedian(lack="mine is another device's")


def test_published(tmp_path):
    """A published figure is a floor, and no engine's own past."""
    folder = tmp_path / "paper"
    folder.mkdir()
    write_json(folder / "device.json", {"schema": 1, "fingerprint": HERE, "holds": "published"})
    figures = {"p50_ms": 4.0}
    entry = {"figures": figures, "provenance": {"kind": "published", "source": "a paper"}}
    write_json(
        folder / "toy.json", {"schema": 1, "model": "toy", "entries": {"toy-eager-fp32-b1": entry}}
    )
    median = found(Baselines(folder))
    assert isinstance(Baselines(folder).find(CASE).entry.provenance, Published)
    assert median == StoredMedian(lack="paper holds published figures, not this engine's own")
