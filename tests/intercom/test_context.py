"""What all flows share: quoting ids in paths, and the version of the API."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.context import path_segment

from .._support.flow_driving import make_world


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain-1_2", "plain-1_2"),
        ("a/b", "a%2Fb"),
        ("a b?c#d&e=f", "a%20b%3Fc%23d%26e%3Df"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a.b", "a.b"),
        ("\u00e9", "%C3%A9"),
        ("100%", "100%25"),
    ],
)
def test_an_id_stays_one_segment_of_a_path(word, expected):
    """Any text that a caller uses as an id is one segment of the path."""
    assert path_segment(word) == expected


@pytest.mark.parametrize(
    ("version", "expected"), [("2.9", (2, 9)), ("2.16", (2, 16)), ("Preview", (99,)), ("Unstable", (99,))]
)
def test_the_version_of_a_world(version, expected):
    """Versions are compared as numbers, and Preview is newer than any."""
    assert make_world(api_version=version).version == expected
