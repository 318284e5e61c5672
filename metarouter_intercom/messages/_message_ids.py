"""Message ids: unique across processes and threads, sorted by time; knows nothing of messages."""

from __future__ import annotations

import os
from itertools import count


def make_message_id(now: float) -> str:
    """
    Make a message id: unique across processes and threads, in the order of time.

    Args:
        now: Unix seconds.
    """
    return f"{int(now * 1000)}-{_count()}-{_word}"


# One call of a C function: two threads never get the same number. All have ten digits, so that ids sort by their time.
_count = count(10**9).__next__
_word = os.urandom(10).hex()
_word_pid = os.getpid()


def own_message_ids(pid: int) -> None:
    """Make the ids of process *pid* its own; called whenever a client begins in one, for hooks at fork do not run everywhere."""
    global _word, _word_pid
    if _word_pid != pid:
        _word = os.urandom(10).hex()
        _word_pid = pid
