"""Makes message ids that are unique across processes and threads and sort by time; knows nothing of messages."""

from __future__ import annotations

import os
from itertools import count


def make_message_id(now: float) -> str:
    """
    Return a new message id. Ids are unique across processes and threads, and sort by time.

    Args:
        now: Unix seconds.
    """
    return f"{int(now * 1000)}-{_next_number()}-{_process_word}"


# One call of a C function, so two threads never get the same number. All numbers have ten digits, so that ids of one millisecond sort too.
_next_number = count(10**9).__next__
_process_word = os.urandom(10).hex()
_process_id = os.getpid()


def own_message_ids(pid: int) -> None:
    """
    Give the process *pid* message ids of its own, unless it has them.

    Every client calls this when it starts in a process, because Python's hooks at a fork do not run for every kind of fork.
    """
    global _process_word, _process_id
    if _process_id != pid:
        _process_word = os.urandom(10).hex()
        _process_id = pid
