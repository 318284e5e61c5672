"""Message ids (rules R2, W3)."""

from __future__ import annotations

import os

import pytest

from metarouter_intercom._cli.message_files import FileEntry
from metarouter_intercom._cli.progress import digest_of
from metarouter_intercom.messages import _message_ids
from metarouter_intercom.messages._message_ids import file_message_id, is_own_message_id, make_message_id


def test_message_ids_sort_by_time_and_never_repeat():
    """R2: ids are unique, and sort by time and then by the order in which they were made."""
    made = [_message_ids.make_message_id(moment) for moment in (1.0e9, 1.0e9, 1.1e9, 1.2e9)]

    assert sorted(made) == made
    assert len(set(made)) == 4


def test_each_process_has_ids_of_its_own():
    """W3: a forked child gets message ids of its own, and a second call in the same process changes nothing."""
    words = []
    for pid in (os.getpid(), -1, -1, os.getpid()):
        _message_ids.own_message_ids(pid)
        words.append(_message_ids.make_message_id(0.0).rpartition("-")[2])

    assert words[1] == words[2]
    assert len(set(words)) == 3


@pytest.mark.parametrize("now", [0.0, 1_767_225_600.123, 4_102_444_800.0])
def test_own_ids_are_recognised(now):
    """E10: the form of an id shows whether this library made it, in any process and after any export."""
    assert is_own_message_id(make_message_id(now))
    assert is_own_message_id(file_message_id(digest_of("", FileEntry(1, "", {"type": "track"}))))


@pytest.mark.parametrize(
    "message_id",
    [
        "order-17",
        "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
        "ajs-next-1767225600123-022bb90c-bbac-11e4-8dfc-aa07a5b093db",
        "1767225600123",
        "1767225600123-1",
        "file-17",
        "file-0123456789abcdef0123456789abcdef",
        "x1767225600123-1000000000-0123456789abcdef0123",
        "1767225600123-1000000000-0123456789abcdef0123\n",
        "FILE-0123456789abcdef01234567",
        "",
    ],
)
def test_callers_ids_are_not_own_ones(message_id):
    """E10: the ids of other SDKs and of applications name their events."""
    assert not is_own_message_id(message_id)
