"""The public names are pinned, sorted, documented, and all of them exist."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import metarouter_intercom

_ROOT = [
    "Account",
    "AttributeCount",
    "BufferFull",
    "Client",
    "ClientClosed",
    "ConfigurationError",
    "ConnectFailed",
    "DeadLetters",
    "DeliveryFailed",
    "Health",
    "History",
    "HistoryEntry",
    "MetarouterError",
    "RateBudget",
    "ReadFailed",
    "Region",
    "RejectedMessage",
    "Report",
    "SentRequest",
    "Settings",
    "SpoolFailed",
    "SpoolState",
    "Stats",
    "TransportError",
    "WorkersHealth",
]
_PUBLIC = (
    "",
    ".errors",
    ".messages",
    ".operations",
    ".identity",
    ".plugins",
    ".sandbox",
    ".settings",
    ".testing",
)


def test_the_names_of_the_root_are_pinned():
    """The names of the root are listed here, so that adding or removing one is a decision."""
    assert metarouter_intercom.__all__ == _ROOT


@pytest.mark.parametrize("place", _PUBLIC)
def test_public_names_are_sorted_and_there(place):
    """``__all__`` of every public module is sorted, without repeats, and each name exists."""
    module = importlib.import_module(f"metarouter_intercom{place}")

    assert list(module.__all__) == sorted(set(module.__all__))
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("place", _PUBLIC)
def test_public_names_have_docstrings(place):
    """Every public class and function has a docstring."""
    module = importlib.import_module(f"metarouter_intercom{place}")

    bare = [
        name
        for name in module.__all__
        if (inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name)))
        and not getattr(module, name).__doc__
    ]

    assert bare == []


def test_the_version_is_written_once():
    """``__version__`` is the version of the installed package."""
    from importlib.metadata import version

    assert metarouter_intercom.__version__ == version("metarouter-intercom")


def test_an_unknown_name_is_an_attribute_error():
    """Reading a name that the package does not have raises an AttributeError with the name."""
    with pytest.raises(AttributeError, match="no_such_name"):
        metarouter_intercom.no_such_name  # noqa: B018  # asking is the test


def test_errors_are_exported_from_the_root_and_from_their_module():
    """Each class of ``errors`` can be imported from the root, and is the same class there."""
    from metarouter_intercom import errors

    kinds = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)} - {"Problem"}

    assert kinds <= set(metarouter_intercom.__all__)
    assert all(getattr(errors, name) is getattr(metarouter_intercom, name) for name in kinds)


def test_namespaces_are_reached_without_an_import_of_their_own():
    """After ``import metarouter_intercom`` each public module is an attribute of the package, imported when it is first used."""
    script = (
        "import metarouter_intercom as package\n"
        "assert 'testing' in dir(package) and 'Client' in dir(package)\n"
        "print(package.testing.FakeClock(1).now(), package.errors.Problem.__name__, package.Client.__name__)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    assert done.stdout == "1.0 Problem Client\n"
