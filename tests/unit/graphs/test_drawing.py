"""The picture of a graph: modules, fused layers, rows, and where cells are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infer.graphs.blocks import MOST_UNITS, blocks_of
from pytest_infer.graphs.drawing import FOLDED, MOST_ROWS, drawing_of
from pytest_infer.graphs.graph_nodes import MOST_DEEP, GraphNode, module_path, nodes_of, with_paths
from pytest_infer.graphs.layer_cover import layers_of_nodes
from pytest_infer.graphs.ran_layer import RanLayer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def node(name: str, operator: str, *parents: int, path: str = "a") -> GraphNode:
    """Return a node whose output has its name with _out."""
    return GraphNode(name, operator, tuple(path.split(".")), (f"{name}_out",), parents)


def layer(name: str, operator: str, *covers: str, precision: str = "fp32") -> RanLayer:
    """Return a layer on the CPU."""
    return RanLayer(name, operator, "CPU", precision, covers or (name,))


def residual(path: str, before: int, number: int) -> list[GraphNode]:
    """Return a block of two convolutions with a shortcut; ``number`` is that of its first node."""
    first = node(f"c{number}", "Conv", before, path=path)
    relu = node(f"r{number}", "Relu", number, path=path)
    second = node(f"d{number}", "Conv", number + 1, path=path)
    add = node(f"a{number}", "Add", number + 2, before, path=path)
    last = node(f"e{number}", "Relu", number + 3, path=path)
    return [first, relu, second, add, last]


@pytest.mark.parametrize(
    ("name", "scopes", "weights", "path"),
    [
        ("node_Conv_1", "['', 'net', 'net.layer1.0', 'conv']", [], ("net", "layer1", "0")),
        ("n", "['_empty_nn_module_stack_from_metadata_hook', 'x']", [], ()),
        ("/layer1/layer1.0/conv1/Conv", "", [], ("layer1", "0", "conv1")),
        ("Conv_1", "", ["net.conv.weight"], ("net", "conv")),
        ("Conv_1", "", ["ConvMulFusion_W_net.conv.weight_quantized"], ("net", "conv")),
        ("Conv_1", "", ["val_3", "onnx::Conv_12"], ()),
        ("</script>", "['<b>', '${x}', 'y']", [], ("${x}",)),
    ],
)
def test_module_of_a_node(
    name: str, scopes: str, weights: list[str], path: tuple[str, ...]
) -> None:
    """Metadata says it, else the traced name, else the name of a weight."""
    assert module_path(name, scopes, weights) == path


def test_a_node_without_a_module_is_where_its_neighbour_is() -> None:
    """It has its parent's module, or its child's; what all share is left out."""
    nodes = [
        GraphNode("in", "Cast", (), ("i",), ()),
        GraphNode("conv", "Conv", ("net", "a"), ("c",), (0,)),
        GraphNode("relu", "Relu", (), ("r",), (1,)),
        GraphNode("fc", "Gemm", ("net", "b"), ("f",), (2,)),
    ]
    assert [each.path for each in with_paths(nodes)] == [("a",), ("a",), ("a",), ("b",)]


def test_nodes_of_a_file(tmp_path: Path) -> None:
    """Constants are no nodes, parents are numbers, and names that were lost come from the other."""
    from numpy import ones
    from onnx import TensorProto, helper, numpy_helper, save

    def write(path: Path, *, is_named: bool) -> Path:
        nodes = [
            helper.make_node("Identity", ["w"], ["w2"], name="constant"),
            helper.make_node("MatMul", ["x", "w2"], ["m"], name="product"),
            helper.make_node("Relu", ["m"], ["y"], name="relu"),
        ]
        if is_named:
            for each, scope in zip(nodes[1:], ("net.fc", "net.act"), strict=True):
                entry = each.metadata_props.add()
                entry.key, entry.value = "pkg.torch.onnx.name_scopes", f"['', '{scope}', 'op']"
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xy"]
        weight = numpy_helper.from_array(ones((2, 2), "float32"), "w")
        graph = helper.make_graph(nodes, "g", values[:1], values[1:], [weight])
        save(helper.make_model(graph), path)
        return path

    named = write(tmp_path / "a.onnx", is_named=True)
    bare = write(tmp_path / "b.onnx", is_named=False)
    expected = [("product", ("fc",), ()), ("relu", ("act",), (0,))]
    found = [(each.name, each.path, each.parents) for each in nodes_of(named)]
    assert found == expected
    assert [(each.name, each.path, each.parents) for each in nodes_of(bare, named)] == expected
    assert [each.path for each in nodes_of(bare)] == [(), ()]


CONV_RELU = [node("conv", "Conv"), node("relu", "Relu", 0), node("pool", "MaxPool", 1)]


@pytest.mark.parametrize(
    ("layers", "owners"),
    [
        ([layer("c", "Conv", "conv", "relu"), layer("pool", "MaxPool")], [0, 0, 1]),
        ([layer("relu_nchwc", "Conv", "relu_out"), layer("pool", "MaxPool")], [0, 0, 1]),
        ([layer("conv", "Conv"), layer("pool", "MaxPool")], [0, 0, 1]),
        ([layer("conv", "Conv"), layer("relu", "Relu"), layer("pool", "MaxPool")], [0, 1, 2]),
        ([layer("pool", "MaxPool")], [0, 0, 0]),
        ([layer("other", "Conv")], [None, None, None]),
    ],
    ids=["all-named", "last-named", "first-named", "apart", "into-the-next", "none"],
)
def test_what_was_fused(layers: list[RanLayer], owners: list[int | None]) -> None:
    """A node that no layer names belongs to the one before it, or to the one that follows."""
    assert layers_of_nodes(CONV_RELU, layers) == owners


def test_a_shortcut_is_fused_into_the_later_layer() -> None:
    """The sum of two branches is part of the layer that runs last of theirs."""
    nodes = [
        node("stem", "Conv"),
        node("left", "Conv", 0),
        node("right", "Conv", 0),
        node("sum", "Add", 1, 2),
        node("act", "Relu", 3),
    ]
    layers = [layer("stem", "Conv"), layer("right", "Conv"), layer("left", "Conv")]
    assert layers_of_nodes(nodes, layers) == [0, 2, 1, 2, 2]


def test_rows_are_modules() -> None:
    """Numbered blocks have a row each, small parts share one, and too large ones are split."""
    paths = [("stem",)] * 2 + [("layer", str(n)) for n in range(3) for _ in range(4)] + [("fc",)]
    found = blocks_of(paths, range(len(paths)))
    assert [(each.name, len(each.nodes)) for each in found] == [
        ("stem", 2),
        ("layer.0", 4),
        ("layer.1", 4),
        ("layer.2", 4),
        ("fc", 1),
    ]
    large = [("net", name) for name in "abc" for _ in range(MOST_UNITS - 1)]
    assert [each.name for each in blocks_of(large, range(len(large)))] == [
        "net.a",
        "net.b",
        "net.c",
    ]


def test_every_node_is_in_one_row() -> None:
    """Whatever the paths are, no node is lost or drawn twice."""
    paths = [(*"abc"[: n % 4], str(n % 5)) for n in range(200)]
    found = blocks_of(paths, [n // 2 for n in range(200)])
    assert sorted(number for each in found for number in each.nodes) == list(range(200))


def net(depth: int, fused: Callable[[GraphNode], bool]) -> tuple[list[GraphNode], list[RanLayer]]:
    """Return a network of so many blocks, and layers of what is not fused."""
    nodes = [node("stem", "Conv", path="stem")]
    for number in range(depth):
        nodes += residual(f"layer.{number}", len(nodes) - 1, len(nodes))
    layers = [layer(each.name, each.operator) for each in nodes if not fused(each)]
    return nodes, layers


def test_repeated_rows_are_drawn_once() -> None:
    """Blocks that are alike are one row that says how often, and up to which."""
    nodes, layers = net(5, lambda each: each.operator in {"Relu", "Add"})
    found = drawing_of(nodes, layers, "")
    assert [(row.name, row.alike, row.last) for row in found.rows] == [
        ("stem", 1, "stem"),
        ("layer.0", 5, "layer.4"),
    ]
    assert [cell.text for cell in found.rows[1].cells] == ["Conv+Relu", "Conv+Add+Relu"]
    assert (found.nodes, found.layers) == (26, 11)
    assert [(each.text, each.layers, each.nodes) for each in found.states] == [
        ("fp32 on CPU", 11, 26)
    ]


def test_another_way_to_run_is_another_row() -> None:
    """A block with one layer elsewhere is not alike; the state that most layers share is first."""
    nodes, layers = net(4, lambda each: each.operator in {"Relu", "Add"})
    layers[5] = RanLayer(layers[5].name, "Conv", "CPU", "int8", layers[5].covers)
    found = drawing_of(nodes, layers, "")
    assert [(row.name, row.alike) for row in found.rows] == [
        ("stem", 1),
        ("layer.0", 2),
        ("layer.2", 1),
        ("layer.3", 1),
    ]
    assert [each.text for each in found.states] == ["fp32 on CPU", "int8 on CPU"]
    assert [cell.state for cell in found.rows[2].cells] == [1, 0]


def test_branches_have_lanes() -> None:
    """What starts from the same tensor lies below each other, and joins further on."""
    nodes = [
        node("in", "Conv"),
        node("left", "Conv", 0),
        node("right", "Conv", 0),
        node("after", "Conv", 1),
        node("join", "Concat", 3, 2),
    ]
    (row,) = drawing_of(nodes, [layer(each.name, each.operator) for each in nodes], "").rows
    assert [(cell.column, cell.lane) for cell in row.cells] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 0),
        (3, 0),
    ]
    assert (2, 4) in row.links


def test_an_engine_that_shows_no_layers() -> None:
    """Every node is a cell, in the state of the whole engine."""
    found = drawing_of(CONV_RELU, [], "fp16 on cuda:0")
    assert found.layers == 0
    assert [each.text for each in found.states] == ["fp16 on cuda:0"]
    assert [cell.text for cell in found.rows[0].cells] == ["Conv", "Relu", "MaxPool"]


def test_what_no_layer_took() -> None:
    """It is drawn, as computed beforehand."""
    nodes = [node("shape", "Shape"), node("conv", "Conv")]
    found = drawing_of(nodes, [layer("conv", "Conv")], "")
    assert {each.text: each.kind for each in found.states} == {
        "fp32 on CPU": "computes",
        FOLDED: "folded",
    }


def test_a_large_graph_stays_small() -> None:
    """Ten thousand nodes of which no two neighbours are alike are cut, and the rest is counted."""
    kinds = ("Conv", "MatMul", "Softmax", "Gemm", "LayerNormalization", "GRU", "LSTM")
    nodes = [
        node(
            f"n{n}",
            kinds[(7919 * n + 13 * n * n // 11) % 7],
            *([n - 1] if n else []),
            path=f"m{n // 9}",
        )
        for n in range(10_000)
    ]
    found = drawing_of(nodes, [layer(each.name, each.operator) for each in nodes], "")
    assert len(found.rows) <= MOST_ROWS
    assert found.left > 0


def test_names_and_chains_of_any_length() -> None:
    """Thousands of modules in a name, and of sums in a row, take no long time and no deep stack."""
    deep = module_path("/".join("x" * 100_000), "", [])
    assert len(deep) == MOST_DEEP
    nodes = [node("c", "Conv")] + [node(f"n{n}", "Add", n) for n in range(20_000)]
    nodes.append(node("end", "Relu", 20_000))
    assert set(layers_of_nodes(nodes, [layer("end", "FusedConv")])) == {0}
    assert len(drawing_of(nodes, [layer("end", "FusedConv")], "").rows) == 1
