"""Every option: one table, one reader each, an ini twin, a frozen value."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from pytest_infer.config import InferConfig
from pytest_infer.errors import OptionError
from pytest_infer.plugin import MARKS
from pytest_infer.plugin.option_table import OPTIONS
from pytest_infer.plugin.options import read_config

BY_FLAG = {option.flag: option for option in OPTIONS}


class FakeConfig:
    """A pytest configuration with these options and ini values."""

    rootpath = Path("/root/of/project")

    def __init__(self, options=(), ini=()):
        self.options, self.ini = dict(options), dict(ini)

    def getoption(self, name):
        """Return what the command line gave."""
        return self.options.get(name)

    def getini(self, name):
        """Return what the ini file gave."""
        return self.ini.get(name)


def read(flag, *texts):
    """Return the field that an option with these values sets."""
    option = BY_FLAG[flag]
    given = list(texts) if option.metavar else True
    return getattr(read_config(FakeConfig({option.dest: given})), option.field)


def test_one_option_per_field():
    """The table covers exactly the fields of `InferConfig`, but for what nobody asks for."""
    asked = {field.name for field in fields(InferConfig)} - {"worker", "given"}
    assert sorted(option.field for option in OPTIONS) == sorted(asked)


def test_names_of_ini_twins():
    """An ini value is called infer_NOUN, whatever the option begins with."""
    assert {option.flag: option.ini for option in OPTIONS} == {
        "--engine": "infer_engine",
        "--gpu-baseline": "infer_gpu_baseline",
        "--update-baselines": "infer_update_baselines",
        "--infer-model": "infer_model",
        "--infer-input": "infer_input",
        "--infer-precision": "infer_precision",
        "--infer-batch": "infer_batch",
        "--infer-device": "infer_device",
        "--infer-host": "infer_host",
        "--infer-against": "infer_against",
        "--infer-option": "infer_option",
        "--infer-weights": "infer_weights",
        "--infer-images": "infer_images",
        "--infer-cache": "infer_cache",
        "--infer-baselines": "infer_baselines",
        "--infer-calls": "infer_calls",
        "--infer-warmup": "infer_warmup",
        "--infer-timeout": "infer_timeout",
        "--infer-report": "infer_report",
        "--infer-strict": "infer_strict",
        "--infer-thorough": "infer_thorough",
        "--infer-localize": "infer_localize",
        "--infer-int8-loss": "infer_int8_loss",
        "--infer-profile": "infer_profile",
        "--infer-artifacts": "infer_artifacts",
        "--infer-unquantized": "infer_unquantized",
        "--infer-fuzz-examples": "infer_fuzz_examples",
        "--infer-fuzz-replay": "infer_fuzz_replay",
    }


def test_nothing_given():
    """Without options the defaults hold; baselines lie at the root of the project."""
    assert read_config(FakeConfig()) == InferConfig(baselines=Path("/root/of/project/baselines"))


def test_help_is_ascii():
    """Pytest escapes all of its help where a terminal cannot show one sign of it."""
    texts = [text for option in OPTIONS for text in (option.flag, option.metavar, option.help)]
    assert all(text.isascii() for text in (*texts, *MARKS))


def test_frozen():
    """Nobody changes what the user asked for."""
    with pytest.raises(FrozenInstanceError):
        InferConfig().device = "cpu"


@pytest.mark.parametrize(
    ("flag", "texts", "value"),
    [
        ("--engine", ["ort,trt", " ort , eager"], ("ort", "trt", "eager")),
        ("--infer-model", ["a", "b"], ("a", "b")),
        ("--infer-input", ["x:int64[batch,8]:0..9"], ("x:int64[batch,8]:0..9",)),
        ("--infer-precision", ["fp16,int8,fp16"], ("fp16", "int8")),
        ("--infer-batch", ["1,8", "8,2"], (1, 8, 2)),
        ("--infer-device", ["cpu", "cuda"], "cuda:0"),
        ("--infer-device", ["cuda:3"], "cuda:3"),
        ("--infer-device", ["auto"], "auto"),
        ("--infer-calls", ["1", "100"], 100),
        ("--infer-warmup", ["0"], 0),
        ("--infer-timeout", ["0.5"], 0.5),
        ("--infer-fuzz-examples", ["20", "200"], 200),
        ("--infer-fuzz-replay", ["batch=1,seed=0"], "batch=1,seed=0"),
        ("--infer-strict", [], True),
        ("--infer-int8-loss", [], True),
        ("--infer-unquantized", ["a=y,b=z=1", "a=x,a=y"], {"a": ("x", "y"), "b": ("z=1",)}),
        ("--update-baselines", [], "all"),
        ("--gpu-baseline", ["gtx1070"], "gtx1070"),
        ("--infer-weights", ["pretrained"], "pretrained"),
        ("--infer-cache", ["kept"], Path("/root/of/project/kept")),
        ("--infer-baselines", ["/stored"], Path("/stored")),
        (
            "--infer-host",
            ["ort=popen//python=/a/python,trt=ssh=jetson//python=python3", "eager=inline"],
            {"ort": "popen//python=/a/python", "trt": "ssh=jetson//python=python3"}
            | {"eager": "inline"},
        ),
        ("--infer-against", ["ort=popen,trt=ssh=jetson"], {"ort": "popen", "trt": "ssh=jetson"}),
        (
            "--infer-report",
            ["json:a.json,md:b.md", "html:C:/d.html"],
            (("json", Path("a.json")), ("md", Path("b.md")), ("html", Path("C:/d.html"))),
        ),
    ],
)
def test_read(flag, texts, value):
    """Lists are split at commas, may repeat, keep their order; of single values the last wins."""
    assert read(flag, *texts) == value


@pytest.mark.parametrize(
    "text", ["ort=popen//python=/a\ntvm=popen", "\nort=popen//python=/a,\ntvm=popen\n"]
)
def test_ini_value_over_several_lines(text):
    """A list in an ini file has commas, line ends or both between its items."""
    hosts = read_config(FakeConfig(ini={"infer_host": text})).hosts
    assert hosts == {"ort": "popen//python=/a", "tvm": "popen"}


def test_folders(tmp_path):
    """A folder that exists is taken, for weights as for images."""
    assert read("--infer-images", str(tmp_path)) == tmp_path
    assert read("--infer-weights", str(tmp_path)) == str(tmp_path)


def test_file_for_a_folder(tmp_path):
    """A file is not a folder, and the folder beside it that is meant is named."""
    (tmp_path / "images").mkdir()
    (tmp_path / "image").write_text("")
    with pytest.raises(OptionError) as caught:
        read("--infer-images", str(tmp_path / "image"))
    assert str(caught.value) == (
        f"--infer-images={tmp_path / 'image'} is not a folder\n  why:  it is a file\n"
        f"  mend: name a folder that exists; did you mean {tmp_path / 'images'}?"
    )


@pytest.mark.parametrize(
    ("flag", "text", "message"),
    [
        ("--infer-batch", "0", "why:  it takes whole numbers from 1 to 1000000: "),
        ("--infer-batch", "-1", "why:  it takes whole numbers from 1 to 1000000: "),
        ("--infer-batch", "1.5", "why:  it takes whole numbers from 1 to 1000000: "),
        ("--infer-calls", "²", "why:  it takes whole numbers from 1 to 1000000: "),
        ("--infer-warmup", "-1", "why:  it takes whole numbers from 0 to 1000000: "),
        ("--infer-timeout", "0", "why:  it takes a positive number of seconds"),
        ("--infer-timeout", "nan", "why:  it takes a positive number of seconds"),
        ("--infer-timeout", "inf", "why:  it takes a positive number of seconds"),
        ("--infer-precision", "fp61", "mend: did you mean 'fp64'?"),
        ("--infer-device", "cuda:²", "unknown device 'cuda:²'"),
        ("--infer-device", "cuda:", "unknown device 'cuda:'"),
        ("--infer-host", "=popen", "why:  it takes ENGINE=SPEC"),
        ("--infer-host", "ort=", "why:  it takes ENGINE=SPEC"),
        ("--infer-against", "ort", "why:  it takes ENGINE=SPEC"),
        ("--infer-against", "ort=inline", "why:  inline is this process"),
        ("--infer-against", "ort=popen,ort=popen//nice=1", "compared with one other environment"),
        ("--infer-report", "json", "why:  it takes KIND:PATH"),
        ("--infer-report", "json:", "mend: for example --infer-report=json:report.json"),
        ("--infer-input", "image:3x16", "why:  its form is [MODEL.]NAME:DTYPE[SIZE,...]"),
        ("--infer-input", "net.image:float[batch]", "mend: did you mean 'float32'?"),
        ("--infer-weights", "/missing", "(or one of: seeded, pretrained, random)"),
    ],
)
def test_refused(flag, text, message):
    """A value that makes no sense is refused with what the option takes."""
    with pytest.raises(OptionError) as caught:
        read(flag, text)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", ",", " , "])
@pytest.mark.parametrize("flag", [option.flag for option in OPTIONS if option.metavar])
def test_nothing_named(flag, text):
    """An option that names nothing is refused: it would silently mean everything or nothing."""
    with pytest.raises(OptionError) as caught:
        read(flag, text)
    assert str(caught.value) == (
        f"{flag}={text} is not valid\n  why:  it names nothing\n"
        f"  mend: write {flag}={BY_FLAG[flag].metavar}, or leave it out"
    )


@pytest.mark.parametrize(("text", "value"), [("true", True), ("ON", True), ("0", False)])
def test_ini_flag(text, value):
    """A flag's ini twin takes the usual words."""
    assert read_config(FakeConfig(ini={"infer_strict": text})).strict is value


def test_ini_flag_misspelt():
    """A word that is neither yes nor no is refused; it must not switch strictness off."""
    with pytest.raises(OptionError, match="unknown value of --infer-strict 'ture'"):
        read_config(FakeConfig(ini={"infer_strict": "ture"}))


def test_command_line_goes_before_ini():
    """An option replaces its ini twin, it does not add to it."""
    config = FakeConfig({"infer_engine": ["ort"]}, {"infer_engine": "eager", "infer_batch": "2"})
    read = read_config(config)
    assert (read.engines, read.batches) == (("ort",), (2,))


def test_cache_off():
    """``off`` is no folder; a folder of that name is given as a path."""
    assert read("--infer-cache", "off") == "off"
    assert read("--infer-cache", "./off") == Path("/root/of/project/off")
    assert read("--infer-cache", "off", "mine") == Path("/root/of/project/mine")


@pytest.mark.parametrize(
    ("text", "update"),
    [("true", "all"), ("new", "new"), ("Improved", "improved"), ("all", "all"), ("off", None)],
)
def test_update_by_ini(text, update):
    """A flag's words and the modes; what is off is as if it were not there."""
    config = FakeConfig(ini={"infer_update_baselines": text})
    assert read_config(config).update == update


def test_unknown_update_by_ini():
    """Another word is refused with those that there are."""
    with pytest.raises(OptionError) as caught:
        read_config(FakeConfig(ini={"infer_update_baselines": "newer"}))
    assert str(caught.value) == (
        "unknown value of --update-baselines 'newer'\n"
        "  why:  valid choices: 0, 1, all, false, improved, new, no, off, on, true, yes\n"
        "  mend: did you mean 'new'?"
    )
