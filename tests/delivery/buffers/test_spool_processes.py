"""A spool that real processes share (rules Q3, O1, W3): killed ones, forked ones, and what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from metarouter_intercom._delivery.buffers.spool import SpoolBuffer

from .filling import drain, names, put, take

_DEADLINE = 60


@pytest.fixture
def path(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool.db"


@pytest.fixture
def spool(path):
    """This process's own open spool."""
    buffer = SpoolBuffer(path, limit=1000, dead_letters=100)
    yield buffer
    buffer.close()


def _start(code, path):
    """Run *code* in a new process, with ``spool`` and the functions of ``filling`` defined."""
    prelude = (
        "import os, subprocess, sys, threading\n"
        "from metarouter_intercom._delivery.buffers.spool import SpoolBuffer\n"
        "from tests.delivery.buffers.filling import drain, names, put, settle, take\n"
        "spool = SpoolBuffer(sys.argv[1], limit=1000, dead_letters=100)\n"
        "def say(*words):\n"
        "    os.write(1, (' '.join(map(str, words)) + '\\n').encode())\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def _kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait(_DEADLINE)
    process.stdin.close()
    process.stdout.close()


def _result(process):
    printed, _ = process.communicate(timeout=_DEADLINE)
    return printed.split()


_CLAIMS_AND_WAITS = """
    put(spool, "claimed")
    take(spool)
    put(spool, "in the journal", keys=["user:b"])
    say("ready")
    sys.stdin.read()
"""


def test_messages_of_a_killed_process_are_taken_over_at_once(path, spool):
    """Q3: another process takes over the journal and the leases at once, because the kernel ends the lock of the killed one."""
    process = _start(_CLAIMS_AND_WAITS, path)
    process.stdout.readline()
    assert names(take(spool, now=2.0)) == ["in the journal"]
    _kill(process)

    assert names(take(spool, now=3.1)) == ["claimed"]
    folder = path.parent / f"{path.name}-intake"
    assert {file.name.split("-")[0] for file in folder.iterdir()} == {str(os.getpid()), "reserve"}


def test_messages_of_a_killed_process_are_there_for_the_next_one(path):
    """Q3: a process that opens the spool later takes them over too."""
    process = _start(_CLAIMS_AND_WAITS, path)
    process.stdout.readline()
    _kill(process)
    spool = SpoolBuffer(path, limit=1000, dead_letters=100)

    assert sorted(drain(spool)) == ["claimed", "in the journal"]
    spool.close()
    assert list((path.parent / f"{path.name}-intake").iterdir()) == []


def test_an_incomplete_line_of_a_killed_process_is_kept_aside(path, caplog):
    """A call that never returned accepted nothing; its journal is kept under another name and logged."""
    process = _start(_CLAIMS_AND_WAITS, path)
    process.stdout.readline()
    _kill(process)
    folder = path.parent / f"{path.name}-intake"
    (journal,) = folder.glob("*.journal")
    with journal.open("ab") as file:
        file.write(b"\x40\x00\x00\x00half")
    spool = SpoolBuffer(path, limit=1000, dead_letters=100)

    assert sorted(drain(spool)) == ["claimed", "in the journal"]
    spool.close()
    assert [file.name for file in folder.iterdir()] == [f"{journal.name}.torn"]
    assert f"spool {path}: journal {journal.name} ends in an incomplete line at byte" in caplog.text


def test_a_living_process_is_left_alone(path, spool):
    """O1: a living process keeps its lease and its journal."""
    process = _start(_CLAIMS_AND_WAITS, path)
    process.stdout.readline()

    assert drain(spool, now=30.0) == ["in the journal"]
    _kill(process)


def test_a_forked_child_has_a_connection_and_a_journal_of_its_own(path):
    """W3: parent and child use the same spool, and no message is lost, doubled or locked."""
    process = _start(
        """
        put(spool, "parent before")
        claim = take(spool)
        child = os.fork()
        if child == 0:
            spool.after_fork()
            put(spool, "child")
            say("child-delivers", *sorted(drain(spool)))
            spool.close()
            os._exit(0)
        put(spool, "parent-after", keys=["user:p"])
        _, code = os.waitpid(child, 0)
        settle(spool, claim)
        say("code", code, "rest", *sorted(drain(spool)))
        say(spool.pending(), *spool._database.fetch_one("PRAGMA integrity_check"))
        spool.close()
        """,
        path,
    )

    words = _result(process)

    assert words[0] == "child-delivers"
    assert words[words.index("code") + 1] == "0"
    assert words[-2:] == ["0", "ok"]
    delivered = [word for word in words if word in ("child", "parent-after")]
    assert sorted(delivered) == ["child", "parent-after"]


def test_a_child_has_its_own_lock_on_the_file(path):
    """W3: after the parent has ended, no other process removes the write-ahead log that the child writes to."""
    process = _start(
        """
        put(spool, "m")
        spool.pending()
        parent = os.getpid()
        reader, writer = os.pipe()
        if os.fork():
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        spool.after_fork()
        spool.claim(now=0.5, limit=1)
        os.close(writer)
        os.close(reader)
        while os.getppid() == parent:
            threading.Event().wait(0.01)
        visit = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM numbers'); c.close()"
        subprocess.run([sys.executable, "-c", visit, sys.argv[1]], check=True)
        put(spool, "n", keys=["user:b"])
        say(os.path.exists(sys.argv[1] + "-wal"), *sorted(drain(spool)))
        spool.close()
        """,
        path,
    )

    assert _result(process) == ["True", "m", "n"]


def test_a_fork_while_other_threads_work_blocks_nobody(path):
    """W3: a fork waits until no other thread uses the connection, and neither side hangs."""
    process = _start(
        """
        done = threading.Event()
        def work(own):
            number = 0
            while not done.is_set():
                number += 1
                put(spool, f"{own}-{number}", keys=[f"user:{own}"])
                drain(spool)
        threads = [threading.Thread(target=work, args=(own,)) for own in range(3)]
        for thread in threads:
            thread.start()
        codes = []
        for number in range(15):
            child = os.fork()
            if child == 0:
                spool.after_fork()
                put(spool, f"child-{number}", keys=["user:c"])
                spool.claim(now=2.0, limit=10)
                os._exit(0)
            codes.append(os.waitpid(child, 0)[1])
        done.set()
        for thread in threads:
            thread.join()
        drain(spool, now=100.0)
        say(sum(codes), spool.pending(), *spool._database.fetch_one("PRAGMA integrity_check"))
        spool.close()
        """,
        path,
    )

    assert _result(process) == ["0", "0", "ok"]


def test_a_fork_does_not_wait_for_the_end_of_a_lock(path):
    """W3, Q8: while another program has the file locked, a child starts, and its messages go to its journal."""
    process = _start(
        """
        import sqlite3
        other = sqlite3.connect(sys.argv[1], isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        child = os.fork()
        if child == 0:
            spool.after_fork()
            put(spool, "m")
            os._exit(0)
        code = os.waitpid(child, 0)[1]
        other.execute("ROLLBACK")
        say(code, spool.pending())
        spool.close()
        """,
        path,
    )

    assert _result(process) == ["0", "1"]


def test_a_child_without_the_forks_hook_works_too(path):
    """W3: where a server forks outside Python, the child finds an open connection of the parent and leaves it alone."""
    process = _start(
        """
        import ctypes
        put(spool, "m")
        spool.pending()
        child = ctypes.CDLL(None).fork()
        if child == 0:
            spool.after_fork()
            put(spool, "n", keys=["user:b"])
            say(*sorted(drain(spool)))
            os._exit(0)
        os.waitpid(child, 0)
        say(spool.pending(), *spool._database.fetch_one("PRAGMA integrity_check"))
        spool.close()
        """,
        path,
    )

    assert _result(process) == ["m", "n", "0", "ok"]


def test_a_child_that_cannot_open_the_file_tries_again(path):
    """Q3, W3: a child that could not open the file writes nothing to the parent's, and tries again with the next message."""
    process = _start(
        """
        from metarouter_intercom.errors import SpoolFailed
        folder = sys.argv[1] + "-intake"
        child = os.fork()
        if child == 0:
            os.rename(folder, folder + "-away")
            open(folder, "w").close()
            for step in (spool.after_fork, lambda: put(spool, "refused")):
                try:
                    step()
                except SpoolFailed as error:
                    say("cannot")
            os.unlink(folder)
            os.rename(folder + "-away", folder)
            put(spool, "accepted")
            say(*drain(spool))
            spool.close()
            os._exit(0)
        os.waitpid(child, 0)
        spool.close()
        """,
        path,
    )

    assert _result(process) == ["cannot", "cannot", "accepted"]


def test_two_spools_of_one_process_are_separate(path, spool):
    """Two clients in one process share a file as two processes do."""
    other = SpoolBuffer(path, limit=1000, dead_letters=100)
    put(spool, "m")
    put(other, "n", keys=["user:b"], now=1.5)

    assert names(take(other)) == ["m"]
    assert names(take(spool)) == ["n"]
    other.close()
