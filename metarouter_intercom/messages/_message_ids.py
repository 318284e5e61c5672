"""Makes message ids that are unique across processes and threads and sort by time, and tells them from callers' ids; knows no message."""

from __future__ import annotations

import os
import re
from itertools import count

# What `make_message_id` and `file_message_id` return. Ids keep their form in spools and exported files, so these forms never change.
_OWN = re.compile(r"[0-9]+-[0-9]{10,}-[0-9a-f]{20}|file-[0-9a-f]{24}")


def make_message_id(now: float) -> str:
    """
    Return a new message id. Ids are unique across processes and threads, and sort by time.

    Args:
        now: Unix seconds.
    """
    return f"{int(now * 1000)}-{_next_number()}-{_process_word}"


def file_message_id(digest: str) -> str:
    """Return the id of a message of a file that has none: *digest*, of 24 hexadecimal digits, is that of the file up to the message."""
    return f"file-{digest}"


def is_own_message_id(message_id: str) -> bool:
    """Tell whether this library made *message_id*, in whatever process and version: the caller gave the message no id (rule E10)."""
    return _OWN.fullmatch(message_id) is not None


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
