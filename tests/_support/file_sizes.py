"""A limit of the size of files, which stands for a full disk."""

from __future__ import annotations

import resource
from contextlib import contextmanager


@contextmanager
def longest_file(size):
    """Let no file of this process grow beyond *size* bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
