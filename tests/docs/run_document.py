"""
Runs the blocks of one document in order, as a reader does: in one Python and one folder.

    python -m tests.docs.run_document DOCUMENT

It runs in the current directory; the environment says where Intercom is. Blocks of ``python`` and ``sh`` are run, except
those below ``<!-- not run: reason -->``, ``<!-- command: name -->`` (the README's two, which .ci/run runs) and ``<!-- needs: module -->``
without that module, which are only compiled. ``<!-- run: pytest -->`` and ``<!-- run: unittest -->`` hand a block to that test runner.
A ``text`` block below ``<!-- output -->`` is what the block before it must print; ``...`` in it stands for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

from tests.docs.documents import Block, blocks_of

_TIME_LIMIT = 300.0


class Reader:
    """Follows one document; keeps what the last block printed."""

    def __init__(self, document: Path) -> None:
        self._document = document
        self._names: dict[str, object] = {"__name__": "__main__"}
        self._printed = ""

    def follow(self, block: Block) -> None:
        """
        Run *block*, or compare it with what the block before it printed.

        Raises:
            AssertionError: It printed something else, or its command failed.
        """
        if block.word == "output":
            self._compare(block)
        elif block.language == "python":
            self._printed = self._run_python(block)
        elif block.language == "sh" and block.word not in ("not run", "command"):
            self._printed = _run(["sh", "-euc", block.text])

    def _run_python(self, block: Block) -> str:
        # Blank lines before it let a traceback name the document's own line.
        code = compile("\n" * (block.line - 1) + block.text, str(self._document), "exec")
        if block.word == "not run" or (
            block.word == "needs" and importlib.util.find_spec(block.detail) is None
        ):
            return ""
        if block.word == "run":
            return _run_tests(block)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, self._names)
        return printed.getvalue()

    def _compare(self, block: Block) -> None:
        wanted, found = block.text.strip(), self._printed.strip()
        is_same = doctest.OutputChecker().check_output(f"{wanted}\n", f"{found}\n", doctest.ELLIPSIS)
        assert is_same, f"{self._document}:{block.line}: printed instead:\n{self._printed}"


def _run_tests(block: Block) -> str:
    module = Path(f"test_line_{block.line}.py")
    module.write_text(block.text, encoding="utf-8")
    if block.detail == "unittest":
        return _run([sys.executable, "-W", "error", "-m", "unittest", "-v", module.stem])
    return _run([sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(module)])


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=_TIME_LIMIT, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def main(document: Path) -> None:
    """Follow *document* from its first block to its last."""
    reader = Reader(document)
    for block in blocks_of(document):
        reader.follow(block)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
