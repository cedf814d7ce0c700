"""A neighbour on the same machine: matrix products and copies in bursts, on one core.

    python benchmarks/gate/neighbour.py [SECONDS]

Bursts and pauses last 0.2 to 2 s each, 70 % of the time is work: what a build, a second test worker
or another tenant looks like from here. It ends after SECONDS, or with its caller's pipe.
"""

from __future__ import annotations

import os
import sys
from random import Random
from time import monotonic, sleep

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

SHORTEST_S, LONGEST_S, WORKING_SHARE = 0.2, 2.0, 0.7


def work(seconds: float) -> None:
    """Multiply 512 x 512 matrices, and copy 32 MB in between."""
    values = np.random.default_rng(0).standard_normal((512, 512), dtype=np.float32)
    much = np.zeros(8_000_000, dtype=np.float32)
    end = monotonic() + seconds
    while monotonic() < end:
        np.matmul(values, values)
        much.copy()


def main(seconds: float) -> None:
    """Work in bursts for ``seconds``."""
    random = Random()
    end = monotonic() + seconds
    while monotonic() < end and os.getppid() != 1:
        burst = random.uniform(SHORTEST_S, LONGEST_S)
        work(burst * WORKING_SHARE)
        sleep(burst * (1 - WORKING_SHARE))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3600.0)
