"""``pytest-infer explain`` prints the section of a code, as plain text."""

import pytest

from pytest_infer.__main__ import main


def test_one_code(capsys):
    """The text is that of the page, without what only a page needs."""
    assert main(["explain", "wrong-shape"]) == 0
    assert capsys.readouterr().out == (
        "wrong-shape\n\nfail. An output has another shape than the reference's.\n\n"
        "What to do: Look for a fixed batch or a fixed size in the exported graph.\n"
    )


def test_links_are_words(capsys):
    """An address says nothing in a terminal."""
    main(["explain", "known-failure-changed"])
    said = capsys.readouterr().out
    assert "known failures" in said
    assert "](" not in said


def test_several(capsys):
    """One section after the other."""
    main(["explain", "match", "refused"])
    assert [line for line in capsys.readouterr().out.splitlines() if line in {"match", "refused"}]


def test_unknown(capsys):
    """The nearest one is named."""
    assert main(["explain", "divergd"]) == 2
    assert "mend: did you mean 'diverged'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_usage(arguments):
    """A code is asked for."""
    with pytest.raises(SystemExit):
        main(["explain", *arguments])
