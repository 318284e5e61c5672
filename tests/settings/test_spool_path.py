"""What can be the path of a spool (rule Q8): whatever names no file is an error with the remedy, before any file is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from metarouter_intercom import Settings
from metarouter_intercom.errors import ConfigurationError


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (7, "a path of the type int cannot be used"),
        (b"a.spool", "a path of the type bytes cannot be used"),
        (" ", "is empty"),
        (":memory:", "is not kept in a file"),
        ("file:a.spool", "is a URI"),
        ("a\0.spool", "contains a NUL character"),
        ("folder/", "is a folder"),
        ("folder/..", "is a folder"),
        ("a\ud800.spool", "contains characters that no file name can have"),
        ("a" * 300, "has too long a name"),
    ],
    ids=str,
)
def test_what_names_no_file_is_refused(path, fault):
    """Each fault is named, with what to use instead."""
    with pytest.raises(ConfigurationError, match=f"^spool: .*{fault}"):
        Settings(api_key="k", spool=path)


@pytest.mark.parametrize("path", ["a.spool", Path("folder/a.spool"), "fil\xe9.spool", None])
def test_a_path_of_a_file_is_taken(path):
    """Texts and paths name files; None keeps messages in memory."""
    assert Settings(api_key="k", spool=path).spool == path


@pytest.mark.parametrize("key", [5, b"key", ["key"]])
def test_a_key_is_a_text(key):
    """An API key of another type is refused without showing it."""
    with pytest.raises(ConfigurationError, match=r"^api_key: not a text; pass the workspace's access token$"):
        Settings(api_key=key)
