"""Folders of one device from several machines become one, or nothing happens."""

import pytest

from pytest_infer.baselines.difference import differences
from pytest_infer.baselines.entry import Entry, Measured
from pytest_infer.baselines.folder import Baselines
from pytest_infer.baselines.json_file import write_json
from pytest_infer.baselines.merge import merge_baselines
from pytest_infer.baselines.store import update
from pytest_infer.baselines.timings import keep_timings, read_timings, timing_differences
from pytest_infer.case import Case
from pytest_infer.errors import BaselineError

H200 = {"kind": "cuda", "name": "NVIDIA H200"}


def case(engine="ort", model="toy"):
    """Return a case."""
    return Case(model, engine, "fp32", 1, "cuda")


def entry(p50_ms, date="2026-01-02", **versions):
    """Return a measured entry."""
    return Entry({"p50_ms": p50_ms}, Measured("NVIDIA H200", date, "pytest", versions=versions))


@pytest.fixture
def stored(tmp_path):
    """Store entries in a folder; return it."""

    def make(name, entries, device=H200):
        update(tmp_path / name, device, entries)
        return Baselines(tmp_path / name)

    return make


def figures(folder):
    """Return the median of every entry."""
    baselines = Baselines(folder)
    return {
        key: each.figures["p50_ms"]
        for model in baselines.models()
        for key, each in baselines.read(model).items()
    }


def test_entries_of_all(stored, tmp_path):
    """Keys that only one side has are taken from it, in a new folder too."""
    first = stored("first", {case("ort"): entry(1.0)})
    second = stored("second", {case("trt"): entry(2.0), case("ort", "net"): entry(3.0)})
    changes = merge_baselines(tmp_path / "into", [first, second])
    assert figures(tmp_path / "into") == {
        "net-ort-fp32-b1": 3.0,
        "toy-ort-fp32-b1": 1.0,
        "toy-trt-fp32-b1": 2.0,
    }
    assert [each.key for each in changes] == sorted(figures(tmp_path / "into"))
    assert Baselines(tmp_path / "into").fingerprint == H200
    assert merge_baselines(tmp_path / "into", [first, second]) == []


def test_the_same_figures_are_no_conflict(stored):
    """What was merged before may be merged again, whatever day its provenance says."""
    into = stored("into", {case(): entry(1.0)})
    source = stored("source", {case(): entry(1.0, date="2026-02-03")})
    assert merge_baselines(into.folder, [source]) == []
    assert into.read("toy")["toy-ort-fp32-b1"].provenance.date == "2026-01-02"


def test_other_figures_are_a_conflict(stored):
    """All of them are reported, and nothing is written, not even what is in no conflict."""
    into = stored("into", {case("ort"): entry(1.0), case("ort", "net"): entry(1.0)})
    source = stored(
        "source",
        {case("ort"): entry(2.0), case("ort", "net"): entry(2.0), case("trt"): entry(9.0)},
    )
    with pytest.raises(BaselineError) as caught:
        merge_baselines(into.folder, [source])
    assert str(caught.value) == (
        f"cannot merge baselines into {into.folder}\n"
        "  why:  they have other figures for net-ort-fp32-b1, toy-ort-fp32-b1\n"
        "  mend: say whose: --take=newest (measured later), --take=into or --take=from"
    )
    assert figures(into.folder) == {"net-ort-fp32-b1": 1.0, "toy-ort-fp32-b1": 1.0}


def test_a_conflict_leaves_no_new_folder_half_made(stored, tmp_path):
    """Two sources that differ make no device.json either."""
    first, second = (stored(name, {case(): entry(ms)}) for name, ms in (("a", 1.0), ("b", 2.0)))
    with pytest.raises(BaselineError, match="cannot merge baselines into"):
        merge_baselines(tmp_path / "into", [first, second])
    assert {each.name for each in (tmp_path / "into").iterdir()} <= {".lock"}


def test_many_conflicts(stored):
    """Ten are reported, and how many more there are."""
    cases = [Case("toy", "ort", "fp32", batch, "cuda") for batch in range(1, 13)]
    into = stored("into", dict.fromkeys(cases, entry(1.0)))
    source = stored("source", dict.fromkeys(cases, entry(2.0)))
    with pytest.raises(BaselineError, match="toy-ort-fp32-b7 and 2 more"):
        merge_baselines(into.folder, [source])


@pytest.mark.parametrize(("take", "kept"), [("newest", 2.0), ("into", 1.0), ("from", 3.0)])
def test_whose(stored, take, kept):
    """By the day of the measurement, or always one side's, the last source's."""
    into = stored("into", {case(): entry(1.0, date="2026-01-02")})
    newest = stored("newest", {case(): entry(2.0, date="2026-02-01")})
    oldest = stored("oldest", {case(): entry(3.0, date="2025-12-31")})
    merge_baselines(into.folder, [newest, oldest], take)
    assert figures(into.folder) == {"toy-ort-fp32-b1": kept}


def test_of_the_same_day(stored):
    """The newest is not known then, and it is not guessed."""
    into, source = (stored(name, {case(): entry(ms)}) for name, ms in (("a", 1.0), ("b", 2.0)))
    with pytest.raises(BaselineError, match="they have other figures for toy-ort-fp32-b1"):
        merge_baselines(into.folder, [source], "newest")


def test_other_devices(stored, tmp_path):
    """Neither two devices among the sources, nor another than the target's."""
    mine = stored("mine", {case(): entry(1.0)})
    yours = stored("yours", {case(): entry(1.0)}, {"kind": "cuda", "name": "NVIDIA L4"})
    with pytest.raises(BaselineError) as caught:
        merge_baselines(tmp_path / "into", [mine, yours])
    assert caught.value.why == (
        f"{yours.folder} is of NVIDIA L4 (kind cuda), {mine.folder} of NVIDIA H200 (kind cuda)"
    )
    with pytest.raises(BaselineError, match="it belongs to"):
        merge_baselines(mine.folder, [yours])


def test_published(tmp_path):
    """Figures of a publication are nobody's measurements."""
    device = {"schema": 3, "fingerprint": H200, "holds": "published"}
    (tmp_path / "paper").mkdir()
    write_json(tmp_path / "paper" / "device.json", device)
    with pytest.raises(BaselineError, match="holds published figures"):
        merge_baselines(tmp_path / "into", [Baselines(tmp_path / "paper")])


def test_differences(stored):
    """Added, removed and changed keys, with the versions that changed; the same is none."""
    old = stored("old", {case("a"): entry(1.0, ort="1.0"), case("b"): entry(2.0)})
    new = stored("new", {case("a"): entry(1.5, ort="1.1"), case("c"): entry(3.0)})
    assert [(each.key, each.note) for each in differences(old, new)] == [
        ("toy-a-fp32-b1", "ort 1.0 -> 1.1"),
        ("toy-b-fp32-b1", "removed"),
        ("toy-c-fp32-b1", "added"),
    ]
    again = stored("again", {case("a"): entry(9.0, ort="1.0"), case("b"): entry(2.0)})
    assert [(each.key, each.note) for each in differences(old, again)] == [
        ("toy-a-fp32-b1", "measured again")
    ]
    assert differences(old, old) == []


NAME = "trt-8.6.0.timing"


@pytest.fixture
def timed(stored):
    """Store an entry of TensorRT's and the timings of its builds; return the baselines."""

    def make(name, timings, date="2026-01-02"):
        made = stored(name, {case("trt", name): entry(1.0, date)})
        keep_timings(made.folder, H200, NAME, lambda _: timings)
        return made

    return make


def test_timings_of_the_only_side(timed, stored, tmp_path):
    """They come with the entries, checked and with their digest."""
    merge_baselines(tmp_path / "into", [stored("first", {case(): entry(1.0)}), timed("b", b"x")])
    assert read_timings(tmp_path / "into" / NAME) == b"x"
    merge_baselines(tmp_path / "into", [timed("b", b"x")])


@pytest.mark.parametrize(
    ("take", "dates", "kept"),
    [
        ("into", ("2026-01-02", "2026-01-03"), b"a"),
        ("from", ("2026-01-03", "2026-01-02"), b"b"),
        ("newest", ("2026-01-02", "2026-01-03"), b"b"),
        ("newest", ("2026-01-03", "2026-01-02"), b"a"),
        ("newest", ("2026-01-02", "2026-01-02"), None),
        (None, ("2026-01-02", "2026-01-03"), None),
    ],
)
def test_timings_of_two_sides(timed, take, dates, kept):
    """Only the library could join them, so somebody says whose; else nothing is written."""
    into, source = timed("a", b"a", dates[0]), timed("b", b"b", dates[1])
    if kept is None:
        with pytest.raises(BaselineError, match="cannot merge") as caught:
            merge_baselines(into.folder, [source], take)
        assert caught.value.why == f"they have other timings in {NAME}"
        assert into.models() == ("a",)
    else:
        merge_baselines(into.folder, [source], take)
        assert read_timings(into.folder / NAME) == kept
        assert into.models() == ("a", "b")


def test_timings_differ(timed, stored):
    """A diff names the file, not its bytes."""
    first, second, none = timed("a", b"a"), timed("b", b"b"), stored("c", {case(): entry(1.0)})
    assert timing_differences(first.folder, second.folder) == [f"{NAME}: other timings"]
    assert timing_differences(none.folder, second.folder) == [f"{NAME}: added"]
    assert timing_differences(first.folder, none.folder) == [f"{NAME}: removed"]
    assert timing_differences(first.folder, first.folder) == []
