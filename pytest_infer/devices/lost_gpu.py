"""Whether this process can still use its GPU, whichever library does."""

from __future__ import annotations

import ctypes

DRIVER = "libcuda.so.1"
USABLE = {
    0: "CUDA_SUCCESS",
    3: "CUDA_ERROR_NOT_INITIALIZED",
    4: "CUDA_ERROR_DEINITIALIZED",
    201: "CUDA_ERROR_INVALID_CONTEXT",
}
"""The driver's answers of a context that works, and where there is none yet (``CUresult``)."""


def has_lost_gpu() -> bool:
    """Return whether CUDA refuses all work of this thread's context until the process ends.

    It does after an illegal access to memory, a failed assertion in a kernel and the like; being
    out of memory is no such error. Waits until the GPU has done what was asked of it
    (``cuCtxSynchronize`` of the CUDA driver's API).
    """
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:  # no driver, no GPU
        return False
    return driver.cuCtxSynchronize() not in USABLE
