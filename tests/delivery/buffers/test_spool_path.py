"""The path of a spool (rule Q8): resolved once, the same place for all names of one file, and an error for what is no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from metarouter_intercom import Client, Settings
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.errors import ConfigurationError, MetarouterError, TransportError
from metarouter_intercom.testing import ScriptedTransport

from .filling import drain, put


class _Named:
    def __init__(self, path):
        self._path = path

    def __fspath__(self):
        return self._path


@pytest.mark.parametrize(
    "path",
    [
        b"analytics.spool",
        _Named(b"analytics.spool"),
        7,
        True,
        ["analytics.spool"],
        "",
        "  ",
        ":memory:",
        "file:analytics.spool",
        "file::memory:?cache=shared",
        "sqlite:///analytics.spool",
        "https://example.com/analytics.spool",
        "analytics\0.spool",
        "folder/",
        ".",
        "..",
        "folder/..",
        "x" * 250,
        "\ud800.spool",
    ],
)
def test_what_is_no_file_is_a_configuration_error(path):
    """Q8: the text names the setting and what to use instead, already when the settings are built."""
    with pytest.raises(ConfigurationError, match=r"^spool: .*; (use|pass) "):
        Settings(api_key="test", spool=path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to itself", "unknown home"])
def test_what_is_another_kind_of_file_is_a_configuration_error(tmp_path, kind):
    """Q8: a path that exists and is no plain file is refused before anything is opened."""
    path = tmp_path / "there"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to itself":
        path.symlink_to(path)
    else:
        path = Path("~nobody-has-this-name/analytics.spool")

    with pytest.raises(ConfigurationError, match=r"^spool: .*; use "):
        Client(api_key="test", spool=path)


def test_a_folder_that_is_not_there_is_an_error_of_the_client(tmp_path):
    """Q8: a wrong path must not go unnoticed, so nothing is kept in memory instead."""
    with pytest.raises(MetarouterError, match="choose a file in a folder"):
        Client(api_key="test", spool=tmp_path / "nowhere" / "analytics.spool")


def _open(path):
    return SpoolBuffer(path, limit=1000, dead_letters=10, busy_timeout=0.05)


@pytest.fixture
def real(tmp_path):
    """Where the file is."""
    (tmp_path / "real").mkdir()
    return tmp_path / "real" / "analytics.spool"


@pytest.mark.parametrize("name", ["link", "folder link", "relative", "dots", "home", "path-like", "chain"])
def test_all_names_of_a_file_share_its_journals(tmp_path, monkeypatch, real, name):
    """Q8: what was accepted under one name is delivered under another one, and counted once."""
    (tmp_path / "link.spool").symlink_to(real)
    (tmp_path / "chain.spool").symlink_to(tmp_path / "link.spool")
    (tmp_path / "other").symlink_to(real.parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    names = {
        "link": tmp_path / "link.spool",
        "chain": tmp_path / "chain.spool",
        "folder link": tmp_path / "other" / "analytics.spool",
        "relative": "real/analytics.spool",
        "dots": tmp_path / "real" / ".." / "real" / "analytics.spool",
        "home": "~/real/analytics.spool",
        "path-like": _Named(str(real)),
    }
    one, other = _open(real), _open(names[name])
    put(one, "a", now=1.0)
    put(other, "b", now=2.0)

    assert other.path == str(real)
    assert (one.pending(), other.pending()) == (2, 2)
    assert drain(other, now=3.0) == ["a", "b"]
    assert (one.pending(), other.pending()) == (0, 0)
    one.close()
    other.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain.spool", "link.spool", "other", "real"]


def test_a_change_of_the_working_directory_changes_nothing(tmp_path, monkeypatch, real):
    """Q8: a relative path is resolved once, when the client is made."""
    monkeypatch.chdir(real.parent)
    client = Client(
        api_key="test",
        spool="analytics.spool",
        delivery="manual",
        transport=ScriptedTransport(lambda _: TransportError("timeout")),
    )
    monkeypatch.chdir(tmp_path)
    client.track("u", "Happened")
    client.close(0)

    later = _open(real)
    assert later.pending() == 1
    later.close()
    assert [path.name for path in tmp_path.iterdir()] == ["real"]
