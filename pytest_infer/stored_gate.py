"""What the latency gate stores of a case, and compares with later."""

from __future__ import annotations

from math import exp

import msgspec

NET, KERNEL = "the reference net", "the fixed kernel"
"""What an engine is compared with where its stored artefact is not beside it."""


class StoredMeasurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `Measurement`, of a separate process."""

    theta: float
    rho: float
    engine_ms: float
    rounds: int

    @property
    def kernel_ms(self) -> float:
        """Return the duration of the fixed kernel that the three figures mean."""
        return kernel_ms(self.theta, self.rho, self.engine_ms)

    def told(self) -> str:
        """Return the figures, and the duration that they mean."""
        return (
            f"theta {self.theta:g}, rho {self.rho:g} and engine_ms {self.engine_ms:g} mean a "
            f"fixed kernel of {self.kernel_ms:.3g} ms"
        )


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the latency gate compares with, and under which conditions it was measured."""

    protocol: int
    clock: str
    threads: int
    """Of one inference; 0: the engine's own choice."""
    measurements: list[StoredMeasurement]
    rounds: int = 0
    """How many ``--infer-calls`` asked for; 0: the device's own plan."""
    artefact: str = ""
    """The built engine's name in the cache, which may keep it; empty if none is built."""
    gpu: str = ""
    """The UUID of the GPU that was measured; empty on a CPU, or where it is not known."""
    content: str = ""
    """The digest of the built engine's files, which two builds of one thing may differ in."""
    timings: str = ""
    """The SHA-256 of the kernels' timings as they were kept beside it; empty if none are."""


def kernel_ms(theta: float, rho: float, engine_ms: float) -> float:
    """Return what the fixed kernel took, which a measurement's figures say together.

    It is a fixed amount of work, so a device takes about as long for it each time.
    """
    return engine_ms * exp(-theta - rho)
