"""What others wrote commands neither a terminal nor a CI."""

import pytest

from pytest_infer.errors import InferError, RunError, unknown
from pytest_infer.plain_text import encodable, plain_text, shown


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
        ("a\u202eb\u2028c\u200dd\ufeff", r"a\u202eb\u2028c\u200dd\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("\x85::error::x", r"\x85::error::x"),
    ],
)
def test_plain_text(text, plain):
    """Control characters are reported by their code, commands are broken, the rest stays."""
    assert plain_text(text) == plain


def test_plain_text_again():
    """What is plain stays as it is: texts pass several times."""
    for text in ("::error::", " \x1b##vso[x]", ":::a", "###vso[b]", "\ud800"):
        assert plain_text(plain_text(text)) == plain_text(text)


HOSTILE = "\x1b[31m\n::error::x\n##vso[task.complete]\u202e\ud800"
HARMLESS = ("\\x1b[31m", ": :error::x", "# #vso[task.complete]\\u202e\\ud800")


def test_errors_are_plain():
    """An error of ours is, wherever it is printed: pytest and Python print what str() returns."""
    for error in (RunError(HOSTILE, why=HOSTILE, mend=HOSTILE), unknown("model", HOSTILE, "ab")):
        text = str(error)
        assert all(each.isprintable() or each == "\n" for each in text)
        assert not [line for line in text.splitlines() if line.strip().startswith("::")]
        assert "##vso" not in text
    assert all(part in str(InferError("x", why=HOSTILE, mend="y")) for part in HARMLESS)


def test_shown():
    """One line of a hundred characters at most."""
    assert shown("a\nb\x1b\u202e") == r"a\x0ab\x1b\u202e"
    assert shown("a" * 100) == "a" * 100
    assert shown("a" * 101) == "a" * 100 + "..."


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("utf-8", "\u2500\u2026\u2192\u00b5 图\n"), ("ascii", "-...->u \\u56fe\n")],
)
def test_encodable(encoding, text):
    """Our signs are spelled in ASCII where that is all there is, others by their code."""
    assert encodable("\u2500\u2026\u2192\u00b5 图\n", encoding) == text
