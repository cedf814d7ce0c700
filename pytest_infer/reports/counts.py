"""Count every check that was asked for, so that none vanishes unseen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Coverage:
    """How many checks (a test of one case) there are, and what became of the others."""

    expected: int = 0
    """Checks that were collected and not deselected."""
    ran: int = 0
    repeated: int = 0
    """Attempts at tests after which another plugin ran the test again: they do not count."""
    narrowed: int = 0
    """Checks that a test's own ``infer`` mark leaves out."""
    once: int = 0
    """Checks of larger models, of which the smallest is enough unless ``--infer-thorough``."""
    without_case: tuple[str, ...] = ()
    """Tests whose own marks leave no case of the matrix."""
    unasked: int = 0
    """Shape-fuzzing checks, which only ``-m fuzz`` runs."""
    uncompared: int = 0
    """Tests that compare environments, which only ``--infer-against`` runs."""
    unevaluated: int = 0
    """Tests of accuracy, for which no model of the run has an evaluation set."""
    experiments: int = 0
    """Files with experiments of articles, which only a run that names their folder runs."""
    experiments_command: str = ""
    """What runs them."""
    exclusions: tuple[dict[str, Any], ...] = ()
    """What could not run here: ``what``, ``cases`` and the ``lack`` (``why``, ``mend``)."""
    unread: tuple[str, ...] = ()
    """Models that could not be read: the tests that want one have failed, without any verdict."""
    built: int = 0
    reused: int = 0
    notices: tuple[str, ...] = ()
    weights: dict[str, str] = field(default_factory=dict)
    """Which weights each model has: those of ``--infer-weights``, or ``own``."""
    probe_s: dict[str, float] = field(default_factory=dict)
    """How long each model took to answer as it is now, in this process and its workers."""
    sent_bytes: dict[str, int] = field(default_factory=dict)
    """How much of this machine's files each machine got that does not see them."""

    @property
    def checks(self) -> int:
        """Return how many checks were met, whatever became of them."""
        return (
            self.expected
            + self.unasked
            + self.uncompared
            + self.unevaluated
            + len(self.without_case)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-able values."""
        return asdict(self)

    def merge_worker(self, counts: dict[str, Any]) -> None:
        """Take what a worker counted: all workers collect the same checks, and share the builds."""
        self.expected = max(self.expected, counts["expected"])
        self.narrowed = max(self.narrowed, counts["narrowed"])
        self.once = max(self.once, counts["once"])
        self.unasked = max(self.unasked, counts["unasked"])
        self.uncompared = max(self.uncompared, counts["uncompared"])
        self.unevaluated = max(self.unevaluated, counts["unevaluated"])
        self.experiments = max(self.experiments, counts["experiments"])
        self.experiments_command = self.experiments_command or counts["experiments_command"]
        self.without_case = self.without_case or tuple(counts["without_case"])
        self.exclusions = self.exclusions or tuple(counts["exclusions"])
        self.unread = self.unread or tuple(counts["unread"])
        self.built += counts["built"]
        self.reused += counts["reused"]
        self.notices += tuple(counts["notices"])
        self.weights |= counts["weights"]
        self.add_probes(counts["probe_s"])
        self.add_sent(counts["sent_bytes"])

    def add_probes(self, seconds: Mapping[str, float]) -> None:
        """Add how long models' probes took, by model."""
        for model, each in seconds.items():
            self.probe_s[model] = self.probe_s.get(model, 0.0) + each

    def add_sent(self, sizes: Mapping[str, int]) -> None:
        """Add how many bytes were sent, by machine."""
        for machine, each in sizes.items():
            self.sent_bytes[machine] = self.sent_bytes.get(machine, 0) + each
