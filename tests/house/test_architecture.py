"""How the package is laid out: imports point one way, pure modules stay pure, each library has its place, importing costs little."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from metarouter_intercom._delivery.forks import IMPORTED_LATE

from .._support.package_imports import PACKAGE, ROOT, read_imports

_IMPORTS = read_imports()

# What stands in the package's root, from the ground up: each imports only from those before it. The root itself is the empty name.
_ORDER = (
    "_types",
    "errors",
    "settings",
    "messages",
    "operations",
    "identity",
    "plugins",
    "_intercom",
    "_delivery",
    "_client",
    "",
    "sandbox",
    "testing",
    "_cli",
)
_MOST_LEVELS = 9
_MOST_ENTRIES = 16
_MOST_LINES = 400
_MOST_LINES_OF_A_FUNCTION = 40

# Folders that act: they hold threads, sockets, files or the clock, or write the log. Everything else is pure.
_ACTING = ("", "_delivery", "_client", "sandbox", "testing", "_cli")
# Modules of acting folders that only decide.
_PURE_WITHIN = frozenset(
    [
        "_delivery",
        "_delivery.attempts",
        "_delivery.backoff",
        "_delivery.circuit",
        "_delivery.log",
        "_delivery.rate_limit",
        "_delivery.report",
        "_client",
        "_client.calls",
        "_client.dead_letters",
        "_client.fast_stamping",
        "_client.identity_check",
        "_client.stamping",
    ]
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
    ("messages._time_texts", "sys"): "the version of Python, a constant",
    ("identity", "time"): "the default of the moment that a JWT begins at; may be handed in",
    ("settings._spool_path", "os"): "how the system writes paths; no file is looked at",
    ("settings._settings", "os"): "from_env reads the environment, and only it does",
}

# Where a library, or what it stands for, may be used.
_PLACES = {
    "requests": ["_delivery.http"],
    "urllib3": ["_delivery.http"],
    "sqlite3": ["_delivery.buffers.database", "_delivery.buffers.recognition", "_delivery.buffers.schema"],
    "cattrs": ["messages._codec"],
    "threading": ["_delivery", "_client", "sandbox", "testing", "_cli"],
    "flask": ["sandbox.web", "sandbox._pages"],
    "click": ["_cli"],
    "platformdirs": ["_cli"],
    "tqdm": ["_cli"],
    "joserfc": ["identity"],
}


def _is_below(module: str, place: str) -> bool:
    return module == place or (place != "" and module.startswith(f"{place}."))


def _is_pure(module: str) -> bool:
    """Tell whether *module* only decides; ``.ci/check_coverage.py`` asks too."""
    return module in _PURE_WITHIN or module.partition(".")[0] not in _ACTING


def _imports_between_parts(folder: str) -> dict[str, set[str]]:
    """Return part -> the other parts of *folder* that it imports from, also for its types; a part is a module or a folder."""
    inside = f"{folder}." if folder else ""
    graph: dict[str, set[str]] = {}
    for module, imports in _IMPORTS.items():
        if module == folder or not module.startswith(inside):
            continue
        part = module[len(inside) :].partition(".")[0]
        parts = {
            other[len(inside) :].partition(".")[0]
            for other in imports.own | imports.for_types
            if other.startswith(inside) and other != folder
        }
        graph.setdefault(part, set()).update(parts - {part})
    if not folder:
        root = _IMPORTS[""]
        graph[""] = {other.partition(".")[0] for other in root.own | root.for_types}
        for module, imports in _IMPORTS.items():
            if module and "" in imports.own | imports.for_types:
                graph[module.partition(".")[0]].add("")
    return graph


_FOLDERS = sorted({module.rpartition(".")[0] for module in _IMPORTS if module})


def test_the_root_is_read_at_a_glance():
    """The package's root has few entries, and each of its modules and folders has its place in the order."""
    entries = [path.name for path in ROOT.iterdir() if path.name != "__pycache__"]

    assert len(entries) <= _MOST_ENTRIES, entries
    assert {module.partition(".")[0] for module in _IMPORTS} == set(_ORDER)


def test_imports_point_one_way():
    """Rule 1: each part of the root imports only from those below it, also for its types."""
    wrong = [
        f"{part or 'the root'} imports {other or 'the root'}"
        for part, others in _imports_between_parts("").items()
        for other in others
        if _ORDER.index(other) > _ORDER.index(part)
    ]

    assert wrong == []


def test_the_package_has_few_levels():
    """Rule 1: the longest chain of imports between parts of the root is short enough to keep in mind."""
    graph = _imports_between_parts("")
    levels: dict[str, int] = {}
    for part in TopologicalSorter(graph).static_order():
        levels[part] = 1 + max((levels[other] for other in graph[part]), default=0)

    assert max(levels.values()) <= _MOST_LEVELS, levels


@pytest.mark.parametrize("folder", _FOLDERS)
def test_no_folder_holds_a_circle(folder):
    """Rule 1: the parts of each folder import each other without a circle, also for their types."""
    graph = _imports_between_parts(folder)

    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the circle

    assert set(order) >= set(graph)


def test_no_module_imports_itself_in_the_end():
    """Rule 1: there is no circle of modules, not even among the imports for type checkers."""
    graph = {module: imports.own | imports.for_types for module, imports in _IMPORTS.items()}

    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the circle

    assert len(order) == len(_IMPORTS)


def test_pure_modules_neither_wait_nor_draw_nor_log_nor_read_the_world():
    """Rule 2: what decides imports nothing that acts; the few exceptions are listed with their reasons."""
    wrong = [
        f"{module} imports {other}"
        for module, imports in _IMPORTS.items()
        if _is_pure(module)
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


def test_every_pure_module_within_an_acting_folder_is_there():
    """Rule 2: the list of pure modules names modules that exist."""
    assert set(_IMPORTS) >= _PURE_WITHIN


def test_no_module_grows_beyond_measure():
    """A module that is longer knows more than one thing and is split."""
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in _paths().items()}

    assert {module: number for module, number in lines.items() if number > _MOST_LINES} == {}


def test_no_function_grows_beyond_measure():
    """A function that is longer does more than one thing; its docstring is not counted."""
    long = {
        f"{module}.{node.name}": lines
        for module, path in _paths().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _lines_of(node)) > _MOST_LINES_OF_A_FUNCTION
    }

    assert long == {}


def _lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of *function* from its name to its end, without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


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


def test_naming_the_client_loads_little():
    """Rule 5: a module that imports the client pays for no classes, no mapping and no delivery before the first client is made."""
    script = textwrap.dedent(
        f"""
        import sys
        from {PACKAGE} import Client
        print(sorted({{"attrs", "cattrs", "logging", "json"}} & set(sys.modules)))
        print([name for name in sys.modules if name.startswith("{PACKAGE}.") and not name.startswith("{PACKAGE}._client")])
        """
    )

    assert _in_fresh_interpreter(script).split() == ["[]", "[]"]


def test_what_is_imported_late_is_known_to_the_forks():
    """W3: a fork waits for the imports of every package that a function imports; built-in modules are there from the start."""
    acting = [
        path
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] not in ("_cli", "sandbox", "testing")
    ]
    late = {
        name.partition(".")[0]
        for path in acting
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }

    assert late - set(sys.builtin_module_names) - {"collections", "importlib"} <= IMPORTED_LATE


def test_usual_messages_load_no_cattrs():
    """Rule 5: reading and delivering usual messages takes the fast path, which needs no cattrs; one odd message loads it."""
    script = textwrap.dedent(
        f"""
        import sys
        from {PACKAGE} import Client
        from {PACKAGE}.plugins import Response
        class Answers:
            def send(self, request):
                return Response(202)
            def close(self):
                pass
        client = Client(api_key="key", delivery="manual", transport=Answers())
        client.track("u1", "Signed Up", {{"plan": "pro"}})
        client.flush()
        usual = (client.report().delivered, "cattrs" in sys.modules)
        client.send({{"type": "track", "userId": "u1", "event": "Signed Up", "properties": []}})
        print(*usual, "cattrs" in sys.modules)
        """
    )

    assert _in_fresh_interpreter(script).split() == ["1", "False", "True"]
