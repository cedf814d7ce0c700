"""Check that version, changelog, citation, tag and built files belong together.

python tools/check_release.py [--tag v0.2.0] [dist/*]
"""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from argparse import ArgumentParser
from pathlib import Path

ROOT = Path(__file__).parents[1]

WANTED = {
    "pytest_infer/py.typed",
    "pytest_infer/commands/codes.md",
    "pytest_infer/plugin/__init__.py",
}
"""What a wheel must have: types, the page of codes, the plugin."""

ALLOWED = re.compile(
    r"pytest_infer/.*\.(py|typed|json|md|html|css|js|svg)|pytest_infer-[^/]+\.dist-info/.*"
    r"|pytest_infer/baselines/shipped/.*\.timing(\.sha256)?"
)
"""What a wheel may have."""

SDIST = re.compile(
    r"(pytest_infer|baselines|tests|docs|examples|benchmarks|tools)/.*"
    r"|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|LICENSE|CITATION\.cff|PKG-INFO"
    r"|pyproject\.toml|tox\.ini|conftest\.py|\.gitignore"
)
"""What a sdist may have."""

MOST_SDIST_FILE_BYTES = 1_000_000


def main(arguments: list[str] | None = None) -> int:
    """Print what is wrong; return 1 if anything is."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--tag", help="the tag that is to be set")
    options = parser.parse_args(arguments)
    wrong = source_faults(ROOT, options.tag)
    for file in options.files:
        wrong += [f"{file.name}: {each}" for each in file_faults(file)]
    sys.stdout.writelines(f"{each}\n" for each in wrong)
    return 1 if wrong else 0


def source_faults(root: Path, tag: str | None = None) -> list[str]:
    """Return where the sources disagree about the version; ``tag`` asks for a released one."""
    init = (root / "pytest_infer" / "__init__.py").read_text()
    version = re.search(r'__version__ = "(.+)"', init)[1]  # type: ignore[index]
    wrong = []
    if f"\nversion: {version}\n" not in (root / "CITATION.cff").read_text():
        wrong.append(f"CITATION.cff has another version than {version}")
    changes = (root / "CHANGELOG.md").read_text()
    if not changes.count("## Unreleased"):
        wrong.append("CHANGELOG.md has no section Unreleased")
    if tag is None:
        return wrong
    if tag != f"v{version}":
        wrong.append(f"the tag {tag} is not v{version}")
    heading = rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)"
    section = re.search(heading, changes, re.MULTILINE | re.DOTALL)
    if not section or not section[1].strip():
        wrong.append(f"CHANGELOG.md has no section '## {version} - DATE', or it is empty")
    return wrong


def file_faults(file: Path) -> list[str]:
    """Return what is missing in a wheel or a sdist, and what it should not have."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            names = wheel.namelist()
        missing = [f"lacks {each}" for each in sorted(WANTED - set(names))]
        return missing + [f"has {name}" for name in names if not ALLOWED.fullmatch(name)]
    with tarfile.open(file) as sdist:
        members = [each for each in sdist.getmembers() if each.isfile()]
    inside = {each.name.partition("/")[2]: each.size for each in members}
    large = [
        f"{name} has {size} bytes" for name, size in inside.items() if size > MOST_SDIST_FILE_BYTES
    ]
    return large + [f"has {name}" for name in inside if not SDIST.fullmatch(name)]


if __name__ == "__main__":
    sys.exit(main())
