"""The registry of tasks: built in, and users' own."""

from pathlib import Path

import numpy as np
import pytest

from pytest_infer import model, task
from pytest_infer.errors import CaseError, ModelError, OptionError
from pytest_infer.judges.tasks import registry
from pytest_infer.models import registry as models
from pytest_infer.models import tasks
from pytest_infer.models.spec import TensorSpec
from tests.unit.judges.tasks.rows_of import rows_of

REFERENCE = np.arange(6.0).reshape(2, 3)
FILES = {path.stem for path in Path(registry.__file__).parent.glob("*.py")}


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    registry.registered()
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    monkeypatch.setattr(tasks, "_known", dict(tasks._known))
    monkeypatch.setattr(models, "_registry", dict(models._registry))


def declared(name, **keywords):
    """Return the spec of a model of a task."""

    @model(
        task=name,
        inputs={"x": TensorSpec(("batch", 3))},
        outputs={"y": TensorSpec(("batch", 3))},
        **keywords,
    )
    def toy(): ...

    return models.find("toy").spec


def test_every_task_has_a_judge_in_a_file_of_its_name():
    """All but ``tensor``, and none beside; what a declaration needs is said once for each."""
    known = dict(tasks._known)
    assert (
        set(registry.registered())
        == set(tasks.names()) - {"tensor"}
        == FILES
        - {
            "__init__",
            "registry",
        }
    )
    for name, found in registry.registered().items():
        assert found.source.module == f"pytest_infer.judges.tasks.{name}"
    assert known == tasks._known


def test_a_task_of_one_s_own():
    """A decorated function is a task that models may have, and judges its rows."""

    @task(needs_postprocess=True)
    def keypoints(rows):
        off = float(np.max(np.abs(rows.first.actual - rows.first.reference)))
        if off <= 1:
            return rows.passed("finds the points", {"off": off})
        why = f"{rows.rows[0]} is {off:g} off"
        return rows.failed("moved", "points moved", why=why, mend="look", figures={"off": off})

    assert "keypoints" in tasks.names()
    assert declared("keypoints", postprocess=lambda outputs: [outputs]).task == "keypoints"
    judge = registry.find("keypoints")
    assert judge(rows_of("keypoints", REFERENCE, REFERENCE)).message == "toy finds the points"
    verdict = judge(rows_of("keypoints", REFERENCE + 2, REFERENCE))
    assert (verdict.status, verdict.code, verdict.figures) == ("fail", "moved", {"off": 2})
    assert verdict.message == "toy: points moved\n  why:  row 0 is 2 off\n  mend: look"


def test_rows_and_what_the_postprocessing_makes_of_them():
    """Calls are joined in turn; each is postprocessed by itself, on all three sides."""
    rows = rows_of(
        "regression", {"y": REFERENCE, "z": -REFERENCE}, {"y": REFERENCE, "z": REFERENCE}
    )
    object.__setattr__(rows, "calls", list(rows.calls) * 2)
    assert rows.first.actual.shape == (4, 3)
    assert rows.output("z").actual[3, 1] == -4
    assert rows.rows == ["row 0", "row 1"] * 2
    object.__setattr__(rows, "postprocess", lambda outputs: list(outputs["z"]))
    assert [row.tolist() for row in rows.postprocessed.actual[:2]] == (-REFERENCE).tolist()
    assert [len(side) for side in rows.postprocessed] == [4, 4, 4]


def test_detection_without_a_postprocessing_is_refused_when_declared():
    """Nothing but it makes boxes of outputs; the message names both ways out."""
    with pytest.raises(ModelError) as caught:
        declared("detection")
    assert str(caught.value) == (
        "cannot use the model toy\n"
        "  why:  its task is 'detection', and it has no postprocess= that makes of its outputs "
        "what they mean\n"
        "  mend: pass postprocess= to the model's decorator (Yolo(...).postprocess reads one "
        "tensor of boxes and scores), or leave task= out to compare the outputs alone"
    )
    assert declared("detection", postprocess=lambda outputs: [outputs]).task == "detection"


def test_an_unknown_task_names_the_nearest():
    """All choices are listed."""
    with pytest.raises(ModelError) as caught:
        declared("segmentatoin")
    assert str(caught.value) == (
        "cannot use the model toy\n"
        "  why:  its task is 'segmentatoin'; known are classification, detection, embeddings, "
        "regression, segmentation, tensor, text_generation\n"
        "  mend: did you mean 'segmentation'?"
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tensor", "cannot call a task 'tensor'"),
        ("segmentation", "two tasks are called 'segmentation'"),
    ],
)
def test_names_that_are_taken_are_refused(name, what):
    """``tensor`` has no judge, and a built-in task keeps its own."""

    def judge(rows): ...

    judge.__name__ = name
    with pytest.raises(OptionError) as caught:
        task()(judge)
    assert caught.value.what == what


def test_a_judge_without_a_verdict_is_an_error():
    """A judge that forgets to return says nothing about an engine."""

    @task()
    def forgetful(rows): ...

    with pytest.raises(CaseError) as caught:
        forgetful(rows_of("forgetful", REFERENCE, REFERENCE))
    assert caught.value.why == "the judge of the task forgetful returned NoneType"


def test_users_tasks_are_sent_to_hosts():
    """Their files are named; those that come with the package are everywhere."""
    assert registry.own_sources() == []

    @task()
    def mine(rows): ...

    assert [Path(source.file).name for source in registry.own_sources()] == ["test_registry.py"]
