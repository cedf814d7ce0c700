"""A JSON report: its schema, and that it can be read again as it was written."""

import json
from dataclasses import replace

import msgspec
import pytest
from hostile import HOSTILE, hostile_result
from synthetic import synthetic_result

from pytest_infer.errors import OptionError
from pytest_infer.reports.result_file import json_text, read_result
from pytest_infer.reports.schema import SCHEMA, ResultFields, json_schema


def written(tmp_path, text):
    """Return a file that holds a text."""
    path = tmp_path / "run.json"
    path.write_text(text)
    return path


def test_read_again(tmp_path):
    """Everything crosses: records, counts, and how the run was made."""
    result = synthetic_result(30)
    found = read_result(written(tmp_path, json_text(result)))
    assert json_text(found) == json_text(result)
    assert [each.case for each in found.records] == [each.case for each in result.records]
    assert (found.run, found.coverage) == (result.run, result.coverage)


def test_pictures_are_stored_once(tmp_path):
    """Records refer to a picture by its name, and have it again when they are read."""
    result = synthetic_result(30)
    content = json.loads(json_text(result))
    photographs = [
        each for record in content["records"] for each in record["details"].get("photographs", [])
    ]
    assert len(photographs) > len(content["pictures"]) > 1
    assert {each["picture"] for each in photographs} == content["pictures"].keys()
    found = read_result(written(tmp_path, json_text(result)))
    assert [each.details for each in found.records] == [each.details for each in result.records]
    content["pictures"]["x"] = '"><script>'
    with pytest.raises(OptionError, match="Expected `str` matching regex"):
        read_result(written(tmp_path, json.dumps(content)))


@pytest.mark.parametrize("odd", ["text", 3, ["a"], [{"jpeg": 3}], [{"jpeg": "<>"}], [{}]])
def test_photographs_of_another_form_cross(tmp_path, odd):
    """What another package calls so is written and read as it is."""
    result = synthetic_result(1)
    records = [replace(each, details={"photographs": odd}) for each in result.records]
    found = read_result(written(tmp_path, json_text(replace(result, records=records))))
    assert [each.details for each in found.records] == [{"photographs": odd}] * 5


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_cross(tmp_path, name):
    """Whatever a text holds, the file is ASCII, and gives it back."""
    text = json_text(hostile_result(HOSTILE[name]))
    assert text.isascii()
    assert "\x1b" not in text
    found = read_result(written(tmp_path, text))
    assert found.records[0].case.model == HOSTILE[name]
    assert found.run.command == HOSTILE[name]


def test_every_field_is_in_the_schema():
    """What is written is what the schema says: no field more, none less."""
    content = json.loads(json_text(synthetic_result(9)))
    fields = msgspec.convert(content, ResultFields)
    assert json.loads(msgspec.json.encode(fields)) == content
    assert content["schema"] == SCHEMA
    assert content["sweeps"]


def test_json_schema():
    """The JSON Schema names what a reader may rely on."""
    schema = json_schema()
    record = schema["$defs"]["RecordFields"]
    assert record["properties"]["status"]["enum"] == [
        "fail",
        "inconclusive",
        "known",
        "new",
        "pass",
    ]
    assert schema["$defs"]["ResultFields"]["required"][:2] == ["schema", "run"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "run.json:1:2: "),
        ("[]", "Expected `object`, got `array`"),
        ('{"schema": 1}', "its schema is 1, and this pytest-infer reads 2"),
        ('{"schema": 2}', "Object missing required field `run`"),
        ("NaN", "NaN is not a JSON number"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_no_report(tmp_path, text, why):
    """What is no JSON report is an error that says where and why."""
    with pytest.raises(OptionError) as caught:
        read_result(written(tmp_path, text))
    assert str(caught.value).startswith(f"cannot use {tmp_path}/run.json\n  why:  ")
    assert why in str(caught.value)


def test_no_file(tmp_path):
    """So is a file that is not there."""
    with pytest.raises(OptionError, match="FileNotFoundError: No such file"):
        read_result(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("status", "great", "Invalid enum value 'great' - at `$.records[0].status`"),
        (
            "figures",
            {"p50_ms": "1"},
            "Expected `int | float`, got `str` - at `$.records[0].figures[...]`",
        ),
        ("case", {}, "Object missing required field `model` - at `$.records[0].case`"),
    ],
)
def test_wrong_record(tmp_path, field, value, why):
    """A record that is not as the schema says is refused, with its place."""
    content = json.loads(json_text(synthetic_result(1)))
    content["records"][0][field] = value
    with pytest.raises(OptionError) as caught:
        read_result(written(tmp_path, json.dumps(content)))
    assert why in str(caught.value)


def test_unknown_fields_are_skipped(tmp_path):
    """A newer version may add fields without a new schema."""
    content = json.loads(json_text(synthetic_result(1)))
    content["new"] = content["records"][0]["new"] = content["run"]["new"] = 1
    assert len(read_result(written(tmp_path, json.dumps(content))).records) == 5
