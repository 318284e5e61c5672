"""The runner of documents can fail: a wrong output, an error and a failing command each end it, with the document's own line."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from .run_document import main

FENCE = "```"


def _document(folder: Path, *parts: str) -> Path:
    """Write a document of *parts*: comments as they are, blocks as ``language: text``."""
    lines = ["# A page", ""]
    for part in parts:
        language, colon, text = part.partition(": ")
        lines += [part] if part.startswith("<!--") or not colon else [f"{FENCE}{language}", text, FENCE, ""]
    document = folder / "page.md"
    document.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return document


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_blocks_share_one_namespace_and_one_folder(tmp_path: Path) -> None:
    """What a block defines or writes is there for the next one."""
    document = _document(
        tmp_path,
        "python: number = 6",
        "sh: echo seven > number.txt",
        "python: from pathlib import Path\nprint(number, Path('number.txt').read_text(encoding='utf-8'))",
        "<!-- output -->",
        "text: 6 seven",
    )

    assert main(document) is None


def test_an_output_may_leave_out_what_changes(tmp_path: Path) -> None:
    """Three dots stand for anything."""
    document = _document(
        tmp_path, "python: print('at 10:31, 4 messages')", "<!-- output -->", "text: at ..., 4 messages"
    )

    assert main(document) is None


def test_a_wrong_output_fails(tmp_path: Path) -> None:
    """A document that shows what is not printed is wrong."""
    document = _document(tmp_path, "python: print(1)", "<!-- output -->", "text: 2")

    with pytest.raises(AssertionError, match="printed instead"):
        main(document)


def test_an_error_names_the_line_of_the_document(tmp_path: Path) -> None:
    """A traceback leads to the document and not to the runner."""
    document = _document(tmp_path, "python: fine = 1", "python: 1 / 0")

    with pytest.raises(ZeroDivisionError) as raised:
        main(document)

    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == (str(document), 8)


def test_a_failing_command_fails(tmp_path: Path) -> None:
    """Every command of a block has to succeed, not just the last one."""
    document = _document(tmp_path, "sh: false\necho fine")

    with pytest.raises(AssertionError, match="ended with 1"):
        main(document)


def test_a_failing_test_fails(tmp_path: Path) -> None:
    """A block for pytest is collected and run as a module of its own."""
    document = _document(tmp_path, "<!-- run: pytest -->", "python: def test_it():\n    assert 1 == 2")

    with pytest.raises(AssertionError, match="1 failed"):
        main(document)


def test_a_block_that_is_not_run_is_compiled(tmp_path: Path) -> None:
    """A block that cannot be run here is Python all the same."""
    document = _document(tmp_path, "<!-- not run: it serves for ever -->", "python: while True print(1)")

    with pytest.raises(SyntaxError):
        main(document)


def test_a_block_that_needs_a_missing_module_is_not_run(tmp_path: Path) -> None:
    """Blocks for software that is not installed are left out."""
    document = _document(tmp_path, "<!-- needs: no_such_module -->", "python: import no_such_module")

    assert main(document) is None
