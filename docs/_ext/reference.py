"""Directives that write the reference from the code: options, marks, commands, schema, API."""

from __future__ import annotations

import ast
import inspect
import json
import re
from argparse import ArgumentParser, _SubParsersAction
from dataclasses import MISSING, fields
from textwrap import dedent
from typing import TYPE_CHECKING, Any, ClassVar

from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docutils.nodes import Node
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    for name, write in WRITERS.items():
        app.add_directive(name, type(name, (Written,), {"write": staticmethod(write)}))
    app.add_directive("infer-api", Api)
    return {"parallel_read_safe": True}


class Written(Directive):
    """A directive whose content is Markdown that a function writes."""

    write: ClassVar[Any]

    def run(self) -> list[Node]:
        """Parse what is written."""
        return self.parsed("\n".join(self.write()))

    def parsed(self, text: str) -> list[Node]:
        """Return the nodes of a Markdown text."""
        from docutils.nodes import Element

        holder = Element()
        lines = StringList(
            text.splitlines(), source=str(self.state_machine.document.current_source)
        )
        self.state.nested_parse(lines, self.content_offset, holder, match_titles=True)
        return list(holder.children)


class Api(Written):
    """``{infer-api} Name Name``: public names, by their docstrings."""

    has_content = True

    def run(self) -> list[Node]:
        """Write one autodoc directive per name, each from the module that users import from."""
        import pytest_infer

        names = " ".join(self.content).split()
        text = ["```{eval-rst}"]
        for name in names:
            path = name if "." in name else f"pytest_infer.{name}"
            module, _, last = path.rpartition(".")
            found = getattr(pytest_infer if module == "pytest_infer" else _module(module), last)
            text += _object(path, found)
        return self.parsed("\n".join([*text, "```"]))


def _module(name: str) -> Any:
    from importlib import import_module

    return import_module(name)


def _object(path: str, found: Any) -> Iterator[str]:
    if inspect.isclass(found):
        is_error = issubclass(found, Exception)
        yield f".. autoclass:: {path}"
        yield "   :no-members:" if is_error else "   :members:"
    elif callable(found) and hasattr(found, "__code__"):
        yield f".. autofunction:: {path}"
    else:
        yield f".. autodata:: {path}"
        yield "   :no-value:"
    yield ""


def options() -> Iterator[str]:
    """Write every option with its ini twin, in the order of ``pytest --help``."""
    from pytest_infer.plugin.option_table import OPTIONS

    yield "```{eval-rst}"
    for option in OPTIONS:
        flags = [f"{option.flag} {option.metavar}".strip()]
        flags += [f"{option.flag}={mode}" for mode in option.modes]
        yield f".. option:: {', '.join(flags)}"
        yield ""
        yield f"   {_sentence(option.help)}"
        yield ""
        yield f"   ini: ``{option.ini}``"
        yield ""
    yield ".. option:: --infer-engines"
    yield ""
    yield f"   {_sentence(_other_help('--infer-engines'))}"
    yield ""
    yield "```"


def _other_help(flag: str) -> str:
    """Return the help of an option that is added by hand, without an ini twin."""
    from pytest_infer.plugin.options import add_options

    class Group:
        found = ""

        def addoption(self, *flags: str, help: str, **_: object) -> None:  # noqa: A002
            if flag in flags:
                self.found = help

    class Parser:
        group = Group()

        def getgroup(self, *_: str) -> Group:
            return self.group

        def addini(self, *_: object, **__: object) -> None: ...

    parser = Parser()
    add_options(parser)  # type: ignore[arg-type]
    return parser.group.found


def marks() -> Iterator[str]:
    """Write a table of the keywords of each mark."""
    from pytest_infer.judges.accuracy import AccuracyBounds
    from pytest_infer.judges.budget import Budget
    from pytest_infer.judges.growth import ResourceBudget
    from pytest_infer.judges.tolerance import Tolerance
    from pytest_infer.plugin.marks import Narrowing
    from pytest_infer.session.experiment import Experiment

    registered = dict(mark.split(": ", 1) for mark in _registered())
    kinds: Mapping[str, Any] = {
        "infer": Narrowing,
        "experiment": Experiment,
        "tolerance": Tolerance,
        "latency_budget": Budget,
        "resource_budget": ResourceBudget,
        "accuracy": AccuracyBounds,
        "fuzz": None,
    }
    shown = {mark.partition("(")[0]: (mark, told) for mark, told in registered.items()}
    if set(shown) != set(kinds):
        raise RuntimeError(f"marks of the page: {set(kinds)}, of the plugin: {set(shown)}")
    for name, kind in kinds.items():
        yield f"## {name}"
        yield ""
        yield f"{_sentence(shown[name][1])}"
        yield ""
        if kind is None:
            continue
        yield "| keyword | default | meaning |"
        yield "|---|---|---|"
        told = _field_docs(kind)
        for each in fields(kind):
            empty = each.default if each.default is not MISSING else ""
            default = "" if empty in ((), None, "") else f"`{empty}`"
            text = " ".join(told.get(each.name, "").split()).replace("|", "\\|")
            if each.name == "custom":
                yield f"| *a metric's name* | | {text} |"
            else:
                yield f"| `{each.name}` | {default} | {_code(text)} |"
        yield ""


def _registered() -> list[str]:
    from pytest_infer import plugin

    return list(plugin.MARKS)


def _field_docs(kind: type) -> dict[str, str]:
    """Return the docstrings that stand below the fields of a dataclass."""
    (tree,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    told: dict[str, str] = {}
    for one, other in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(one, ast.AnnAssign) and isinstance(other, ast.Expr):
            told[ast.unparse(one.target)] = ast.literal_eval(other.value)
    return told


def commands() -> Iterator[str]:
    """Write the help of ``pytest-infer`` and of each of its commands."""
    from pytest_infer.__main__ import NOUNS

    parser = ArgumentParser("pytest-infer")
    nouns = parser.add_subparsers(required=True)
    for noun in NOUNS:
        noun.add_commands(nouns)
    helps = {each.dest: each.help or "" for each in nouns._choices_actions}  # noqa: SLF001
    for name, command in nouns.choices.items():
        yield f"## pytest-infer {name}"
        yield ""
        yield _sentence(helps[name])
        yield ""
        for each in _with_verbs(command):
            if each.add_help:
                yield "```text"
                yield from each.format_help().strip().splitlines()
                yield "```"
                yield ""


def _with_verbs(command: ArgumentParser) -> Iterator[ArgumentParser]:
    """Yield a command, or its verbs if it has some."""
    verbs = [each for each in command._actions if isinstance(each, _SubParsersAction)]  # noqa: SLF001
    if not verbs:
        yield command
    for verb in verbs:
        yield from verb.choices.values()


def schema() -> Iterator[str]:
    """Write the fields of the JSON report, by its JSON Schema, and the schema itself."""
    from pytest_infer.reports.schema import SCHEMA, json_schema

    found = json_schema()
    yield f"The version (`schema`) is {SCHEMA}."
    yield ""
    definitions = found.get("$defs", {})
    for name, kind in definitions.items():
        if "properties" not in kind:
            continue
        yield f"## {name.removesuffix('Fields')}"
        yield ""
        yield _sentence(kind.get("description", ""))
        yield ""
        yield "| field | type | required |"
        yield "|---|---|---|"
        for field, told in kind["properties"].items():
            is_required = "yes" if field in kind.get("required", ()) else ""
            yield f"| `{field}` | {_type(told)} | {is_required} |"
        yield ""
    yield "````{dropdown} The whole JSON Schema"
    yield "```json"
    yield json.dumps(found, indent=2)
    yield "```"
    yield "````"


def _type(told: Mapping[str, Any]) -> str:
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2].removesuffix("Fields")
        return f"[{name}](#{name.lower()})"
    if "anyOf" in told:
        return " or ".join(_type(each) for each in told["anyOf"])
    if "enum" in told:
        return ", ".join(f"`{each}`" for each in told["enum"])
    if told.get("type") == "array":
        return f"list of {_type(told['items'])}" if told.get("items") else "list"
    if told.get("type") == "object":
        values = told.get("additionalProperties")
        return f"object of {_type(values)}" if isinstance(values, dict) and values else "object"
    return str(told.get("type", "any"))


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) or not text else ".")


def _code(text: str) -> str:
    return re.sub(r"``([^`]+)``", r"`\1`", text)


WRITERS = {
    "infer-options": options,
    "infer-marks": marks,
    "infer-commands": commands,
    "infer-schema": schema,
}
