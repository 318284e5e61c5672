"""All processes that share a spool reckon in one time, which never goes back (rule W7)."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.buffers import boot_times
from metarouter_intercom._delivery.buffers.capabilities import steady_offset_of
from metarouter_intercom._delivery.buffers.fallback import FallbackBuffer
from metarouter_intercom._delivery.buffers.memory import MemoryBuffer
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer

_NOW = 1_767_225_600.0


@pytest.fixture
def open_spool(tmp_path):
    """Return a function that opens the same spool once more."""
    opened = []

    def open_it():
        opened.append(SpoolBuffer(tmp_path / "spool", limit=100, dead_letters=10))
        return opened[-1]

    yield open_it
    for spool in opened:
        spool.close()


def test_a_step_between_two_processes_changes_nothing(open_spool):
    """A process that starts after the wall clock went back one hour reckons in the time of the process that started before."""
    first = open_spool().steady_offset(monotonic=100.0, wall=_NOW)
    second = open_spool().steady_offset(monotonic=160.0, wall=_NOW - 3600)

    assert first == second == _NOW - 100


def test_a_boot_begins_a_new_offset(open_spool, monkeypatch):
    """After a boot the monotonic clock is near 0 again, and time goes on from the wall clock."""
    open_spool().steady_offset(monotonic=5000.0, wall=_NOW)
    monkeypatch.setattr(boot_times, "_BOOT_ID", "/proc/sys/kernel/random/uuid")

    offset = open_spool().steady_offset(monotonic=10.0, wall=_NOW + 60)

    assert 10.0 + offset == _NOW + 60


def test_time_does_not_go_back_at_a_boot(open_spool, monkeypatch):
    """If the wall clock is behind after a boot, time goes on from the newest message in the file."""
    spool = open_spool()
    spool.accept({"messageId": "m1"}, keys=["user:u1"], upserts=False, now=_NOW)
    spool.pending()
    monkeypatch.setattr(boot_times, "_BOOT_ID", "/proc/sys/kernel/random/uuid")

    offset = open_spool().steady_offset(monotonic=10.0, wall=0.0)

    assert 10.0 + offset == _NOW


def test_without_names_of_boots_the_monotonic_clock_tells_them_apart(open_spool, monkeypatch, tmp_path):
    """Where the system does not name its boots, an offset holds as long as time does not go back by it."""
    monkeypatch.setattr(boot_times, "_BOOT_ID", str(tmp_path / "none"))
    spool = open_spool()
    spool.accept({"messageId": "m1"}, keys=["user:u1"], upserts=False, now=_NOW)
    spool.pending()

    assert spool.steady_offset(monotonic=500.0, wall=_NOW) == _NOW - 500
    assert spool.steady_offset(monotonic=510.0, wall=_NOW - 3600) == _NOW - 500
    assert spool.steady_offset(monotonic=3.0, wall=_NOW + 99) == _NOW + 96


def test_each_time_namespace_has_an_offset(monkeypatch, tmp_path):
    """A boot is named with the time namespace of the process; where there are no such namespaces the boot's name is enough."""
    with_namespace = boot_times.boot_name()
    monkeypatch.setattr(boot_times, "_TIME_NAMESPACE", str(tmp_path / "none"))

    assert with_namespace.startswith(boot_times.boot_name())
    assert boot_times.boot_name()


def test_messages_in_memory_reckon_in_the_time_of_the_file(open_spool):
    """The buffer that keeps messages in memory while the file fails reckons in the file's time."""
    spool = open_spool()
    offset = spool.steady_offset(monotonic=100.0, wall=_NOW)
    fallback = FallbackBuffer(spool, on_error=lambda error, messages: None)

    assert steady_offset_of(fallback, monotonic=160.0, wall=_NOW - 3600) == offset
    assert steady_offset_of(MemoryBuffer(limit=1, dead_letters=1), monotonic=10.0, wall=_NOW) == _NOW - 10
