"""How the package is laid out: imports point one way, pure modules stay pure, each library has its place, importing costs little."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from .._support.package_imports import PACKAGE, ROOT, read_imports

_IMPORTS = read_imports()

# From the bottom to the top: a module imports from its own layer and those before it. A name stands for all modules below it too.
_LAYERS = {
    "words": [
        "_types",
        "_client",
        "_delivery",
        "_intercom",
        "_delivery.log",
        "errors",
        "messages._message_ids",
    ],
    "values": [
        "settings",
        "messages",
        "messages._values",
        "operations",
        "operations._values",
        "_client.calls",
        "_client.clock",
    ],
    "interface": ["plugins", "_delivery.report"],
    "facts": [
        "messages._timestamps",
        "operations._money",
        "messages._facts",
        "operations._flatten",
        "messages._json_copy",
        "messages._contact_keys",
        "messages._integrations",
        "_intercom.payloads",
        "operations._fast_traits",
    ],
    "reading": [
        "messages._codec",
        "operations._companies",
        "operations._contact_fields",
        "operations._contacts",
        "operations._events",
        "identity",
        "_client.identity_check",
    ],
    "mapping": ["_client.fast_stamping", "_client.stamping", "operations._translator"],
    "planning": [
        "_intercom.responses",
        "operations._coalesce",
        "_delivery.attempts",
        "_intercom.workspace_cache",
        "_delivery.rate_limit",
        "_delivery.circuit",
    ],
    "flows": [
        "_intercom.context",
        "_intercom.lookup",
        "_intercom.field_repair",
        "_intercom.merge_and_delete",
        "_intercom.contacts",
        "_intercom.companies",
        "_intercom.events",
        "_intercom.flows",
        "_intercom.dry_run",
    ],
    "means": [
        "_delivery.forks",
        "_delivery.buffers",
        "_delivery.http",
        "_client.dead_letters",
        "_intercom.account",
    ],
    "delivery": [
        "_delivery.interrupts",
        "_delivery.workers",
        "_delivery.executor",
        "_delivery.consumer",
        "_delivery.engine",
    ],
    "client": ["_client.accepting", "_client.client", ""],
    "sandbox": ["sandbox"],
    "kit": ["testing"],
    "command line": ["_cli"],
}

# Modules that act: they hold threads, sockets, files or the clock, or write the log. Everything else is pure.
_SHELL = (
    "",
    "_delivery.buffers",
    "_delivery.forks",
    "_delivery.interrupts",
    "_delivery.http",
    "_client.clock",
    "_client.accepting",
    "_client.client",
    "_delivery.engine",
    "_delivery.executor",
    "_delivery.consumer",
    "_delivery.workers",
    "sandbox",
    "testing",
    "_cli",
)
# What waits, draws lots, writes the log or reads the world.
_IMPURE = frozenset(
    [
        "asyncio",
        "atexit",
        "concurrent",
        "ctypes",
        "fcntl",
        "getpass",
        "importlib",
        "io",
        "locale",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "queue",
        "random",
        "requests",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib3",
        "uuid",
        "weakref",
    ]
)
# Why a pure module may name one of them all the same.
_PURE_ENOUGH = {
    ("messages._message_ids", "os"): "the random part of message ids, drawn once a process",
    ("messages._json_copy", "uuid"): "a UUID among the caller's values becomes text; none is made",
    ("messages._timestamps", "sys"): "the largest float, a constant",
    ("identity", "time"): "the default of the moment that a JWT begins at; may be handed in",
    ("settings", "os"): "from_env reads the environment, and only it does",
}

# Where a library, or what it stands for, may be used.
_PLACES = {
    "requests": ["_delivery.http"],
    "urllib3": ["_delivery.http"],
    "sqlite3": ["_delivery.buffers.database", "_delivery.buffers.schema"],
    "cattrs": ["messages._codec"],
    "threading": [
        "_delivery.workers",  # the threads themselves
        "_delivery.interrupts",  # asks which thread it is in, and starts none
        "_delivery.engine",  # makes the locks of one process, anew in a forked child
        "_client.client",  # one birth a forked child, one end a client
        "_delivery.buffers",
        "_delivery.http",
        "sandbox",
        "testing",
        "_cli",
    ],
    "flask": ["sandbox.web", "sandbox._pages"],
    "click": ["_cli"],
    "tqdm": ["_cli"],
    "joserfc": ["identity"],
}


def _is_below(module: str, place: str) -> bool:
    return module == place or (place != "" and module.startswith(f"{place}."))


def _layer(module: str) -> int:
    """Return the layer of *module*; where several places hold it, the longest name decides."""
    found = [
        (len(place), number)
        for number, places in enumerate(_LAYERS.values())
        for place in places
        if _is_below(module, place)
    ]
    assert found, f"{module}: give it a place in a layer of this test"
    return max(found)[1]


def test_imports_point_one_way():
    """Rule 1: a module imports from its own layer or a lower one, also for its types."""
    wrong = [
        f"{module} imports {other}"
        for module, imports in _IMPORTS.items()
        for other in imports.own | imports.for_types
        if _layer(other) > _layer(module)
    ]

    assert wrong == []


def test_no_module_imports_itself_in_the_end():
    """Rule 1: there is no cycle, not even among the imports for type checkers."""
    graph = {module: imports.own | imports.for_types for module, imports in _IMPORTS.items()}

    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle

    assert len(order) == len(_IMPORTS)


def test_pure_modules_neither_wait_nor_draw_nor_log_nor_read_the_world():
    """Rule 2: what decides imports nothing that acts; the few exceptions are listed with their reasons."""
    wrong = [
        f"{module} imports {other}"
        for module, imports in _IMPORTS.items()
        if not any(_is_below(module, place) for place in _SHELL)
        for other in imports.foreign & _IMPURE
        if (module, other) not in _PURE_ENOUGH
    ]

    assert wrong == []


def test_every_exception_is_still_needed():
    """Rule 2: an exception that nothing needs any more is removed."""
    unused = [pair for pair in _PURE_ENOUGH if pair[1] not in _IMPORTS[pair[0]].foreign]

    assert unused == []


@pytest.mark.parametrize("library", _PLACES)
def test_each_library_has_its_place(library):
    """Rule 3: one seam for each library, so that it can be exchanged or left out."""
    wrong = [
        module
        for module, imports in _IMPORTS.items()
        if library in imports.foreign and not any(_is_below(module, place) for place in _PLACES[library])
    ]

    assert wrong == []


def test_the_sandbox_does_not_know_how_we_read_intercom():
    """Rule 4: the sandbox stands on the values alone; whoever judges must not share the reading of the judged."""
    allowed = {"_types", "errors", "plugins"}
    wrong = [
        f"{module} imports {other}"
        for module, imports in _IMPORTS.items()
        if _is_below(module, "sandbox")
        for other in imports.own | imports.for_types
        if not _is_below(other, "sandbox") and other not in allowed
    ]

    assert wrong == []


def test_no_module_grows_beyond_measure():
    """A module beyond 350 lines is split; the few larger ones are listed, so that none joins them unseen."""
    known = {
        "_delivery.buffers.memory",
        "_delivery.buffers.spool",
        "messages._codec",
        "operations._contacts",
        "_client.client",
        "plugins",
    }
    large = {
        module
        for module, path in _paths().items()
        if len(path.read_text(encoding="utf-8").splitlines()) > 350 and not _is_below(module, "sandbox")
    }

    assert large - known == set()


def _paths() -> dict[str, Path]:
    return {
        module: ROOT.joinpath(*module.split("."), "__init__.py")
        if ROOT.joinpath(*module.split("."), "__init__.py").exists()
        else ROOT.joinpath(*module.split(".")).with_suffix(".py")
        for module in _IMPORTS
    }


_STARTED = textwrap.dedent(
    """
    import sys

    happened = []
    WATCHED = {"socket.__new__", "_thread.start_new_thread", "_thread.start_joinable_thread", "sqlite3.connect", "subprocess.Popen"}

    def watch(event, args):
        if event in WATCHED or (event == "open" and not str(args[0]).endswith((".py", ".pyc"))):
            happened.append((event, str(args[:1])))

    import attrs, cattrs.gen, logging, json, random  # what it stands on
    sys.addaudithook(watch)
    """
)


def _in_fresh_interpreter(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-B", "-c", script], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_importing_starts_nothing_and_loads_no_http():
    """Rule 5: no public name brings a thread, file or socket, requests, SQLite or anything optional, until it is used."""
    script = _STARTED + textwrap.dedent(
        f"""
        from {PACKAGE} import *
        from {PACKAGE} import errors, identity, messages, operations, plugins, settings
        print(happened, sorted({{"requests", "urllib3", "sqlite3", "flask", "click", "tqdm", "joserfc", "ssl", "socket"}} & set(sys.modules)))
        """
    )

    assert _in_fresh_interpreter(script).strip() == "[] []"


def test_a_client_starts_nothing_before_its_first_message():
    """W1, rule 5: a client with a memory buffer opens and starts nothing until a message is accepted."""
    script = _STARTED + textwrap.dedent(
        f"""
        from {PACKAGE} import Client
        client = Client(api_key="key")
        client.stats(), client.health(), client.flush()
        print(happened, sorted({{"requests", "urllib3", "sqlite3"}} & set(sys.modules)))
        """
    )

    assert _in_fresh_interpreter(script).strip() == "[] []"
