"""Fixtures that run a test once with each buffer: what holds for memory must hold for the spool."""

import pytest

from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer


@pytest.fixture(params=["memory", "spool"])
def make_buffer(request, tmp_path):
    """Return a function that makes the buffer under test; all are closed afterwards."""
    made = []

    def make(limit=1000, dead_letters=100, history=10):
        if request.param == "memory":
            buffer = MemoryBuffer(limit=limit, dead_letters=dead_letters, history=history)
        else:
            path = tmp_path / f"spool-{len(made)}.db"
            buffer = SpoolBuffer(path, limit=limit, dead_letters=dead_letters, history=history)
        made.append(buffer)
        return buffer

    yield make
    for buffer in made:
        buffer.close()


@pytest.fixture
def buffer(make_buffer):
    """An empty buffer."""
    return make_buffer()
