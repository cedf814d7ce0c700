"""The folder in which this user's cache is unless another one is named."""

from __future__ import annotations

from pathlib import Path

from pytest_infer.errors import CacheError


def user_cache() -> Path:
    """Return the folder; raise `CacheError` for a user without a home directory."""
    from platformdirs import user_cache_path

    try:
        found = Path(user_cache_path("pytest-infer", appauthor=False))
    except (RuntimeError, KeyError, OSError) as error:
        raise _homeless(str(error)) from error
    if not found.is_absolute():
        raise _homeless(f"{found} is no absolute path")
    return found


def _homeless(why: str) -> CacheError:
    return CacheError(
        "cannot find the user's cache folder",
        why=why,
        mend="name one with --infer-cache=DIR, or set HOME or XDG_CACHE_HOME",
    )
