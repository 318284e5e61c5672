"""A spool that fills its own volume (rule Q8): it goes on delivering, counts what it holds, and loses nothing."""

from __future__ import annotations

import contextlib
import os
import subprocess
from contextlib import contextmanager

import pytest

from ..._support.file_sizes import longest_file


@contextmanager
def _volume(folder, size):
    """Mount a volume of *size*, where that is allowed."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a volume")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill_and_deliver(stand, count):
    stand.track(*range(count), text="x" * 900)
    full = stand.client.stats()
    stand.wire.answer()
    report = stand.client.flush(20)

    assert (full.accepted, full.pending) == (count, count)
    assert 0 < full.unspooled <= count
    stand.assert_delivered(count)
    assert (report.delivered, report.pending) == (count, 0)
    assert stand.errors


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may mount a volume")
@pytest.mark.parametrize(("size", "count"), [("512k", 800), ("1m", 1_200), ("2m", 2_000), ("4m", 5_000)])
def test_a_small_volume(make_stand, tmp_path, size, count):
    """Q8, O1: what is delivered makes room; what the volume cannot take is kept in memory and counted; then the file is used again."""
    folder = tmp_path / "volume"
    folder.mkdir()
    with _volume(folder, size):
        stand = make_stand(folder / "analytics.spool")
        _fill_and_deliver(stand, count)
        stand.wait_until(lambda: stand.client.health().status == "ok")
        before = stand.client.stats().unspooled
        stand.track(*range(count, count + 5))
        stand.client.flush(30)
        stand.assert_delivered(count + 5)
        assert stand.client.stats().unspooled == before
        stand.client.close(5)


@pytest.mark.parametrize(("size", "count"), [(80_000, 300), (150_000, 500), (300_000, 800), (500_000, 1_200)])
def test_a_limit_of_the_files_size(make_stand, tmp_path, size, count):
    """Q8: the same where files may only have a certain size."""
    with longest_file(size):
        stand = make_stand(tmp_path / "analytics.spool")
        _fill_and_deliver(stand, count)
        stand.client.close(5)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may mount a volume")
@pytest.mark.parametrize("size", ["300k", "4m"])
def test_a_volume_that_another_program_fills(make_stand, tmp_path, size):
    """Q8: when somebody else takes all the room that there is, also what is set free meanwhile, all messages are delivered."""
    folder = tmp_path / "volume"
    folder.mkdir()
    with _volume(folder, size):
        stand = make_stand(folder / "analytics.spool")
        stand.track(*range(500), text="x" * 900)
        _take_all_room(folder / "other")
        stand.track(*range(500, 600), text="x" * 900)
        _take_all_room(folder / "more")
        stand.wire.answer()
        report = stand.client.flush(30)

        stand.assert_delivered(600)
        assert (report.delivered, report.pending) == (600, 0)
        stand.client.close(5)


def _take_all_room(path):
    with contextlib.suppress(OSError), open(path, "ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
