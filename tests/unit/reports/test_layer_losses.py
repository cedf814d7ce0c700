"""Where int8 loses, in the terminal, in Markdown and on the page."""

from dataclasses import replace

from synthetic import synthetic_result

from pytest_infer.reports.layer_losses import HEADINGS, loss_cells, loss_lines, losses_of
from pytest_infer.reports.markdown import markdown_text
from pytest_infer.reports.page import page_text
from pytest_infer.reports.terminal import coverage_lines, tables_of

RESULT = synthetic_result(72)
"""One model in eight engines: two of them have its int8 graph."""

NOTE = "ort is given no graph that was quantized here"


def noted():
    """Return a record of a loss that could not be measured."""
    record = next(each for each in RESULT.records if "int8_loss" in each.details)
    return replace(record, details={"int8_loss": {"note": NOTE}})


def test_once_for_each_graph():
    """Two engines that were built from one graph share its table."""
    (found,) = losses_of(RESULT.records)
    assert [case_id for case_id, _ in found.engines] == [
        "resnet50-ort-int8-b1",
        "resnet50-openvino-int8-b1",
    ]
    (cells,) = loss_cells(RESULT.records)
    assert len(cells) == 10
    assert cells[0][:3] == ("resnet50", "node_Conv_810", "Conv")


def test_sentence_and_option():
    """They say what is lost, what without the worst layer, and how to leave it out."""
    summary, option = loss_lines(RESULT.records)
    assert summary.startswith("int8 of resnet50 loses ")
    assert "in 54 layers, " in summary
    assert " without the worst one (resnet50-ort-int8-b1 " in summary
    assert option == "--infer-unquantized=resnet50=node_Conv_810"
    assert {summary, option} <= set(coverage_lines(RESULT.coverage, RESULT.records))


def test_unknown():
    """What could not be measured is told with its reason."""
    (line,) = loss_lines([noted()])
    assert line == f"int8 of resnet50-ort-int8-b1: where it loses is not known: {NOTE}"
    assert (
        "its details cannot be read"
        in loss_lines([replace(noted(), details={"int8_loss": {"layers": 3}})])[0]
    )


def test_tables():
    """The terminal and Markdown have the layers."""
    assert HEADINGS in [
        tuple(column.header for column in each.columns) for each in tables_of(RESULT.records)
    ]
    assert "| resnet50 | node_Conv_810 | Conv |" in markdown_text(RESULT)


def test_page():
    """The page answers where int8 loses, or how to find out."""
    text = page_text(RESULT)
    assert '<section id="int8"' in text
    assert "resnet50: node_Conv_810 most" in text
    assert "--infer-unquantized=resnet50=node_Conv_810" in text
    text = page_text(replace(RESULT, records=[noted()]))
    assert '<section id="int8"' not in text
    assert "not measured: add --infer-int8-loss" in text
