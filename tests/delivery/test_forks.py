"""Parts rest, and imports end, before a process forks."""

from __future__ import annotations

import importlib
import threading

from metarouter_intercom._delivery import forks

from .._support.clients import DEADLINE

_MODULE = """
import threading
here = [one for one in threading.enumerate() if one.name == "importer"][0]
here.started.set()
assert here.may_end.wait(here.deadline)
here.seen.append("imported")
"""


def test_a_fork_waits_for_the_imports_of_other_threads(tmp_path, monkeypatch):
    """W3: a child would wait for ever for a module that another thread was importing, so the fork waits until it is imported."""
    (tmp_path / "imported_slowly.py").write_text(_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(forks, "IMPORTED_LATE", frozenset({"imported_slowly"}))
    importer = threading.Thread(target=importlib.import_module, args=("imported_slowly",), name="importer")
    importer.started, importer.may_end = threading.Event(), threading.Event()
    importer.deadline, importer.seen = DEADLINE, []

    def wait_for(name):
        importer.may_end.set()
        importlib.import_module(name)
        importer.seen.append("waited")

    monkeypatch.setattr(forks, "import_module", wait_for)
    importer.start()
    assert importer.started.wait(DEADLINE)
    forks._wait_for_imports()
    importer.join(DEADLINE)

    assert importer.seen == ["imported", "waited"]


def test_a_fork_inside_an_import_waits_for_nobody(tmp_path, monkeypatch):
    """W3: a module that forks while it is imported, as the application of a server may, waits for itself no moment."""
    (tmp_path / "forks_itself.py").write_text(
        "from metarouter_intercom._delivery import forks\nforks._wait_for_imports()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(forks, "IMPORTED_LATE", frozenset({"forks_itself"}))

    assert importlib.import_module("forks_itself").forks is forks
