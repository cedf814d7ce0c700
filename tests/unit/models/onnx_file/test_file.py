"""A file that cannot be used says what is wrong with it, and how to mend it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pytest_infer.errors import ModelError
from pytest_infer.models.onnx_file.file import files_of, read_file


def refusal(path):
    """Return the error that reading raises."""
    with pytest.raises(ModelError) as caught:
        read_file(path)
    assert caught.value.what == f"cannot use the ONNX file {path}"
    return caught.value


def changed(path, change):
    """Write a file with a change again."""
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return path


def test_missing(files):
    """The nearest file of the folder is named."""
    path = files.product()
    error = refusal(path.with_name("nets.onnx"))
    assert (error.why, error.mend) == ("there is no such file", "did you mean 'net.onnx'?")


def test_folder(files):
    """A folder is no file."""
    assert refusal(files.folder).why == "it is a folder"


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_truncated(files, keep):
    """A file that was cut off is told from a whole one."""
    path = files.product()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    error = refusal(path)
    assert error.why.startswith("it is damaged, cut off, or no ONNX file: ")
    assert (
        error.mend == "export the model again, and copy the file with a tool that compares its size"
    )


@pytest.mark.parametrize("content", [b"", b"\x08\x0a"])
def test_empty(files, content):
    """Bytes that happen to be a message hold no graph."""
    path = files.folder / "net.onnx"
    path.write_bytes(content)
    assert refusal(path).why == "it holds no graph of any operator set"


def test_new_opset(files):
    """An operator set that onnx does not know yet is named, with those that it knows."""
    path = changed(files.product(), lambda model: _set_opset(model, 99))
    newest = onnx.defs.onnx_opset_version()
    error = refusal(path)
    assert error.why == f"its operator set is 99; onnx {onnx.__version__} knows 9 to {newest}"
    assert error.mend.startswith("install a newer onnx")


def test_old_opset(files):
    """An operator set that onnx's reference code lacks is named, with a way to convert it."""
    error = refusal(changed(files.product(), lambda model: _set_opset(model, 7)))
    assert error.mend == "convert it: onnx.version_converter.convert_version(model, 17)"


def _set_opset(model, version):
    model.opset_import[0].version = version


def test_unknown_operator(files):
    """An operator that ONNX has not is named with its node."""
    path = files.product()
    changed(path, lambda model: setattr(model.graph.node[0], "op_type", "MatMall"))
    error = refusal(path)
    assert error.why == "the node 'product' (MatMall): ONNX has no such operator in its set 18"


def test_unknown_domain(files, value):
    """An operator of someone's own is refused unless the file has a function of its name."""
    nodes = [helper.make_node("Twice", ["x"], ["y"], domain="com.acme", name="twice")]
    given = {"domains": {"com.acme": 1}}
    path = files.write(nodes, [value("x", [2])], [value("y", [2])], **given)
    error = refusal(path)
    assert error.why == (
        "the node 'twice' (com.acme.Twice): the reference has no such operator, and the file has "
        "no function of that name"
    )
    body = [helper.make_node("Add", ["x", "x"], ["y"])]
    function = helper.make_function(
        "com.acme", "Twice", ["x"], ["y"], body, [helper.make_opsetid("", 18)]
    )
    changed(path, lambda model: model.functions.append(function))
    assert read_file(path).functions


@pytest.mark.parametrize(
    "name", ["HardSwish", "Mish", "Softplus", "Gelu", "MeanVarianceNormalization"]
)
def test_functions_of_onnx(files, value, name):
    """Operators that ONNX itself makes of others are known."""
    shape = [1, 2, 3, 3]
    node = helper.make_node(name, ["x"], ["y"])
    path = files.write([node], [value("x", shape)], [value("y", shape)], opset=20)
    assert read_file(path).graph.node


def test_known_microsoft_operators(files, value):
    """Of com.microsoft, those that the reference has are listed."""
    nodes = [helper.make_node("CropAndResize", ["x"], ["y"], domain="com.microsoft")]
    path = files.write(nodes, [value("x", [2])], [value("y", [2])], domains={"com.microsoft": 1})
    assert "; of com.microsoft it has BiasGelu, FastGelu, FusedMatMul, Gelu" in refusal(path).why


def test_invalid(files):
    """What onnx's checker refuses is told in its words."""
    path = changed(
        files.product(), lambda model: model.graph.node[0].input.__setitem__(0, "nothing")
    )
    assert "onnx's checker refuses it: " in refusal(path).why


def external(files):
    """Write a file whose weight lies beside it."""
    return files.product(save_as_external_data=True, location="weights.bin", size_threshold=0)


def test_external_data(files):
    """The file and its weights decide together what it computes."""
    path = external(files)
    assert [each.name for each in files_of(path)] == ["net.onnx", "weights.bin"]
    assert read_file(path).graph.node


def test_absent_external_data(files):
    """Weights that are not there are named, and where they belong."""
    path = external(files)
    (files.folder / "weights.bin").unlink()
    for read in (read_file, files_of):
        with pytest.raises(ModelError) as caught:
            read(path)
        folder = files.folder
        assert caught.value.why == (
            f"its weights are in 'weights.bin', and {folder} has no such file"
        )


def test_truncated_external_data(files):
    """Weights that were cut off are told by the bytes that are missing."""
    path = external(files)
    (files.folder / "weights.bin").write_bytes(b"short")
    assert refusal(path).why == "the weight 'w' ends at byte 48 of weights.bin, which has 5"


def test_external_data_elsewhere(files):
    """A path that leads out of the folder is refused."""
    path = external(files)

    def escape(model):
        model.graph.initializer[0].external_data[0].value = "../weights.bin"

    model = onnx.load(path, load_external_data=False)
    escape(model)
    path.write_bytes(model.SerializeToString())
    assert (
        refusal(path).why == "it says that weights lie in '../weights.bin', which is not beside it"
    )


def test_large_ints_are_no_floats(files, value):
    """A file without any fraction is read, too."""
    node = helper.make_node("Add", ["x", "one"], ["y"])
    kind = TensorProto.INT64
    path = files.write(
        [node], [value("x", [2], kind)], [value("y", [2], kind)], {"one": np.array([1, 1])}
    )
    assert read_file(path).graph.node[0].op_type == "Add"
