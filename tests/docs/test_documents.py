"""The documents hold: every block of Python and of shell commands runs against a sandbox, and nothing leaves this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from metarouter_intercom.sandbox import Sandbox

from .documents import DOCS, TOP, blocks_of, documents, name_of

_WITH_BLOCKS = [
    document
    for document in documents()
    if any(block.language in ("python", "sh") for block in blocks_of(document))
]
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def _environment(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Return what a reader's shell holds; whatever is not meant for this machine meets a closed port."""
    commands = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join([commands, os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(TOP),
        "PYTHONUTF8": "1",
        "HOME": str(folder),
        "INTERCOM_API_KEY": sandbox.token,
        "INTERCOM_APP_ID": sandbox.workspace.settings.app_id,
        "INTERCOM_BASE_URL": sandbox.url,
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.mark.parametrize("document", _WITH_BLOCKS, ids=name_of)
def test_every_block_of_a_document_runs(document: Path, tmp_path: Path) -> None:
    """What a document tells a reader to do works, in its order, and Intercom would refuse none of its requests as a violation."""
    # Documents show what is true once Intercom's searches see what was written; nobody waits for that here.
    with Sandbox(search_lag=0.0) as sandbox:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "tests.docs.run_document", str(document)],
            cwd=tmp_path,
            env=_environment(sandbox, tmp_path),
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
        violations = sandbox.workspace.violations

    assert (done.returncode, violations) == (0, []), f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_no_block_escapes_the_runner(document: Path) -> None:
    """Fences stand at the margin and name a language, and a block that is not run says why."""
    text = document.read_text(encoding="utf-8")
    hidden = [line for line in text.splitlines() if re.match(r"^\s+```", line)]
    silent = [block.line for block in blocks_of(document) if not block.language]
    unexplained = [
        block.line for block in blocks_of(document) if block.word == "not run" and not block.detail
    ]

    assert (hidden, silent, unexplained) == ([], [], [])


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Every relative link of a document names a file of the repository."""
    targets = _LINK.findall(document.read_text(encoding="utf-8"))
    broken = [target for target in targets if not (document.parent / target).exists()]

    assert broken == []


def test_every_page_is_in_the_table_of_contents() -> None:
    """A reader finds every page of the site from its first page."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).with_suffix("").as_posix() for page in documents()[1:]]
    missing = [page for page in pages if page != "index" and f"\n{page}\n" not in index]

    assert missing == []


def test_the_readme_has_two_commands_that_do_it_all() -> None:
    """One command runs the main job and one passes the tests, each from nothing but Python and pip; .ci/run runs both."""
    commands = {block.detail: block.text for block in blocks_of(TOP / "README.md") if block.word == "command"}

    assert {name: len(text.splitlines()) for name, text in commands.items()} == {"demo": 1, "test": 1}
    assert all(text.startswith("python3 -m venv .venv && ") for text in commands.values())


def test_the_example_of_the_readme_is_short() -> None:
    """The first block is read before anything else, so it has no more than fifteen lines."""
    first = next(block for block in blocks_of(TOP / "README.md") if block.language == "python")

    assert len(first.text.splitlines()) <= 15
