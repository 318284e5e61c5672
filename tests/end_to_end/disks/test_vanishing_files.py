"""Files that vanish while they are open (rule Q8): noticed by the next call, saved from the open descriptors, reported, nothing doubled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from metarouter_intercom._delivery.buffers.spool import SpoolBuffer


def _remove(stand, *endings):
    for ending in endings:
        path = stand.path.with_name(stand.path.name + ending)
        if path.exists():
            path.unlink(missing_ok=True)


def _each(stand, ending, deed):
    for file in stand.folder.iterdir():
        if file.name.endswith(ending):
            deed(file)


def _garble(file):
    with open(file, "ab") as handle:
        handle.write(os.urandom(3_000))


def _rotate(stand):
    for ending in ("", "-wal", "-shm", "-intake"):
        path = stand.path.with_name(stand.path.name + ending)
        if path.exists():
            path.rename(path.with_name(f"{path.name}.1"))


def _empty_the_folder(stand):
    for path in stand.path.parent.iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _put_another_spool_back(stand):
    other = stand.path.with_name("other")
    SpoolBuffer(other, limit=10, dead_letters=10).close()
    os.replace(other, stand.path)


def _put_something_else_there(stand):
    other = stand.path.with_name("other")
    other.write_bytes(b"no database, and long enough to be looked at" * 500)
    os.replace(other, stand.path)


_DEEDS = {
    "rm *.journal": lambda stand: _each(stand, ".journal", os.unlink),
    "rm *.lock": lambda stand: _each(stand, ".lock", os.unlink),
    "rm -r intake": lambda stand: shutil.rmtree(stand.folder, ignore_errors=True),
    "mv intake": lambda stand: stand.folder.rename(f"{stand.folder}.old"),
    "rm spool": lambda stand: _remove(stand, ""),
    "rm spool*": lambda stand: _remove(stand, "", "-wal", "-shm"),
    "rm spool-wal": lambda stand: _remove(stand, "-wal"),
    "rm spool-shm": lambda stand: _remove(stand, "-shm"),
    "rm spool-wal spool-shm": lambda stand: _remove(stand, "-wal", "-shm"),
    "mv spool": lambda stand: stand.path.rename(f"{stand.path}.1"),
    "rotate": _rotate,
    "rm -r folder": lambda stand: shutil.rmtree(stand.path.parent, ignore_errors=True),
    "rm -r folder/*": _empty_the_folder,
    "mv folder": lambda stand: stand.path.parent.rename(f"{stand.path.parent}.old"),
    "restore another spool": _put_another_spool_back,
    "put something else there": _put_something_else_there,
    "truncate spool": lambda stand: os.truncate(stand.path, 0),
    "truncate journal": lambda stand: _each(stand, ".journal", lambda file: os.truncate(file, 0)),
    "garble journal": lambda stand: _each(stand, ".journal", _garble),
}


@pytest.mark.parametrize("deed", _DEEDS)
def test_what_the_open_files_hold_is_delivered_once(make_stand, caplog, deed):
    """Q8: whatever another program does to the files of a client that delivers, each message arrives once, and people are told."""
    stand = make_stand()
    stand.track(*range(20))
    stand.wire.wait_for_request()
    # The count ingests what was accepted: what happens next happens to the database.
    assert stand.client.report().pending == 20

    _DEEDS[deed](stand)
    stand.track(*range(20, 30))
    stand.wire.answer()
    report = stand.client.flush(30)

    stand.assert_delivered(30)
    assert (report.accepted, report.delivered, report.pending, report.duplicates) == (30, 30, 0, 0)
    assert stand.errors
    assert [record.levelname for record in caplog.records if record.name == "metarouter_intercom"]
    assert stand.client.health().spool is not None


@pytest.mark.parametrize("deed", [deed for deed in _DEEDS if deed != "truncate journal"])
def test_what_waits_in_the_journal_is_delivered_once(make_stand, deed):
    """Q8: the same holds before anything was delivered, while all messages are in the journal."""
    stand = make_stand(delivery="manual")
    stand.track(*range(20))

    _DEEDS[deed](stand)
    stand.track(*range(20, 30))
    stand.wire.answer()
    report = stand.client.flush(30)

    stand.assert_delivered(30)
    assert (report.accepted, report.delivered, report.pending, report.duplicates) == (30, 30, 0, 0)


def test_lines_that_are_gone_are_counted(make_stand):
    """Q8: what no file holds any more is lost, and its number is reported."""
    stand = make_stand(delivery="manual")
    stand.track(*range(20))

    _DEEDS["truncate journal"](stand)
    stand.track(*range(20, 30))
    stand.wire.answer()
    stand.client.flush(30)

    assert sorted(stand.wire.seen) == list(range(20, 30))
    assert stand.client.stats().spool.lost == 20


def test_a_restored_backup_is_not_sent_again(make_stand):
    """Q8: a backup contains messages that were delivered since; they are recognised by their ids."""
    stand = make_stand(delivery="manual")
    stand.track(*range(10))
    assert stand.client.report().pending == 10
    backup = stand.path.with_name("backup")
    shutil.copy(stand.path, backup)
    stand.wire.answer()
    stand.client.flush(30)

    os.replace(backup, stand.path)
    stand.track(*range(10, 15))
    report = stand.client.flush(30)

    stand.assert_delivered(15)
    assert report.pending == 0


def test_dead_letters_move_along(make_stand):
    """Q8: the dead letters of a file that was removed are in the new one."""
    stand = make_stand(delivery="manual")
    stand.client._dependencies.buffer.bury(
        {"type": "track", "messageId": "d"}, reason="plugin_failed", now=1.0
    )
    stand.track(0)
    stand.wire.answer()
    stand.client.flush(30)

    _remove(stand, "", "-wal", "-shm")
    stand.track(1)
    stand.client.flush(30)

    assert [letter.message["messageId"] for letter in stand.client.dead_letters.list()] == ["d"]


def test_two_processes_save_each_message_once(make_stand, tmp_path):
    """Q8: when the files of several processes vanish, each saves what it has, and no message is sent twice."""
    stand = make_stand(workers=1)
    stand.track(*range(20))
    stand.wire.wait_for_request()
    code = (
        "import sys, time\n"
        "from metarouter_intercom._delivery.buffers.spool import SpoolBuffer\n"
        "spool = SpoolBuffer(sys.argv[1], limit=1000, dead_letters=10)\n"
        "assert spool.claim(now=time.time(), limit=1) is not None\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "while (claim := spool.claim(now=time.time(), limit=100)) is not None:\n"
        "    print(*(entry.message['properties']['number'] for entry in claim.entries), flush=True)\n"
        "    spool.settle(claim, [], now=time.time())\n"
        "    break\n"
        "sys.stdin.readline()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(stand.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "ready\n"

    _remove(stand, "", "-wal", "-shm")
    stand.track(*range(20, 30))
    other.stdin.write("\n")
    other.stdin.flush()
    claimed = {int(number) for number in other.stdout.readline().split()}
    other.kill()
    other.communicate()
    stand.wire.answer()
    stand.client.flush(30)

    assert claimed
    stand.assert_delivered(30)
