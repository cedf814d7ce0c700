"""``pytest-infer cache``: show what is kept, and remove what is not needed."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from pytest_infer.commands.printed import print_text
from pytest_infer.errors import CacheError
from pytest_infer.reports.table import filled_table, rendered
from pytest_infer.storage.cache import Cache, key_of, read_entry
from pytest_infer.storage.eviction import evict, limit_bytes, remove, stored_folders
from pytest_infer.storage.user_cache import user_cache
from pytest_infer.units import BYTES_PER_GB, BYTES_PER_MB

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Sequence

    from pytest_infer.storage.eviction import StoredFolder

SECONDS_PER_DAY = 86_400
TOLD = ("name", "model", "engine", "precision")
"""What a person recognises an entry by."""

HEADINGS = ("kind", "made of", "MB", "last used", "state")

OTHER_FOLDERS = ("bundles",)
"""What else is kept there: bundles of failures."""


def add_commands(nouns: _SubParsersAction[ArgumentParser]) -> None:
    """Add this noun's commands."""
    noun = nouns.add_parser("cache", help="show what the cache holds, or clean it")
    verbs = noun.add_subparsers(metavar="list|clean", required=True)
    show = verbs.add_parser("list", help="show every entry, those unused for longest first")
    show.set_defaults(run=_list)
    told = "remove what is broken or abandoned, and what is too much"
    clean = verbs.add_parser("clean", help=told, description=f"{told}; never what is in use")
    clean.add_argument(
        "--older-than", type=float, metavar="DAYS", help="and what was not used for so long"
    )
    clean.add_argument(
        "--all",
        action="store_true",
        help="everything, also bundles of failures",
    )
    clean.set_defaults(run=_clean)
    for verb in (show, clean):
        verb.add_argument("--infer-cache", type=Path, metavar="DIR", help="default: the user's")


def _list(options: Namespace) -> int:
    cache = _opened(options)
    found = stored_folders(cache.root)
    if found:
        rows = [_cells(each) for each in found]
        print_text(rendered(filled_table(HEADINGS, [rows])))
    size_gb = sum(each.size_bytes for each in found) / BYTES_PER_GB
    allowed = f"{limit_bytes() / BYTES_PER_GB:g} GB are allowed (PYTEST_INFER_CACHE_GB)"
    print_text(f"{cache.root}: {len(found)} entries, {size_gb:.2f} GB; {allowed}")
    return 0


def _clean(options: Namespace) -> int:
    cache = _opened(options)
    found = stored_folders(cache.root)
    unwanted = [each for each in found if _is_unwanted(each, options)]
    gone = [each for each in unwanted if remove(each)]
    gone += evict(cache.root, limit_bytes())
    if options.all:
        for name in OTHER_FOLDERS:
            shutil.rmtree(cache.root / name, ignore_errors=True)
    size_gb = sum(each.size_bytes for each in gone) / BYTES_PER_GB
    print_text(f"{cache.root}: {len(gone)} of {len(found)} entries removed, {size_gb:.2f} GB")
    in_use = [each for each in unwanted if each not in gone]
    if in_use:
        print_text(f"in use, and left: {len(in_use)} entries")
    return 0


def _opened(options: Namespace) -> Cache:
    """Return the cache that is named; one that is not there is not made."""
    root = options.infer_cache or user_cache()
    if not root.is_dir():
        raise CacheError(
            f"cannot use the cache folder {root}",
            why="it is not there",
            mend="name the folder that the runs were given with --infer-cache=DIR",
        )
    return Cache(root)


def _is_unwanted(stored: StoredFolder, options: Namespace) -> bool:
    age_s = time() - stored.used_s
    is_old = options.older_than is not None and age_s > options.older_than * SECONDS_PER_DAY
    return options.all or is_old or stored.is_draft or isinstance(read_entry(stored.folder), str)


def _cells(stored: StoredFolder) -> Sequence[str]:
    used = datetime.fromtimestamp(stored.used_s, timezone.utc)
    return (
        stored.kind,
        _origin(stored),
        f"{stored.size_bytes / BYTES_PER_MB:.1f}",
        f"{used:%Y-%m-%d %H:%M}",
        _state(stored),
    )


def _origin(stored: StoredFolder) -> str:
    """Return what a person may recognise of the key, and the folder's name."""
    key = key_of(stored.folder)
    named = [str(key[name]) for name in TOLD if name in key]
    return " ".join([*named, stored.folder.name])


def _state(stored: StoredFolder) -> str:
    if stored.is_draft:
        return "draft"
    return "in use" if stored.is_used else ""
