"""What others wrote commands neither a terminal nor a CI."""

import pytest

from pytest_infer.plain_text import plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("two lines\n\tand a tab", "two lines\n\tand a tab"),
        ("::error file=a::b", ": :error file=a::b"),
        ("why: x\n   ::set-env::", "why: x\n   : :set-env::"),
        ("std::vector", "std::vector"),
        ("a ##vso[task.complete]", "a # #vso[task.complete]"),
        ("##[add-mask]x", "# #[add-mask]x"),
        ("##teamcity[x]", "# #teamcity[x]"),
        ("## a heading", "## a heading"),
        ("\x1b[31mred\x9b0m", r"\x1b[31mred\x9b0m"),
        ("one\rtwo\x00\ud800", r"one\x0dtwo\x00\ud800"),
        ("µs \u2192 图", "µs \u2192 图"),
    ],
)
def test_plain_text(text, plain):
    """Control characters are told by their code, commands are broken, the rest stays."""
    assert plain_text(text) == plain
