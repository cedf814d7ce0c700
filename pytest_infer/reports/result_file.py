"""A result as a JSON file: written, and read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from pytest_infer.errors import OptionError
from pytest_infer.plain_text import shown
from pytest_infer.reports import sweep
from pytest_infer.reports.counts import Coverage
from pytest_infer.reports.pictures import (
    with_drawing,
    with_drawing_reference,
    with_pictures,
    with_references,
)
from pytest_infer.reports.record import record_from_dict
from pytest_infer.reports.result import Result
from pytest_infer.reports.run_info import RunInfo
from pytest_infer.reports.schema import SCHEMA, ResultFields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_infer.reports.record import Record


def json_text(result: Result) -> str:
    """Return every record, count and sweep over batches, and how the run was made."""
    pictures: dict[str, str] = {}
    drawings: dict[str, dict[str, Any]] = {}

    def fields(record: Record) -> dict[str, Any]:
        return with_drawing_reference(with_references(record.as_dict(), pictures), drawings)

    content = {
        "schema": SCHEMA,
        "run": result.run.as_dict(),
        "coverage": result.coverage.as_dict(),
        "records": [fields(each) for each in result.records],
        "earlier_attempts": [fields(each) for each in result.earlier],
        "pictures": pictures,
        "drawings": drawings,
        "sweeps": [each.as_dict() for each in sweep.sweeps_from_records(result.records)],
    }
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def read_result(path: Path) -> Result:
    """Return what a JSON report holds; raise `OptionError` for a file that is none."""
    value = _value(path)
    schema = value.get("schema") if isinstance(value, dict) else None
    if type(schema) is int and schema != SCHEMA:
        raise OptionError(
            f"cannot use {path}",
            why=f"its schema is {schema}, and this pytest-infer reads {SCHEMA}",
            mend="write it by this version: pytest … --infer-report=json:PATH",
        )
    try:
        found = msgspec.convert(value, ResultFields)
    except msgspec.ValidationError as error:
        raise _unusable(path, shown(str(error))) from error
    fields = msgspec.to_builtins(found)
    return Result(
        records=_records(path, fields["records"], fields),
        coverage=msgspec.convert(fields["coverage"], Coverage),
        earlier=_records(path, fields["earlier_attempts"], fields),
        run=msgspec.convert(fields["run"], RunInfo),
    )


def _records(
    path: Path, records: Sequence[Mapping[str, Any]], kept: Mapping[str, Any]
) -> list[Record]:
    """Return records, each with what ``pictures`` and ``drawings`` keep for all of them."""
    try:
        return [
            record_from_dict(with_drawing(with_pictures(each, kept["pictures"]), kept["drawings"]))
            for each in records
        ]
    except (TypeError, msgspec.ValidationError) as error:
        raise _unusable(path, shown(str(error))) from error


def _value(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        why = f"{type(error).__name__}: {error.strerror}"
    except json.JSONDecodeError as error:
        why = f"{path}:{error.lineno}:{error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        why = shown(str(error))
    raise _unusable(path, why)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _unusable(path: Path, why: str) -> OptionError:
    mend = "name a file that --infer-report=json:PATH has written"
    return OptionError(f"cannot use {path}", why=why, mend=mend)
