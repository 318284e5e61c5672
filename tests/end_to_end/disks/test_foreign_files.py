"""Files that belong to somebody else, cannot be read or are no spool (rule Q8): skipped, told and counted; the host starts."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from metarouter_intercom._delivery.buffers.spool import SpoolBuffer

from ...delivery.buffers.filling import put
from .conftest import DEADLINE

_PRELUDE = """
import os, sys
from metarouter_intercom import Client
from tests.end_to_end.disks.conftest import Stand
from pathlib import Path
import importlib
# What is imported later may not be readable for the other user.
for name in ("fcntl", "resource", "sqlite3", "_json", "zlib", "encodings.idna", "metarouter_intercom._delivery.buffers.fallback"):
    importlib.import_module(name)
import tempfile
with tempfile.TemporaryDirectory() as folder:
    used = Stand(Path(folder) / "used.spool")
    used.track(1)
    used.wire.answer()
    used.client.flush(20)
    used.client.stats(), used.client.health()
    used.client.close(5)
path = Path(sys.argv[1])
os.chdir("/")
"""


def _run_as_another_user(path, script):
    """Run *script* as a user who may not do everything; return what it printed."""
    code = _PRELUDE + "os.getuid() or os.setuid(65534)\n" + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


_TRACKS = """
stand = Stand(path)
stand.track(*range(5))
stand.wire.answer()
stand.client.flush(20)
stats, health = stand.client.stats(), stand.client.health()
print(len(stand.wire.seen), bool(stand.errors), stats.unspooled, health.status, health.spool is not None, stats.spool.skipped)
stand.client.close(5)
"""


@pytest.fixture
def open_folder(tmp_path_factory):
    """A folder in which every user may write, below folders that every user may enter."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can leave files of another user behind")
def test_a_leftover_journal_of_root_is_skipped(open_folder):
    """Q8: somebody once ran the command line as root; the service starts, delivers, and tells of the journal."""
    path = open_folder / "analytics.spool"
    root = SpoolBuffer(path, limit=10, dead_letters=10)
    put(root, "of root")
    root._own_intake.journal.close(is_ingested=False)
    os.chmod(path, 0o666)
    for file in open_folder.iterdir():
        os.chmod(file, 0o777 if file.is_dir() else 0o666)

    assert _run_as_another_user(path, _TRACKS) == ["5", "True", "0", "ok", "True", "1"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can leave files of another user behind")
@pytest.mark.parametrize("what", ["database", "folder of journals"])
def test_a_spool_of_root_is_not_used(open_folder, what):
    """Q8: the service starts, keeps its messages in memory, delivers them, and says what is wrong."""
    path = open_folder / "analytics.spool"
    SpoolBuffer(path, limit=10, dead_letters=10).close()
    if what == "folder of journals":
        os.chmod(path, 0o666)

    assert _run_as_another_user(path, _TRACKS) == ["5", "True", "5", "failing", "True", "0"]


@pytest.mark.parametrize(
    "content", [b"no database, and long enough to be looked at" * 500, b"SQLite format 3\0" + b"\xff" * 8_192]
)
def test_a_file_that_is_no_spool_is_left_alone(make_stand, tmp_path, content):
    """Q8: the client starts and delivers from memory, and the file, which may be dear to somebody, stays as it is."""
    path = tmp_path / "analytics.spool"
    path.write_bytes(content)
    stand = make_stand(path)
    stand.track(*range(5))
    stand.wire.answer()
    stand.client.flush(30)

    stand.assert_delivered(5)
    assert path.read_bytes() == content
    assert stand.client.health()[:2] == ("failing", "spool")
    assert stand.client.stats().unspooled == 5
    assert stand.errors


def test_strays_among_the_journals_are_skipped(make_stand):
    """Q8: folders, links and files that are no journals hold nothing up; each is told once, and counted."""
    stand = make_stand(delivery="manual")
    stand.track(0)
    (stand.folder / "a.journal").mkdir()
    (stand.folder / "b.lock").mkdir()
    (stand.folder / "c.journal").write_bytes(b"\xff" * 5_000)
    (stand.folder / "d.journal").symlink_to("/etc/passwd")
    stand.track(*range(1, 5))
    stand.wire.answer()
    for _ in range(2):
        stand.client.flush(30)

    stand.assert_delivered(5)
    assert stand.client.stats().spool.skipped == 4
    assert len(stand.errors) == 4
    assert (stand.folder / "c.journal").read_bytes() == b"\xff" * 5_000


def test_a_damaged_line_costs_that_line(make_stand):
    """Q8: what stands behind garbage in the journal of a process that ended is read."""
    stand = make_stand(delivery="manual")
    stand.track(*range(3))
    (journal,) = stand.folder.glob("*.journal")
    lines = journal.read_bytes()
    (stand.folder / "4711-gone.1.journal").write_bytes(
        lines.replace(b'"number":1', b'"number":7').replace(b"messageId", b"messageIx")
    )
    stand.wire.answer()
    stand.client.flush(30)

    stand.assert_delivered(3)
    assert stand.client.stats().spool.skipped == 1


def test_a_file_that_may_be_read_again_is_used_again(make_stand, tmp_path):
    """Q8: once the file that was in the way is gone, messages go to the spool, without a restart."""
    path = tmp_path / "analytics.spool"
    path.write_bytes(b"no database, and long enough to be looked at" * 500)
    stand = make_stand(path)
    stand.track(0)
    path.unlink()
    stand.wire.answer()
    stand.client.flush(30)
    stand.wire.seen.clear()
    while stand.client.health().status != "ok":
        stand.client.flush(0.2)

    stand.track(1)
    stand.client.flush(30)
    assert (stand.client.stats().unspooled, stand.wire.seen[1]) == (1, 1)
