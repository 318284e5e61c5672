"""Message ids (rules R2, W3)."""

from __future__ import annotations

import os

from metarouter_intercom.messages import _message_ids


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
