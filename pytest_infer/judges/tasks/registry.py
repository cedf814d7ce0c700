"""The registry of tasks: a task is one decorated function, which judges what outputs mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from pytest_infer.errors import CaseError, OptionError, unknown
from pytest_infer.judges.judged_rows import JudgedRows
from pytest_infer.models import tasks
from pytest_infer.models.source import Source, source_of
from pytest_infer.models.spec import is_name
from pytest_infer.plain_text import shown
from pytest_infer.verdict import Verdict

BUILT_IN = __name__.rpartition(".")[0]
"""The package of the tasks that come with this one; each of its modules imports this one."""

_registry: dict[str, Task] = {}


@dataclass(frozen=True)
class Task:
    """A registered task."""

    name: str
    judge: Callable[[JudgedRows], Verdict]
    source: Source

    def __call__(self, rows: JudgedRows) -> Verdict:
        """Return the verdict; raise `CaseError` if the judge returns something else."""
        verdict = self.judge(rows)
        if not isinstance(verdict, Verdict):
            raise CaseError(
                f"cannot judge {rows.subject}",
                why=f"the judge of the task {self.name} returned {type(verdict).__name__}",
                mend="return rows.passed(...), rows.failed(...), rows.vacuous(...) or a Verdict",
            )
        return verdict


def task(*, needs_postprocess: bool = False) -> Callable[[Callable[[JudgedRows], Verdict]], Task]:
    """Register the decorated function as the judge of the task of its name.

    Models that are declared later may have it: ``@model(task="its_name", ...)``. A task that
    ``needs_postprocess`` is refused to a model without one. Raise `OptionError` for a name that
    another task has.
    """

    def register(judge: Callable[[JudgedRows], Verdict]) -> Task:
        new = Task(judge.__name__, judge, source_of(judge))
        if not new.source.module.startswith(f"{BUILT_IN}."):
            _load_built_in()
        _add(new)
        tasks.declare(new.name, needs_postprocess=needs_postprocess)
        return new

    return register


def registered() -> dict[str, Task]:
    """Return every task that has a judge, sorted by name."""
    _load_built_in()
    return dict(sorted(_registry.items()))


def find(name: str) -> Task:
    """Return the task called ``name``; raise `OptionError`, naming the nearest, if none is."""
    found = registered()
    if name not in found:
        raise unknown("task", name, found)
    return found[name]


def own_sources() -> list[Source]:
    """Return where the tasks of users are defined, sorted."""
    found = {each.source for each in _registry.values()}
    return sorted((each for each in found if each.file), key=str)


def _load_built_in() -> None:
    for module in iter_modules(import_module(BUILT_IN).__path__):
        import_module(f"{BUILT_IN}.{module.name}")


def _add(new: Task) -> None:
    if not is_name(new.name) or new.name == tasks.TENSOR:
        raise OptionError(
            f"cannot call a task {shown(new.name)!r}",
            why=f"{tasks.TENSOR!r} is the task without a judge"
            if new.name == tasks.TENSOR
            else "it is no name",
            mend="give the decorated function another name",
        )
    old = _registry.get(new.name)
    if old and old.source != new.source:
        raise OptionError(
            f"two tasks are called {new.name!r}",
            why=f"one is in {old.source}, the other in {new.source}",
            mend="rename one of the two functions",
        )
    _registry[new.name] = new
