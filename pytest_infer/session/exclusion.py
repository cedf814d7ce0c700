"""What was asked for and cannot run here, as far as some test wants it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_infer.case import Case
from pytest_infer.engines.protocol import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Exclusion:
    """Cases that were asked for and cannot run here."""

    what: str
    cases: int
    lack: Missing
    asked: tuple[Case, ...] = ()
    """The cases, where it is known which they would be."""

    def told(self) -> dict[str, Any]:
        """Return it as reports have it."""
        return {"what": self.what, "cases": self.cases, "lack": asdict(self.lack)}


def wanted_of(
    exclusions: Iterable[Exclusion], wants: Sequence[Callable[[Case], bool]]
) -> Iterator[Exclusion]:
    """Yield what some test wants of cases that cannot run."""
    for each in exclusions:
        asked = [case for case in each.asked if any(want(case) for want in wants)]
        if asked or not each.asked:
            yield replace(each, cases=len(asked) or each.cases)
