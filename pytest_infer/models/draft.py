"""A model whose spec is not known yet: its library reads it, where that is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from pytest_infer.arrays import Arrays
from pytest_infer.models.source import Source
from pytest_infer.models.spec import Dim, ModelSpec, Profile, TensorSpec

FUNCTIONS = (
    *("preprocess", "postprocess", "labels", "seed", "draw", "files"),
    *("calibration", "evaluation"),
)
"""What a draft may have beside the function that creates its module."""


@dataclass(frozen=True)
class Wishes:
    """What a user says of a model beside its source; what is None is read from the source."""

    task: str | None = None
    inputs: Mapping[str, TensorSpec] | None = None
    outputs: Mapping[str, TensorSpec] | None = None
    example: Any = None
    """Inputs as forward takes them, or a function that returns them: see `example_inputs`."""
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """The axes of the example that may have other sizes, by input and number."""
    dims: Mapping[str, Dim] | None = None
    profile: Profile | None = None
    preprocess: Callable[..., Any] | None = None
    postprocess: Callable[..., Any] | None = None
    labels: Callable[[], Sequence[str]] | None = None
    seed: Callable[..., None] | None = None
    calibration: Callable[[], Any] | None = None
    evaluation: Any = None
    """A function, or an `Evaluation`."""


class HasParts(Protocol):
    """What surrounds a module: a model's, a draft's, or `Parts`."""

    @property
    def preprocess(self) -> Callable[..., Any] | None:
        """Return what turns photographs into inputs."""
        ...

    @property
    def postprocess(self) -> Callable[..., Any] | None:
        """Return what turns outputs into what they mean."""
        ...

    @property
    def labels(self) -> Callable[[], Sequence[str]] | None:
        """Return what names the classes."""
        ...

    @property
    def seed(self) -> Callable[..., None] | None:
        """Return what gives seeded weights."""
        ...

    @property
    def draw(self) -> Callable[[ModelSpec, int], Arrays] | None:
        """Return what draws one row of inputs, by its number."""
        ...

    @property
    def files(self) -> Callable[[], Sequence[Path]] | None:
        """Return what names the files that decide what the module computes, besides code."""
        ...

    @property
    def calibration(self) -> Callable[[], Any] | None:
        """Return what gives the rows to calibrate on."""
        ...

    @property
    def evaluation(self) -> Any:
        """Return what gives held-out rows and their labels."""
        ...


@dataclass(frozen=True)
class Parts:
    """What a source knows of what surrounds its module."""

    preprocess: Callable[..., Any] | None = None
    postprocess: Callable[..., Any] | None = None
    labels: Callable[[], Sequence[str]] | None = None
    seed: Callable[..., None] | None = None
    draw: Callable[[ModelSpec, int], Arrays] | None = None
    files: Callable[[], Sequence[Path]] | None = None
    calibration: Callable[[], Any] | None = None
    evaluation: Any = None


@dataclass(frozen=True)
class Draft(Parts):
    """What a source gives of its model; making one runs none of the model's code."""

    create: Callable[..., Any] = field(kw_only=True)
    """Return the module in eval mode on the CPU; takes ``pretrained: bool``, or nothing."""
    spec: Callable[[], ModelSpec] = field(kw_only=True)
    """Read the spec; this may create the module, and run it."""


@dataclass(frozen=True)
class Asked:
    """A model as it was asked for."""

    name: str
    source: Source
    """Where that was: a conftest.py, or the command line."""
    place: str
    """Where the model is: a path, or a name that its library knows."""
    wishes: Wishes = Wishes()

    def image_size(self, name: str) -> tuple[int, int] | None:
        """Return the height and width that the user wishes for an input; None if none is."""
        wished = (self.wishes.inputs or {}).get(name)
        if wished is None:
            return None
        height, width = (size for size in wished.shape[-2:])
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def draft(
        self,
        create: Callable[..., Any],
        spec: Callable[[], ModelSpec],
        own: HasParts = Parts(),
    ) -> Draft:
        """Return the draft of a source's ``own`` parts, the user's wishes before them."""
        wishes = self.wishes
        return Draft(
            create=create,
            spec=spec,
            preprocess=wishes.preprocess or own.preprocess,
            postprocess=wishes.postprocess or own.postprocess,
            labels=wishes.labels or own.labels,
            seed=wishes.seed or own.seed,
            draw=own.draw,
            files=own.files,
            calibration=wishes.calibration or own.calibration,
            evaluation=wishes.evaluation or own.evaluation,
        )


@dataclass(frozen=True)
class Reading:
    """What was read from a source: all that other processes need to know of it."""

    spec: ModelSpec
    has: tuple[str, ...] = ()
    """Those of `FUNCTIONS` that the draft has."""
    notes: tuple[str, ...] = ()
    """What a user should know of it, said once a run."""


@dataclass(frozen=True)
class Unread:
    """A model that is known by name, and whose draft is made when it is needed."""

    name: str
    source: Source
    text: str
    """What ``--infer-model`` would name it by, with absolute paths."""
    make: Callable[[], Draft]
    is_listed: bool = True
    weights: str = ""

    def __str__(self) -> str:
        return self.text if self.source.text else f"{self.source} ({self.text})"

    @cached_property
    def draft(self) -> Draft:
        """Return the draft; raise `ModelError` if the source is not there, or its library."""
        return self.make()


@dataclass(frozen=True)
class Drafted:
    """A function of a draft, which is made at the first call: it may need a library."""

    unread: Unread
    part: str

    @property
    def __wrapped__(self) -> Any:
        return getattr(self.unread.draft, self.part)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Return what the draft's own function returns."""
        return self.__wrapped__(*arguments, **keywords)


def reading_of(unread: Unread) -> Reading:
    """Read a source here, with its library."""
    draft = unread.draft
    has = tuple(part for part in FUNCTIONS if getattr(draft, part) is not None)
    return Reading(draft.spec(), has)
