"""Read the keywords of this package's marks into frozen values."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_infer.bounds import BATCH, told
from pytest_infer.case import PRECISIONS
from pytest_infer.engines import registry as engines
from pytest_infer.engines.requests import graph_format
from pytest_infer.errors import OptionError, unknown
from pytest_infer.graphs.graph import GRAPH_FORMATS
from pytest_infer.models import registry as models
from pytest_infer.models import tasks
from pytest_infer.session.experiment import Experiment, check_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pytest_infer.case import Case

T = TypeVar("T")

_SWITCHES = {
    "batched": "whose inputs and outputs have a batch",
    "with_task": "whose task has a judge",
    "once": "of which the smallest is enough for each engine",
}
"""The keywords that are true or false, and which models they want."""


@dataclass(frozen=True)
class Narrowing:
    """The part of the matrix that a test wants; an empty field wants all."""

    models: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    tasks: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    """What the engine is built from: ``module``, ``onnx``."""
    batched: tuple[bool, ...] = ()
    """Whether the model's inputs and outputs have a batch."""
    with_task: tuple[bool, ...] = ()
    """Whether the model's task has a judge: all but ``tensor``."""
    once: tuple[bool, ...] = ()
    """Whether one model is enough for each engine and precision: the smallest."""

    def wants(self, case: Case) -> bool:
        """Return whether ``case`` is in the part of the matrix that is wanted."""
        return all(
            not wanted or value in wanted
            for wanted, value in (
                (self.models, case.model),
                (self.engines, case.engine),
                (self.precisions, case.precision),
                (self.batches, case.batch),
                (self.tasks, models.find(case.model).spec.task),
                (self.formats, graph_format(case) if self.formats else ""),
                (self.batched, models.find(case.model).spec.has_batch),
                (self.with_task, models.find(case.model).spec.task != tasks.TENSOR),
            )
        )

    def chosen(self, cases: Sequence[Case]) -> list[Case]:
        """Return the cases of the smallest model, for each engine, if one is enough."""
        if True not in self.once:
            return list(cases)
        smallest: dict[object, tuple[float, int, str]] = {}
        sizes = {case.model: models.find(case.model).spec.size for case in cases}
        for case in cases:
            kind = _kind(case)
            smallest[kind] = min(smallest.get(kind, sizes[case.model]), sizes[case.model])
        return [case for case in cases if sizes[case.model] == smallest[_kind(case)]]

    def wants_model(self, name: str) -> bool:
        """Return whether a model of which nothing but its name is known is wanted."""
        return not self.models or name in self.models


def _kind(case: Case) -> object:
    """Return what cases have in common that differ in their model."""
    return replace(case, model="", variant="")


def narrowing_of(node: Any) -> Narrowing:
    """Return what the ``infer`` marks of a test want; raise `OptionError` for unknown names."""
    return mark_of(node, "infer", _narrowing) or Narrowing()


def experiment_of(node: Any) -> Experiment | None:
    """Return the cases that a test declares by its ``experiment`` marks; None without any."""
    return mark_of(node, "experiment", _experiment)


def mark_of(node: Any, name: str, make: Callable[[Mapping[str, Any]], T]) -> T | None:
    """Return what ``make`` makes of the keywords of the marks ``name``, the nearest winning.

    Raise `OptionError`, naming the test, for positional arguments and for what ``make`` refuses.
    """
    marks = list(node.iter_markers(name))
    if not marks:
        return None
    if any(mark.args for mark in marks):
        raise OptionError(
            f"@pytest.mark.{name} of {node.nodeid} has positional arguments",
            why="it takes keywords only",
            mend=f"write @pytest.mark.{name}(keyword=value)",
        )
    keywords = {key: value for mark in reversed(marks) for key, value in mark.kwargs.items()}
    try:
        return make(keywords)
    except OptionError as error:
        raise OptionError(
            f"@pytest.mark.{name} of {node.nodeid}: {error.what}", why=error.why, mend=error.mend
        ) from None


def _narrowing(keywords: Mapping[str, Any]) -> Narrowing:
    valid = [field.name for field in fields(Narrowing)]
    for keyword in keywords:
        if keyword not in valid:
            raise unknown("keyword", keyword, valid)
    narrowing = Narrowing(**{name: _tuple(name, value) for name, value in keywords.items()})
    _check("model", narrowing.models, models.known_names())
    _check("engine", narrowing.engines, engines.registered())
    _check("precision", narrowing.precisions, PRECISIONS)
    _check("task", narrowing.tasks, tasks.names())
    _check("format", narrowing.formats, GRAPH_FORMATS)
    for name, wanted in _SWITCHES.items():
        for value in getattr(narrowing, name):
            if type(value) is not bool:
                raise OptionError(
                    f"cannot use {name}={value!r}",
                    why="it is neither True nor False",
                    mend=f"write {name}=True for models {wanted}",
                )
    _check_batches(narrowing.batches)
    return narrowing


def _experiment(keywords: Mapping[str, Any]) -> Experiment:
    valid = [field.name for field in fields(Experiment)]
    for keyword in keywords:
        if keyword not in valid:
            raise unknown("keyword", keyword, valid)
    if lacking := [name for name in ("models", "engines") if not keywords.get(name)]:
        raise OptionError(
            f"it has no {' and no '.join(lacking)}",
            why="an experiment declares its cases: models, engines in a precision, batches",
            mend="write @pytest.mark.experiment(models='resnet50', engines=('ort-fp32',))",
        )
    experiment = Experiment(**{name: _tuple(name, value) for name, value in keywords.items()})
    _check("model", experiment.models, [*models.registered(), *models.known_names()])
    _check_batches(experiment.batches)
    for text in experiment.engines:
        if not isinstance(text, str):
            raise unknown("engine", told(text), engines.registered())
    check_settings(experiment)
    return experiment


def _check_batches(batches: Iterable[object]) -> None:
    for batch in batches:
        if type(batch) is not int or not BATCH.least <= batch <= BATCH.most:
            raise OptionError(
                f"cannot use batch {told(batch)}",
                why=f"a batch is a whole number {BATCH}",
                mend="write batches=8, or batches=(1, 8)",
            )


def _check(kind: str, names: Iterable[object], choices: Collection[str]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise unknown(kind, told(name), choices)
        if name not in choices:
            raise unknown(kind, name, choices)


def _tuple(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, int)):
        return (value,)
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise OptionError(
            f"cannot use {name}={told(value)}",
            why="it is neither one name or number nor several",
            mend=f"write {name}=(first, second)",
        )
    return tuple(value)
