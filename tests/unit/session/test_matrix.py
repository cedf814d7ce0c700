"""Which cases there are: what was asked for, what can run, and why the rest cannot."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pytest_infer.case import Case
from pytest_infer.config import InferConfig
from pytest_infer.engines import registry as engines
from pytest_infer.engines.protocol import Missing
from pytest_infer.engines.setting import EngineOption
from pytest_infer.errors import NoCaseError, OptionError
from pytest_infer.models import registry as models
from pytest_infer.models.source import Source
from pytest_infer.models.spec import ModelSpec, OnnxFacts, TensorSpec
from pytest_infer.plugin import marks
from pytest_infer.plugin.marks import Narrowing, mark_of, narrowing_of
from pytest_infer.session.matrix import make_matrix

ABSENT = Missing("gamma is not installed", "pip install gamma")
PRECISIONS = {"alpha": ("fp32", "fp16"), "beta": ("fp32",), "gamma": ("fp32",)}
OPTIONS = {"threads": EngineOption(0, "threads"), "graph": EngineOption(False, "a graph")}
TASKS = {"zoo": "classification", "ant": "detection"}


def spec(name, task, shape=("batch", 8)):
    """Return the spec of a model with one input and one output."""
    tensors = {"x": TensorSpec(shape)}
    return ModelSpec(name, task, tensors, tensors, Source(module=name))


@pytest.fixture(autouse=True)
def _small_world(monkeypatch):
    """Three engines, of which gamma is absent, and two models."""
    fakes = {
        name: SimpleNamespace(precisions={"cpu": each}, options=OPTIONS)
        for name, each in PRECISIONS.items()
    }
    known = {
        name: SimpleNamespace(spec=spec(name, task), is_listed=True)
        for name, task in sorted(TASKS.items())
    }
    for module, found in ((engines, fakes), (models, known)):
        monkeypatch.setattr(module, "registered", lambda found=found: found)
        monkeypatch.setattr(module, "find", found.__getitem__)


def ids(matrix):
    """Return the ids of the cases, in order."""
    return [case.id for case in matrix.cases]


def make(**options):
    """Return the matrix of these options on the CPU."""
    return make_matrix(InferConfig(**options), lambda _: "cpu", {"gamma": ABSENT}.get)


def test_auto():
    """By default every engine that can run here is tested; the others are reported."""
    matrix = make()
    assert ids(matrix) == [
        f"{model}-{engine}-fp32-b1" for model in ("ant", "zoo") for engine in ("alpha", "beta")
    ]
    (lack,) = matrix.exclusions
    assert (lack.what, lack.cases, lack.lack) == ("gamma in fp32", 2, ABSENT)


def test_order():
    """Cases are sorted by model as they were asked for, then batch: all of one feed together."""
    matrix = make(models=("zoo", "ant"), batches=(8, 1), engines=("beta", "alpha"))
    assert ids(matrix) == [
        f"{model}-{engine}-fp32-b{batch}"
        for model in ("zoo", "ant")
        for batch in (1, 8)
        for engine in ("alpha", "beta")
    ]


def test_precision_that_an_engine_lacks():
    """It is reported per engine, with what the engine can do."""
    matrix = make(precisions=("fp16", "fp32"), models=("ant",), batches=(1, 2))
    lack = matrix.exclusions[0]
    assert (lack.what, lack.cases) == ("beta in fp16", 2)
    assert (lack.lack.why, lack.lack.mend) == ("on cpu, beta runs fp32", "--infer-precision=fp32")


@pytest.mark.parametrize("chosen", [("gamma",), ("alpha", "gamma"), ("all",), ("auto", "gamma")])
def test_engine_that_was_demanded(chosen):
    """An engine that was asked for by name and cannot run here ends the run, beside auto too."""
    with pytest.raises(OptionError) as caught:
        make(engines=chosen)
    assert str(caught.value) == (
        "cannot run engine 'gamma' here\n  why:  gamma is not installed\n  mend: pip install gamma"
    )


@pytest.mark.parametrize("chosen", [("alfa",), ("auto", "alfa"), ("all", "alfa")])
def test_unknown_engine(chosen):
    """A name that no engine has is refused, beside auto and all too."""
    with pytest.raises(OptionError) as caught:
        make(engines=chosen)
    assert str(caught.value) == (
        "unknown engine 'alfa'\n  why:  valid choices: all, alpha, auto, beta, gamma\n"
        "  mend: did you mean 'alpha'?"
    )


def test_nothing_left():
    """A matrix without a case is an error with every reason."""
    with pytest.raises(OptionError) as caught:
        make(engines=("alpha", "beta"), precisions=("int8",))
    assert str(caught.value) == (
        "no case is left to test\n"
        "  why:  alpha in int8: on cpu, alpha runs fp32, fp16; "
        "beta in int8: on cpu, beta runs fp32\n"
        "  mend: --infer-precision=fp32"
    )


def node(*keywords, args=()):
    """Return a test with ``infer`` marks, the nearest first."""
    found = [SimpleNamespace(args=args, kwargs=each) for each in keywords]
    return SimpleNamespace(nodeid="test_it", iter_markers=lambda _: iter(found))


@pytest.mark.parametrize(
    ("keywords", "wanted"),
    [
        ({}, True),
        ({"models": "ant"}, True),
        ({"models": ["zoo"]}, False),
        ({"engines": ("alpha", "beta")}, True),
        ({"precisions": "fp32"}, False),
        ({"batches": 8}, True),
        ({"batches": {1, 2}}, False),
        ({"tasks": "classification"}, False),
        ({"tasks": "detection", "engines": "beta"}, False),
    ],
)
def test_narrowing(keywords, wanted):
    """A case is wanted if every keyword names it."""
    case = Case("ant", "alpha", "fp16", 8, "cpu")
    assert narrowing_of(node(keywords)).wants(case) is wanted


def test_nearest_mark_wins():
    """A test's own keyword replaces its class's; other keywords of the class stay."""
    found = narrowing_of(node({"models": "ant"}, {"models": "zoo", "batches": 1}))
    assert found == Narrowing(models=("ant",), batches=(1,))


def test_no_mark():
    """Without a mark nothing is made of it."""
    assert mark_of(node(), "infer", marks._narrowing) is None


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"engine": "alpha"}, "unknown keyword 'engine'"),
        ({"engines": "alfa"}, "unknown engine 'alfa'"),
        ({"models": [3]}, "unknown model '3'"),
        ({"precisions": "fp61"}, "unknown precision 'fp61'"),
        ({"tasks": "detecting"}, "unknown task 'detecting'"),
        ({"batches": "8"}, "cannot use batch '8'"),
        ({"batches": [1, 0]}, "cannot use batch 0"),
        ({"batches": True}, "cannot use batch True"),
        ({"models": None}, "cannot use models=None"),
        ({"batches": 1.5}, "cannot use batches=1.5"),
    ],
)
def test_refused_keyword(keywords, text):
    """What no case can have is refused, naming the test; it would leave out every check."""
    with pytest.raises(OptionError) as caught:
        narrowing_of(node(keywords))
    assert str(caught.value).startswith(f"@pytest.mark.infer of test_it: {text}\n  why:  ")


def test_settings():
    """What differs from an engine's defaults is a part of its cases and of their ids."""
    texts = {"alpha.threads": "2", "alpha.graph": "true", "beta.threads": "0"}
    matrix = make(engine_options=texts, models=("ant",))
    assert ids(matrix) == ["ant-alpha-fp32-b1+graph+threads=2", "ant-beta-fp32-b1"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("alpha.thread", "1", "unknown option of alpha 'thread'"),
        ("alpha.threads", "many", "alpha.threads=many is not valid"),
        ("alpha.graph", "yes", "unknown value of alpha.graph 'yes'"),
    ],
)
def test_settings_that_make_no_sense(name, text, message):
    """A name or value that the engine does not know is refused, with those that it knows."""
    with pytest.raises(OptionError) as caught:
        make(engine_options={name: text})
    assert caught.value.what == message


def test_precision_that_this_machine_lacks():
    """An engine's own version or hardware decides too, and is reported."""
    lack = Missing("the CPU has no fp16", "another CPU")
    matrix = make_matrix(
        InferConfig(precisions=("fp16", "fp32"), engines=("alpha",)),
        lambda _: "cpu",
        {}.get,
        lambda _, precision: lack if precision == "fp16" else None,
    )
    assert ids(matrix) == ["ant-alpha-fp32-b1", "zoo-alpha-fp32-b1"]
    assert [each.lack for each in matrix.exclusions] == [lack]


def test_a_model_without_a_batch_has_one_case(monkeypatch):
    """Its case is batch 1; the other batches that were asked for are reported, not run."""
    known = {"ant": SimpleNamespace(spec=spec("ant", "tensor", (4, 8)), is_listed=True)}
    monkeypatch.setattr(models, "registered", lambda: known)
    monkeypatch.setattr(models, "find", known.__getitem__)
    matrix = make(batches=(1, 8), engines=("alpha",))
    assert [case.batch for case in matrix.cases] == [1]
    (left,) = matrix.exclusions
    assert (left.what, left.cases) == ("ant at batch 8", 1)
    with pytest.raises(OptionError, match="no input of its spec has a dimension called batch"):
        make(batches=(8,), engines=("alpha",))


def test_narrowed_to_models_with_a_batch():
    """Both of the small world's have one."""
    assert Narrowing(batched=(True,)).wants(Case("ant", "alpha", "fp32", 1, "cpu"))
    assert not Narrowing(batched=(False,)).wants(Case("ant", "alpha", "fp32", 1, "cpu"))


@pytest.fixture
def file_facts(monkeypatch):
    """Let ``zoo`` be an ONNX file; alpha is built from files, beta from modules."""
    formats = {"alpha": "onnx", "beta": "module"}
    monkeypatch.setattr(
        "pytest_infer.session.matrix.graph_format", lambda case: formats[case.engine]
    )

    def be_file(**facts):
        found = models.registered()["zoo"]
        found.spec = replace(found.spec, onnx=OnnxFacts(**{"opset": 18, **facts}))
        return found

    return be_file


def told(matrix):
    """Return what could not run, and why."""
    return {each.what: each.lack.why for each in matrix.exclusions if each.what.startswith("zoo")}


def test_file_has_no_module(file_facts):
    """An ONNX file is not run by what is made from a module, and that is told by name."""
    file_facts()
    matrix = make(models=("zoo",), engines=("alpha", "beta"), batches=(1, 2))
    assert ids(matrix) == ["zoo-alpha-fp32-b1", "zoo-alpha-fp32-b2"]
    assert told(matrix) == {
        "zoo on beta in fp32": "an ONNX file has no module, from which these are made"
    }


def test_file_of_one_precision(file_facts):
    """A file in fp16 has no case in another precision."""
    file_facts(precision="fp16")
    matrix = make(models=("zoo",), engines=("alpha",), precisions=("fp32", "fp16"))
    assert ids(matrix) == ["zoo-alpha-fp16-b1"]
    assert told(matrix) == {"zoo on alpha in fp32": "the file's own types are fp16"}


def test_file_with_operators_that_an_engine_lacks(file_facts, monkeypatch):
    """An engine that says so of their domain is not asked to build it."""
    file_facts(domains=("ai.onnx.ml", "com.microsoft"))
    monkeypatch.setattr(engines.find("alpha"), "unknown_domains", ("ai.onnx.ml",), raising=False)
    with pytest.raises(NoCaseError) as caught:
        make(models=("zoo",), engines=("alpha",))
    assert str(caught.value) == (
        "no case is left to test\n"
        "  why:  zoo on alpha in fp32: the file has operators of ai.onnx.ml, and alpha has none of "
        "them\n"
        "  mend: ask for engines that have them, as ort does, or export the model without them"
    )
    monkeypatch.setattr(engines.find("alpha"), "unknown_domains", ("org.other",))
    assert ids(make(models=("zoo",), engines=("alpha",))) == ["zoo-alpha-fp32-b1"]


def test_file_of_one_batch(file_facts):
    """A file whose sizes are fixed at a batch has cases of that batch alone."""
    found = file_facts(rows=4)
    tensors = {"x": TensorSpec((4, 8))}
    found.spec = replace(found.spec, inputs=tensors, outputs=tensors)
    matrix = make(models=("zoo",), engines=("alpha",), batches=(1, 4))
    assert ids(matrix) == ["zoo-alpha-fp32-b4"]
    assert told(matrix) == {"zoo at batch 1": "the sizes in its file are fixed, at a batch of 4"}


def test_narrowed_to_models_with_a_task(monkeypatch):
    """What has a judge of its task, and what has none."""
    known = {name: SimpleNamespace(spec=spec(name, name)) for name in ("regression", "tensor")}
    monkeypatch.setattr(models, "find", known.__getitem__)
    wanted = {
        name: [is_with for is_with in (True, False) if Narrowing(with_task=(is_with,)).wants(case)]
        for name, case in {name: Case(name, "alpha", "fp32", 1, "cpu") for name in known}.items()
    }
    assert wanted == {"regression": [True], "tensor": [False]}


def test_once_is_the_smallest_model_of_each_engine(monkeypatch):
    """By the weights, then by the inputs; unknown weights are large. Settings and batches stay."""
    sized = {"large": 9, "small": 2, "unknown": 0}
    known = {
        name: SimpleNamespace(spec=replace(spec(name, "regression"), parameters=parameters))
        for name, parameters in sized.items()
    }
    monkeypatch.setattr(models, "find", known.__getitem__)
    cases = [
        Case(name, engine, "fp32", batch, "cpu")
        for name, engine, batch in (
            *(("large", "alpha", 1), ("small", "alpha", 1), ("unknown", "alpha", 1)),
            *(("large", "alpha", 4), ("large", "beta", 1), ("unknown", "gamma", 1)),
        )
    ]
    chosen = Narrowing(once=(True,)).chosen(cases)
    assert [(case.model, case.engine, case.batch) for case in chosen] == [
        *(("small", "alpha", 1), ("large", "alpha", 4)),
        *(("large", "beta", 1), ("unknown", "gamma", 1)),
    ]
    assert Narrowing().chosen(cases) == Narrowing(once=(False,)).chosen(cases) == cases


def test_a_path_that_is_no_source(tmp_path):
    """A folder without hf: in front, say: the forms of sources are named, not the models."""
    with pytest.raises(OptionError) as caught:
        make(models=(str(tmp_path),))
    assert "a Hugging Face folder as hf:FOLDER" in caught.value.mend


def test_a_script_is_not_traced():
    """An engine that traces Python has nothing to trace; the others run it."""
    models.find("zoo").spec = replace(models.find("zoo").spec, is_scripted=True)
    engines.find("beta").traces_python = True
    matrix = make(models=("zoo", "ant"), engines=("alpha", "beta"))
    assert ids(matrix) == ["zoo-alpha-fp32-b1", "ant-alpha-fp32-b1", "ant-beta-fp32-b1"]
    assert told(matrix) == {
        "zoo on beta in fp32": "a TorchScript file has no Python code, which this engine traces"
    }


def test_a_name_that_no_path_can_have():
    """Longer than file systems allow, it is an unknown model like any other."""
    with pytest.raises(OptionError, match="unknown model"):
        make(models=("a" * 5000,))
