"""Baseline folders: found by name, path or device; merged without losing an entry."""

import json
import sys
from pathlib import Path
from subprocess import Popen, run

import msgspec
import pytest

from pytest_infer.baselines.entry import Entry, Measured, Published
from pytest_infer.baselines.folder import Baselines
from pytest_infer.baselines.search import available, destination, match_device, resolve
from pytest_infer.baselines.store import Change, update
from pytest_infer.case import Case
from pytest_infer.errors import BaselineError, OptionError

SHIPPED = Path(__file__).parents[3] / "baselines"
H200 = {"kind": "cuda", "name": "NVIDIA H200"}
CASE = Case("resnet50", "ort", "fp32", 1, "cuda")
KEY = "resnet50-ort-fp32-b1"
MEASURED = {"kind": "measured", "device": "NVIDIA H200", "date": "2026-01-02", "command": "pytest"}


def entry(p50_ms, **figures):
    """Return a measured entry."""
    provenance = Measured(device="NVIDIA H200", date="2026-01-02", command="pytest suites")
    return Entry(figures={"p50_ms": p50_ms, **figures}, provenance=provenance)


def write(folder, name, content):
    """Write a file of the folder as it is given."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text(json.dumps(content))


def device(folder, holds="measured", fingerprint=H200):
    """Write a folder's device.json."""
    write(folder, "device.json", {"schema": 1, "fingerprint": fingerprint, "holds": holds})


def model_file(folder, value, key=KEY):
    """Write a folder with one entry of ResNet-50."""
    device(folder)
    write(folder, "resnet50.json", {"schema": 1, "model": "resnet50", "entries": {key: value}})


def test_what_is_stored_is_read_again(tmp_path):
    """An update makes device.json and the model's file, which read as what was stored."""
    folder = tmp_path / "h200"
    stored = entry(1.5, throughput_per_s=666.0, mae=0.0)
    assert update(folder, H200, {CASE: stored}) == [Change(KEY, None, stored.figures)]
    baselines = Baselines(folder)
    assert baselines.read("resnet50") == {KEY: stored}
    assert baselines.read("unknown") == {}
    assert baselines.find(CASE) == (KEY, stored)
    assert (baselines.name, baselines.fingerprint, baselines.is_published) == ("h200", H200, False)
    assert (folder / "resnet50.json").read_text().startswith('{\n  "entries": {\n    "resnet50-')


def test_an_update_keeps_other_entries_and_tells_old_and_new(tmp_path):
    """Only the keys that were measured change; the change has both figures."""
    other = Case("resnet50", "eager", "fp32", 1, "cuda")
    update(tmp_path, H200, {CASE: entry(1.5), other: entry(3.0)})
    assert update(tmp_path, H200, {CASE: entry(1.2)}) == [
        Change(KEY, {"p50_ms": 1.5}, {"p50_ms": 1.2})
    ]
    assert Baselines(tmp_path).read("resnet50") == {KEY: entry(1.2), other.id: entry(3.0)}


def test_missing_only(tmp_path):
    """What is there stays as it is, and is no change."""
    other = Case("resnet50", "eager", "fp32", 1, "cuda")
    update(tmp_path, H200, {CASE: entry(1.5)})
    fresh = {CASE: entry(1.2), other: entry(3.0)}
    assert update(tmp_path, H200, fresh, missing_only=fresh) == [
        Change(other.id, None, {"p50_ms": 3.0})
    ]
    assert Baselines(tmp_path).read("resnet50") == {KEY: entry(1.5), other.id: entry(3.0)}
    assert update(tmp_path, H200, {CASE: entry(1.2)}, missing_only=[other]) == [
        Change(KEY, {"p50_ms": 1.5}, {"p50_ms": 1.2})
    ]


WRITER = """
import sys
from pathlib import Path
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.store import update
from pytest_infer.case import Case
folder, engine = Path(sys.argv[1]), sys.argv[2]
for batch in range(1, 101):
    entry = Entry(figures={"p50_ms": batch}, provenance=Measured("d", "2026-01-02", "c"))
    update(folder, {"name": "d"}, {Case("resnet50", engine, "fp32", batch, "cpu"): entry})
"""


def test_parallel_writers_lose_nothing(tmp_path):
    """Four processes that store a hundred entries each leave four hundred."""
    engines = ("eager", "ort", "trt", "tvm")
    writers = [Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in engines]  # noqa: S603 - our own script
    assert [writer.wait() for writer in writers] == [0] * 4
    stored = Baselines(tmp_path).read("resnet50")
    assert set(stored) == {f"resnet50-{each}-fp32-b{n}" for each in engines for n in range(1, 101)}


def test_another_devices_folder_is_not_overwritten(tmp_path):
    """A folder of another device is refused before anything is written."""
    device(tmp_path)
    with pytest.raises(BaselineError) as caught:
        update(tmp_path, {"kind": "cpu", "name": "x"}, {CASE: entry(1.0)})
    assert str(caught.value) == (
        f"cannot store baselines in {tmp_path}\n"
        "  why:  it belongs to NVIDIA H200 (kind cuda), and this is x (kind cpu)\n"
        "  mend: store in a folder of another name (--update-baselines --gpu-baseline=NAME), or "
        "merge folders of one device"
    )
    assert Baselines(tmp_path).models() == ()


def test_published_figures_are_not_overwritten(tmp_path):
    """A folder of published figures never takes measured ones."""
    device(tmp_path, holds="published")
    with pytest.raises(BaselineError, match="it holds published figures, which are never measured"):
        update(tmp_path, H200, {CASE: entry(1.0)})


def test_a_name_does_not_follow_a_link_out_of_the_folder(tmp_path):
    """Neither to compare nor to store; a link within the folder is another name."""
    device(tmp_path / "elsewhere")
    folder = tmp_path / "baselines"
    device(folder / "h200")
    (folder / "evil").symlink_to(tmp_path / "elsewhere")
    (folder / "alias").symlink_to("h200")
    for find in (lambda: resolve("evil", [folder]), lambda: destination("evil", folder)):
        with pytest.raises(OptionError) as caught:
            find()
        assert str(caught.value) == (
            f"evil is not in {folder}\n"
            f"  why:  it is a link to {tmp_path}/elsewhere\n"
            f"  mend: name that folder by its path: --gpu-baseline={tmp_path}/elsewhere"
        )
    assert resolve("alias", [folder]).name == "h200"
    assert available([folder]) == ["h200"]
    assert resolve(str(folder / "evil"), []).fingerprint == H200
    (folder / "loop").symlink_to("loop")
    with pytest.raises(BaselineError, match=r"cannot read .*/loop/device\.json"):
        available([folder])


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "a" * 300, "NAME", "", "a\x1b"])
def test_what_is_no_name(tmp_path, name):
    """Nothing is looked for or stored under it."""
    device(tmp_path / "baselines" / "mine")
    with pytest.raises(OptionError, match="unknown baseline"):
        resolve(name, [tmp_path / "baselines"])
    with pytest.raises(OptionError, match="cannot store baselines as"):
        destination(name, tmp_path / "baselines")


def test_hidden_files_are_no_models(tmp_path):
    """What an editor leaves beside a file is not read."""
    update(tmp_path, H200, {CASE: entry(1.0)})
    (tmp_path / ".resnet50.json").write_text("{")
    assert Baselines(tmp_path).models() == ("resnet50",)


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), 0.0, -1.0, 1e-7, 1e11, 1e308])
def test_figures_that_are_none_are_not_stored(tmp_path, figure):
    """A duration under a nanosecond or over a year is refused, and nothing is written."""
    with pytest.raises(BaselineError) as caught:
        update(tmp_path / "new", H200, {CASE: entry(figure)})
    assert str(caught.value) == (
        f"cannot use {tmp_path}/new/resnet50.json\n"
        f'  why:  $.entries["{KEY}"].figures.p50_ms: is {figure:g}, and can only be from 1e-06 to '
        "3.1536e+10\n"
        "  mend: correct it, or delete the entry and run with --update-baselines"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("model", ["device", "../evil", "", ".hidden", "a/b"])
def test_a_models_name_cannot_leave_the_folder(tmp_path, model):
    """A model whose name is no file name, or that of device.json, has no baselines."""
    case = Case(model, "ort", "fp32", 1, "cuda")
    with pytest.raises(BaselineError) as caught:
        update(tmp_path, H200, {case: entry(1.0)})
    assert str(caught.value) == (
        f"cannot keep baselines of a model called {model!r}\n"
        "  why:  its name must do as a file name: letters, digits, dots, dashes, underscores, "
        "and not 'device'\n"
        "  mend: rename the model"
    )


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    """A file where the folder should be is reported with its path."""
    (tmp_path / "h200").write_text("")
    with pytest.raises(BaselineError) as caught:
        update(tmp_path / "h200", H200, {CASE: entry(1.0)})
    assert caught.value.what == f"cannot store baselines in {tmp_path}/h200"


@pytest.mark.parametrize(
    ("value", "place", "why"),
    [
        ({"figures": {"p50_ms": 1.0}}, "", "object missing required field `provenance`"),
        (
            {"figures": {"p50_ms": "fast"}, "provenance": MEASURED},
            ".figures.p50_ms",
            "expected `float`, got `str`",
        ),
        (
            {"figures": {"p50_ms": 0}, "provenance": MEASURED},
            ".figures.p50_ms",
            "is 0, and can only be from 1e-06 to 3.1536e+10",
        ),
        (
            {"figures": {"mae": -0.1}, "provenance": MEASURED},
            ".figures.mae",
            "is -0.1, and can only be from 0 to 3.5e+38",
        ),
        (
            {"figures": {"speedup": 1e300}, "provenance": MEASURED},
            ".figures.speedup",
            "is 1e+300, and can only be from 3.17098e-17 to 3.1536e+16",
        ),
        ({"figures": {}, "provenance": MEASURED}, ".figures", "is empty"),
        (
            {"figures": {"P50": 1.0}, "provenance": MEASURED},
            ".figures.P50",
            "is no name of a figure (lower_case_with_unit)",
        ),
        (
            {"figures": {"p50_ms": 1.0}, "provenance": {"kind": "guessed"}},
            ".provenance.kind",
            "invalid value 'guessed'",
        ),
        (
            {"figures": {"p50_ms": 1.0}, "provenance": MEASURED, "note": 1},
            "",
            "object contains unknown field `note`",
        ),
        (
            {"figures": {"p50_ms": 1.0}, "provenance": {"kind": "published", "source": "x"}},
            ".provenance.kind",
            "is not measured, as device.json says",
        ),
        *(
            (
                {"figures": {"p50_ms": 1.0}, "provenance": {**MEASURED, "date": day}},
                ".provenance.date",
                f"is '{day}', and no day as 2026-01-31 is one",
            )
            for day in ("yesterday", "2026-13-45", "20260131", "")
        ),
        ([1], "", "expected `object`, got `array`"),
    ],
)
def test_a_broken_entry_is_told_with_its_key(tmp_path, value, place, why):
    """Whatever is wrong with an entry, the error names file, key and field."""
    model_file(tmp_path, value)
    with pytest.raises(BaselineError) as caught:
        Baselines(tmp_path).find(CASE)
    assert str(caught.value) == (
        f"cannot use {tmp_path}/resnet50.json\n"
        f'  why:  $.entries["{KEY}"]{place}: {why}\n'
        "  mend: correct it, or delete the entry and run with --update-baselines"
    )


@pytest.mark.parametrize("key", ["resnet50-ort-fp32", "detr-ort-fp32-b1", "resnet50-ort-fp23-b1"])
def test_a_key_that_no_case_has_is_refused(tmp_path, key):
    """An entry that could never be looked up is an error, not dead weight."""
    model_file(tmp_path, msgspec.to_builtins(entry(1.0)), key)
    with pytest.raises(BaselineError) as caught:
        Baselines(tmp_path).read("resnet50")
    assert caught.value.why == (
        f'$.entries["{key}"]: is no case of this file: resnet50-ENGINE-PRECISION-bBATCH'
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            {"schema": 4, "model": "resnet50", "entries": {}},
            "$.schema: is 4; this pytest-infer knows 3 and older ones",
        ),
        ({"schema": 1, "model": "resnet50"}, "$: object missing required field `entries`"),
        (
            {"schema": 1, "model": "detr", "entries": {}},
            "$.model: is 'detr'; the file is named 'resnet50'",
        ),
        (
            {"schema": 1, "model": "resnet50", "entries": []},
            "$.entries: expected `object`, got `array`",
        ),
        (
            {"schema": 1, "model": "resnet50", "entries": {}, "extra": 1},
            "$: object contains unknown field `extra`",
        ),
    ],
)
def test_a_broken_file_is_told_with_its_field(tmp_path, content, why):
    """A file of another schema or with unknown fields is refused with the field."""
    device(tmp_path)
    write(tmp_path, "resnet50.json", content)
    with pytest.raises(BaselineError) as caught:
        Baselines(tmp_path).read("resnet50")
    assert (caught.value.what, caught.value.why) == (f"cannot use {tmp_path}/resnet50.json", why)


def test_a_fingerprint_that_matches_everything_is_refused(tmp_path):
    """An empty fingerprint is an error."""
    device(tmp_path, fingerprint={})
    with pytest.raises(BaselineError, match="it would match every device"):
        _ = Baselines(tmp_path).fingerprint


def test_a_name_is_looked_up_in_order_of_folders(tmp_path):
    """The first folder that has the name wins; what has no device.json has no name."""
    device(tmp_path / "mine" / "h200")
    device(tmp_path / "shipped" / "h200")
    device(tmp_path / "shipped" / "gtx1070")
    (tmp_path / "mine" / "drafts").mkdir()
    folders = [tmp_path / "mine", tmp_path / "shipped", tmp_path / "absent"]
    assert available(folders) == ["gtx1070", "h200"]
    assert resolve("h200", folders).folder == tmp_path / "mine" / "h200"


@pytest.mark.parametrize("name", ["gtx1071", "GTX1070"])
def test_an_unknown_name_names_the_nearest(name):
    """A misspelt name is refused with the valid ones."""
    with pytest.raises(OptionError) as caught:
        resolve(name, [SHIPPED])
    assert caught.value.what == f"unknown baseline {name!r}"
    assert "gtx1070" in caught.value.why


@pytest.mark.parametrize("name", ["..", ".", "", ".git", "a b"])
def test_a_name_cannot_leave_its_folder(tmp_path, name):
    """A name that is no plain component is unknown, even if there is such a folder."""
    device(tmp_path)
    device(tmp_path / "inner")
    with pytest.raises(OptionError, match="unknown baseline"):
        resolve(name, [tmp_path / "inner"])


def test_a_path_must_hold_a_device_file(tmp_path):
    """A path is taken as it is, if it holds device.json."""
    device(tmp_path / "h200")
    assert resolve(f"{tmp_path}/h200", []).name == "h200"
    with pytest.raises(OptionError) as caught:
        resolve(f"{tmp_path}/nope", [])
    assert str(caught.value) == (
        f"no baselines at {tmp_path}/nope\n"
        "  why:  it holds no device.json\n"
        "  mend: give a folder that --update-baselines has written, or a name without a separator"
    )


def test_a_destination_need_not_exist(tmp_path):
    """New baselines go into a folder of their name, or where the path says."""
    assert destination("rtx-4090", tmp_path) == tmp_path / "rtx-4090"
    assert destination("./mine", tmp_path) == Path("mine")
    with pytest.raises(OptionError) as caught:
        destination("..", tmp_path)
    assert str(caught.value) == (
        "cannot store baselines as '..'\n"
        "  why:  a name has lower-case letters, digits, dots, dashes and underscores only\n"
        "  mend: choose another name, or give a path with a separator in it"
    )


def test_auto_takes_the_most_specific_measured_match(tmp_path):
    """More items of the fingerprint win, then measured ones; nothing else matches."""
    device(tmp_path / "a-published", holds="published")
    device(tmp_path / "b-measured")
    device(tmp_path / "c-other", fingerprint={"kind": "cpu", "name": "x"})
    present = {**H200, "memory": "141 GB"}
    assert match_device(present, [tmp_path]).name == "b-measured"
    device(tmp_path / "d-specific", fingerprint=present)
    assert match_device(present, [tmp_path]).name == "d-specific"
    assert match_device({"kind": "cuda", "name": "else"}, [tmp_path]) is None


def test_the_gtx1070_ships_with_the_articles_figures():
    """DETR's published images per second are those of the article, with their source."""
    baselines = resolve("gtx1070", [SHIPPED])
    assert (baselines.is_published, baselines.models()) == (True, ("detr_resnet50",))
    entries = baselines.read("detr_resnet50")
    assert {key: each.figures for key, each in entries.items()} == {
        f"detr_resnet50-eager-fp32-b{batch}": {"throughput_per_s": rate}
        for batch, rate in ((1, 11.22), (4, 12.02), (8, 11.87), (16, 12.08))
    }
    assert all(isinstance(each.provenance, Published) for each in entries.values())


def test_reading_baselines_imports_no_numpy():
    """The plugin may import both modules at start: they load no array or lock library."""
    code = (
        "import sys, pytest_infer.baselines.floor, pytest_infer.judges.budget; "
        "sys.exit(bool({'numpy', 'scipy', 'filelock', 'torch'} & set(sys.modules)))"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own script


GATE = {
    "protocol": 1,
    "clock": "monotonic",
    "threads": 1,
    "measurements": [{"theta": 0.5, "rho": 3.0, "engine_ms": 7.5, "rounds": 100}],
    "artefact": "0123456789abcdef0123456789abcdef",
}


def gated(**changes):
    """Return an entry with measurements, as it stands in a file."""
    return {"figures": {"p50_ms": 7.5}, "provenance": MEASURED, "gate": GATE | changes}


def test_measurements_are_read(tmp_path):
    """Schema 2 has what the gate compares with."""
    model_file(tmp_path, gated())
    found = Baselines(tmp_path).read("resnet50")[KEY].gate
    assert [each.theta for each in found.measurements] == [0.5]
    assert (found.threads, found.rounds, found.artefact) == (1, 0, GATE["artefact"])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"timings": "0" * 63}, "timings: is no SHA-256 of kernels' timings"),
        ({"measurements": []}, "measurements: is empty"),
        (
            {"measurements": [{"theta": 0.5, "rho": 3.0, "engine_ms": 0.0, "rounds": 9}]},
            "measurements[0].engine_ms: is 0, and can only be from 1e-06 to 3.1536e+10",
        ),
        (
            {"measurements": [{"theta": 1e308, "rho": 3.0, "engine_ms": 1.0, "rounds": 9}]},
            (
                "measurements[0].theta: is 1e+308; it is the logarithm of a ratio of durations, "
                "from -38 to 38"
            ),
        ),
        (
            {"measurements": [{"theta": 0.5, "rho": -39.0, "engine_ms": 1.0, "rounds": 9}]},
            (
                "measurements[0].rho: is -39; it is the logarithm of a ratio of durations, from "
                "-38 to 38"
            ),
        ),
        (
            {"measurements": [{"theta": 0.5, "rho": 3.0, "engine_ms": 1.0, "rounds": 10**12}]},
            "measurements[0].rounds: is 1000000000000, and can only be from 1 to 1000000",
        ),
        ({"threads": -1}, "threads: is -1, and can only be from 0 to 1000000"),
        (
            {
                "measurements": [
                    {"theta": theta, "rho": 3.0, "engine_ms": 7.5, "rounds": 9}
                    for theta in (0.5, 0.5, -1.5)
                ]
            },
            # 7.5 ms over e to the 1.5 (= -1.5 + 3), and over e to the 3.5
            (
                "measurements[2]: theta -1.5, rho 3 and engine_ms 7.5 mean a fixed kernel of "
                "1.67 ms, and of 0.226 ms in the others: a figure is wrong"
            ),
        ),
        ({"artefact": "../../etc"}, "artefact: is no name of a built engine in a cache"),
    ],
)
def test_measurements_that_cannot_be(tmp_path, change, why):
    """The message names the field."""
    model_file(tmp_path, gated(**change))
    with pytest.raises(BaselineError) as caught:
        Baselines(tmp_path).read("resnet50")
    assert caught.value.why == f'$.entries["{KEY}"].gate.{why}'
