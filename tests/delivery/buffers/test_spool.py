"""What the spool does beyond memory (rules Q3 to Q5, O1, W4): it outlives the process, is shared, and a failed step loses nothing."""

from __future__ import annotations

import sqlite3
import stat
import threading

import pytest

from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.errors import SpoolFailed

from .filling import drain, names, put, settle, take


@pytest.fixture
def path(tmp_path):
    """Where the spool is."""
    return tmp_path / "spool.db"


@pytest.fixture
def open_spool(path):
    """Return a function that opens the spool; all are closed afterwards."""
    opened = []

    def open_it(**choices):
        buffer = SpoolBuffer(path, **{"limit": 1000, "dead_letters": 100, "busy_timeout": 0.05} | choices)
        opened.append(buffer)
        return buffer

    yield open_it
    for buffer in opened:
        buffer.close()


@pytest.fixture
def spool(open_spool):
    """An open spool."""
    return open_spool()


def _rows(path, query):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


# --- surviving --------------------------------------------------------------------------------------------


def test_messages_outlive_a_closed_spool(open_spool):
    """Q3: accepted messages are there when the file is opened again, whether they were ingested or not."""
    first = open_spool()
    put(first, "ingested")
    first.pending()
    put(first, "in the journal", keys=["user:b"])
    first.close()

    assert sorted(drain(open_spool())) == ["in the journal", "ingested"]


def test_retries_outlive_a_closed_spool(open_spool):
    """T2: attempts, failures and the due time are kept in the file."""
    first = open_spool()
    put(first, "m")
    settle(first, take(first), "retry", due_at=10.0, failed=True)
    first.close()
    second = open_spool()

    assert take(second, now=9.0) is None
    assert take(second, now=10.0).entries[0][3:5] == (1, 1)


def test_all_files_are_readable_by_their_owner_only(path, spool):
    """Q3: only the owner of the files may read messages, in the database as in the journals."""
    put(spool, "m")
    settle(spool, take(spool), "retry")

    folder = path.parent / f"{path.name}-intake"
    files = [file for file in path.parent.rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"spool.db", "spool.db-wal", "spool.db-shm"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_file_format_keeps_its_names(path, spool):
    """Q3: a spool of an earlier version is opened by its names, so tables, folder and suffixes never change."""
    put(spool, "m")
    spool.pending()

    tables = {name for (name,) in _rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    files = [file.name.split(".", 1)[1] for file in (path.parent / f"{path.name}-intake").glob("*.*")]
    assert tables >= {
        "numbers",
        "journals",
        "messages",
        "lanes",
        "lane_keys",
        "claims",
        "delivered",
        "dead",
        "shelf",
        "event_seconds",
        "event_places",
    }
    assert sorted(files) == ["1.journal", "lock"]


def test_an_emptied_spool_leaves_no_journal(path, open_spool):
    """After the last close the database has every message, and no journal is left."""
    spool = open_spool()
    for number in range(5):
        put(spool, f"m{number}")
    spool.close()

    assert list((path.parent / f"{path.name}-intake").iterdir()) == []
    assert open_spool().pending() == 5


def test_a_long_journal_is_replaced(path, spool):
    """W4: a long journal that was ingested to its end is replaced by a new one, so journals stay short."""
    properties = {"text": "x" * 10_000}
    for number in range(60):
        put(spool, f"m{number}", properties=properties)
        if number % 10 == 9:
            spool.pending()

    sizes = [file.stat().st_size for file in (path.parent / f"{path.name}-intake").glob("*.journal")]
    assert len(sizes) == 1
    assert sizes[0] < 300_000
    assert len(drain(spool)) == 60


def test_a_caller_ingests_what_nobody_claims(path, open_spool):
    """W4: without a worker the caller ingests the journal, so that it stays short."""
    spool = open_spool(limit=10_000)
    for number in range(4_000):
        put(spool, f"m{number}")

    assert _rows(path, "SELECT COUNT(*) FROM messages")[0][0] >= 2_000


def test_accepting_does_not_wait_for_a_locked_file(path, open_spool):
    """Q1: while another process keeps the file locked, calls return at once and every message is kept."""
    spool = open_spool(limit=10_000)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for number in range(3_000):
        put(spool, f"m{number}")
    with pytest.raises(SpoolFailed, match="locked") as caught:
        take(spool)
    holder.execute("ROLLBACK")
    holder.close()

    assert caught.value.is_passing is True
    assert len(drain(spool)) == 3_000


def test_full_sync_reaches_sqlite(path, open_spool):
    """Q3: with ``spool_sync="full"`` SQLite writes each step through to the disk."""
    spool = open_spool(sync="full")
    put(spool, "m")

    assert names(take(spool)) == ["m"]
    assert spool._database.fetch_one("PRAGMA synchronous") == (2,)


# --- a step that fails --------------------------------------------------------------------------------------


def test_a_failed_ingest_loses_nothing(spool):
    """Q3: if the database cannot take the journal's lines now, they are ingested later, each once."""
    put(spool, "m0")
    spool.pending()
    (pages,) = spool._database.fetch_one("PRAGMA page_count")
    spool._database.fetch_one(f"PRAGMA max_page_count = {pages}")
    for number in range(1, 40):
        put(spool, f"m{number}", properties={"text": "x" * 1_000})
    with pytest.raises(SpoolFailed, match="free space"):
        spool.pending()
    spool._database.fetch_one("PRAGMA max_page_count = 1000000")

    assert spool.next_due_at(now=5.0) == 5.0
    assert drain(spool) == [f"m{number}" for number in range(40)]
    assert spool.tallies().late_duplicates == 0


def test_an_incomplete_line_is_no_news(path, spool):
    """An incomplete line of another process does not count as something that can be claimed."""
    folder = path.parent / f"{path.name}-intake"
    (folder / "4711-other.1.journal").write_bytes(b"\x40\x00\x00\x00\x01\x02\x03\x04half")
    put(spool, "m")

    assert drain(spool) == ["m"]
    assert spool.next_due_at(now=5.0) is None


def test_an_impossible_length_ends_a_journal(path, spool):
    """Bytes that are no complete line are never read as one."""
    folder = path.parent / f"{path.name}-intake"
    (folder / "4711-other.1.journal").write_bytes(b"\xff\xff\xff\xff\x01\x02\x03\x04" + b"x" * 100)
    (folder / "4712-other.1.journal").write_bytes(b"\x04\x00\x00\x00\x01\x02\x03\x04wrong checksum")

    assert take(spool) is None


def test_rows_of_removed_journals_are_removed(path, spool):
    """A row whose journal was removed by a process that then died is removed by the next ingest."""
    spool._database.run("INSERT INTO journals VALUES ('4711-gone.1.journal', 10, 1)")
    put(spool, "m")
    spool.pending()

    rows = _rows(path, "SELECT name FROM journals")
    assert [name for (name,) in rows if name.startswith("4711")] == []


# --- duplicates (rule Q5) -------------------------------------------------------------------------------------


def test_delivered_messages_are_remembered(open_spool):
    """Q5: a message id that was delivered is a counted no-op, also for a later process."""
    first = open_spool()
    put(first, "m")
    drain(first)
    first.close()
    second = open_spool()
    put(second, "m")

    assert take(second) is None
    assert second.pending() == 0
    assert second.tallies().late_duplicates == 1


def test_the_window_of_delivered_messages_ends(path, spool):
    """Q5: the ids of the last 100,000 delivered messages are kept."""
    spool._database.run("INSERT INTO delivered VALUES (1, 'oldest'), (2, 'old'), (100000, 'new')")
    put(spool, "m")
    drain(spool)

    assert _rows(path, "SELECT message_id FROM delivered ORDER BY number") == [("old",), ("new",), ("m",)]


# --- several on one file ------------------------------------------------------------------------------------------


def test_two_spools_share_a_file(open_spool):
    """O1: a contact's messages come in the order of acceptance, whichever process accepted and claims them."""
    one, other = open_spool(), open_spool()
    put(one, "m1", now=1.0)
    put(other, "m2", now=1.1)
    put(one, "m3", now=1.2)
    put(other, "m4", now=1.3)

    claim = take(other)

    assert names(claim) == ["m1", "m2", "m3", "m4"]
    assert take(one) is None
    settle(other, claim)
    assert one.pending() == 0


def test_the_limit_is_shared(open_spool):
    """Q4: the limit counts the messages of all processes."""
    one, other = open_spool(limit=4), open_spool(limit=4)
    for number in range(3):
        put(one, f"m{number}")
    other.pending()

    assert [put(other, f"n{number}") for number in range(2)] == ["accepted", "full"]


def test_closing_ends_leases(open_spool):
    """The leases of a closed spool are open to others at once."""
    one, other = open_spool(), open_spool()
    put(one, "m")
    take(one)
    assert take(other) is None
    one.close()

    assert names(take(other)) == ["m"]


def test_a_lease_that_is_not_renewed_ends(open_spool):
    """A process that hangs keeps its claim for the time of a lease; then another process can claim the messages."""
    one, other = open_spool(lease=60.0), open_spool()
    put(one, "m")
    lost = take(one, now=2.0)

    assert take(other, now=61.0) is None
    claim = take(other, now=62.5)
    assert names(claim) == ["m"]
    assert one.renew(lost, now=63.0) is False

    settle(one, lost, "retry", due_at=99.0)
    settle(other, claim)
    assert one.pending() == 0


def test_a_late_ack_still_counts(open_spool):
    """A message that was delivered under a lost lease is not delivered a third time."""
    one, other = open_spool(lease=60.0), open_spool()
    put(one, "m")
    lost = take(one, now=2.0)
    claim = take(other, now=70.0)
    settle(one, lost, now=71.0)
    settle(other, claim, "retry", now=72.0)

    assert take(one, now=100.0) is None
    assert one.pending() == 0


def test_an_ack_between_two_leases_leaves_no_lane(path, open_spool):
    """A lane is forgotten when its last message is acknowledged late, while the lane has no lease."""
    one, other = open_spool(lease=60.0), open_spool()
    put(one, "n", keys=["user:b"], now=1.0)
    put(one, "m", now=5.0)
    first, lost = take(one, now=6.0), take(one, now=6.0)
    settle(one, first, "release", now=2.0)
    claim = take(other, now=70.0)
    settle(one, lost, now=71.0)

    assert (names(lost), names(claim)) == (["m"], ["n"])
    assert take(other, now=71.0) is None
    settle(other, claim, now=72.0)
    assert _rows(path, "SELECT (SELECT COUNT(*) FROM lanes), (SELECT COUNT(*) FROM lane_keys)") == [(0, 0)]


def test_a_spool_that_delivers_nothing_keeps_no_connection(path, spool):
    """W3: a server that only loads the application has no open connection when it forks its workers outside Python."""
    put(spool, "m")
    spool.pending()
    assert not (path.parent / "spool.db-wal").exists()

    assert names(take(spool)) == ["m"]
    spool.pending()
    assert (path.parent / "spool.db-wal").exists()


def test_opening_a_second_one_ends_no_lock(path, spool):
    """Opening the file twice in one process ends no lock: another process would remove the write-ahead log that is in use."""
    put(spool, "m")
    settle(spool, take(spool), "release")
    SpoolBuffer(path, limit=10, dead_letters=10).close()
    put(spool, "n", keys=["user:b"])
    spool.pending()

    import subprocess
    import sys

    visit = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM numbers'); c.close()"
    )
    subprocess.run([sys.executable, "-c", visit, str(path)], check=True)

    assert (path.parent / "spool.db-wal").stat().st_size > 0
    assert sorted(drain(spool)) == ["m", "n"]


def test_threads_may_close_while_others_accept(open_spool):
    """A call that comes after the close raises, and no accepted message is lost."""
    spool = open_spool(limit=10_000)
    accepted, rejected = [], []

    def accept():
        for number in range(2_000):
            try:
                put(spool, f"m{number}")
            except SpoolFailed:
                rejected.append(number)
                return
            accepted.append(f"m{number}")

    thread = threading.Thread(target=accept)
    thread.start()
    while len(accepted) < 50:
        pass
    spool.close()
    thread.join(30)

    assert drain(open_spool()) == accepted
    assert len(rejected) <= 1


# --- the clock ----------------------------------------------------------------------------------------------------


def test_a_clock_set_back_delays_nothing(make_buffer):
    """T2: a due time that was noted before the clock was set back delays nothing, in memory as in the file."""
    buffer = make_buffer()
    put(buffer, "m", now=10_000.0)
    settle(buffer, take(buffer, now=10_000.0), "retry", due_at=10_030.0)

    assert take(buffer, now=10_001.0) is None
    assert names(take(buffer, now=500.0)) == ["m"]


def test_a_clock_set_back_between_two_processes_delays_nothing(open_spool):
    """A due time further ahead than any back-off delays nothing."""
    first = open_spool()
    put(first, "m", now=50_000.0)
    first.pending()
    first.close()

    assert names(take(open_spool(), now=1_000.0)) == ["m"]


# --- closed -------------------------------------------------------------------------------------------------------


def test_a_closed_spool_says_so(spool):
    """After the close the last numbers can be read; every other call raises and names the fault."""
    put(spool, "m")
    spool.close()
    spool.close()
    spool.after_fork()

    assert spool.pending() == 1
    assert spool.oldest_accepted_at() is None
    with pytest.raises(SpoolFailed, match="was closed"):
        put(spool, "n")
    with pytest.raises(SpoolFailed, match="was closed"):
        spool.mark()


def test_the_path_is_readable(path, spool):
    """The absolute path can be read, for log lines and errors."""
    assert spool.path == str(path)
