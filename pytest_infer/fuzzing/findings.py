"""What shape fuzzing has found, as a verdict with the command that tries it again."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_infer.judges.relations import REPEATED
from pytest_infer.models import registry as models
from pytest_infer.verdict import failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_infer.case import Case
    from pytest_infer.config import InferConfig
    from pytest_infer.errors import InferError
    from pytest_infer.fuzzing.recipe import Recipe
    from pytest_infer.judges.known_failures import KnownFinding
    from pytest_infer.verdict import Verdict


class Findings:
    """Makes the verdicts on what is wrong with one case."""

    def __init__(self, case: Case, config: InferConfig) -> None:
        self._case = case
        self._config = config

    def wrong(self, verdict: Verdict, figures: Mapping[str, float], replay: str) -> Verdict:
        """Return that the engine is wrong, as ``verdict`` says, on what ``replay`` makes."""
        return failed(
            "parity",
            verdict.code,
            what=f"{self._case.id} is wrong on {replay}",
            why=verdict.message.partition("\n  mend:")[0],
            mend="find what this shape changes, or accept it by tolerance=Tolerance(...)\n"
            f"again: {self.command(replay)}",
            figures=figures,
        )

    def flaky(self, error: BaseException, figures: Mapping[str, float], replay: str) -> Verdict:
        """Return that ``error`` was raised for ``replay``, and not when it was tried again."""
        return failed(
            "parity",
            REPEATED.code,
            what=f"{self._case.id} was wrong once on {replay}, and not again",
            why=str(error),
            mend="look for what a call leaves behind: fuzz.sequences() finds it by its steps",
            figures=figures,
        )

    def refused(self, recipe: Recipe, error: InferError) -> Verdict:
        """Return that the engine cannot run what is within its bounds."""
        return failed(
            "parity",
            "refused-shape",
            what=f"{self._case.id} does not run {recipe}",
            why=str(error),
            mend="narrow the bounds in the model's decorator, or see why the engine refuses it",
        )

    def known(self, verdict: Verdict, entry: KnownFinding) -> Verdict:
        """Return that the engine is wrong, as the ledger of known failures says."""
        message = f"{self._case.id} is wrong on {', '.join(entry.values)}: {entry.because}"
        return replace(verdict, status="known", message=message)

    def command(self, replay: str) -> str:
        """Return the command that tries one recipe, or sequence, again in a new process."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        config, case = self._config, self._case
        options = {
            "--infer-precision": case.precision,
            "--infer-batch": case.batch,
            "--infer-device": case.device,
            "--infer-option": ",".join(f"{n}={v}" for n, v in config.engine_options.items()),
            "--infer-host": ",".join(f"{n}={v}" for n, v in config.hosts.items()),
            "--infer-weights": config.weights or "",
            "--infer-images": config.images,
            "--infer-cache": config.cache,
            "--infer-fuzz-replay": replay,
        }
        asked = [f"--engine={case.engine}", *models.options_for(case.model)]
        given = (f"{flag}={value}" for flag, value in options.items() if value)
        return shlex.join(["pytest", *([test] if test else []), "-m", "fuzz", *asked, *given])
