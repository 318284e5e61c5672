"""``send`` with several files, patterns and CSV, and what it leaves behind."""

from __future__ import annotations

import gzip
import json
import stat
import sys
from pathlib import Path

import pytest

from metarouter_intercom._cli import send_state
from metarouter_intercom._cli.file_entries import FileEntry
from metarouter_intercom._cli.message_files import read_messages
from metarouter_intercom._cli.progress import Progress, ProgressFile, digest_of
from metarouter_intercom._cli.rejects import Rejects
from metarouter_intercom._delivery.buffers.spool import SpoolBuffer
from metarouter_intercom.sandbox import Sandbox

from .replaying import differences, messages, write_messages


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def state(tmp_path):
    """The state folder of the commands."""
    return tmp_path.parent / f"{tmp_path.name}-state" / "metarouter-intercom" / "send"


def _identify(folder, name, user, **traits):
    (folder / name).write_text(
        json.dumps({"type": "identify", "userId": user, "traits": {"name": name, **traits}}) + "\n"
    )


def _names(folder):
    return sorted(one.name for one in folder.iterdir())


def test_files_are_sent_in_their_order_with_one_summary(connected, sandbox, folder):
    """Each file has its line in the summary, and a line and the numbers are about all of them; later files win."""
    for name in ("b.jsonl", "a.jsonl", "c.jsonl"):
        _identify(folder, name, "u-1")

    done = connected("send", "b.jsonl", "a.jsonl", "c.jsonl", "./a.jsonl")

    assert done.code == 0
    assert done.out.splitlines()[:4] == [
        "b.jsonl: 1 message read, 0 rejected",
        "a.jsonl: 1 message read, 0 rejected",
        "c.jsonl: 1 message read, 0 rejected",
        "3 files: 3 messages read, 0 rejected",
    ]
    assert done.out.splitlines()[4].startswith("3 accepted: 3 delivered")
    assert done.err == "./a.jsonl: the same file as a.jsonl; it is read once\n"
    assert sandbox.workspace.contact("u-1").fields["name"] == "c.jsonl"


def test_links_to_a_file_are_that_file(connected, sandbox, folder):
    """A file that is named twice, by a link or by another path, is sent once."""
    _identify(folder, "a.jsonl", "u-1")
    (folder / "link.jsonl").symlink_to("a.jsonl")

    done = connected("send", folder / "a.jsonl", "link.jsonl", "--json")

    assert json.loads(done.out)["read"] == 1
    assert "link.jsonl: the same file as" in done.err


def test_patterns_are_files_in_alphabetical_order(connected, folder):
    """A pattern in quotes means the files that match it, without the rejects files of the others; no match is an error."""
    for name in ("b-2.jsonl", "b-1.jsonl", "b-1.jsonl.rejects.jsonl"):
        _identify(folder, name, name)
    result = connected("send", "b-*.jsonl", "--json")
    missing = connected("send", "x-*.jsonl")

    assert [one["file"] for one in json.loads(result.out)["files"]] == ["b-1.jsonl", "b-2.jsonl"]
    assert "b-1.jsonl.rejects.jsonl: left out" in result.err
    assert (missing.code, missing.err.count("\n")) == (5, 1)
    assert "x-*.jsonl: no file has such a name" in missing.err


def test_formats_are_mixed(connected, sandbox, folder):
    """JSON lines, an array, a batch, gzip, CSV and standard input are sent together."""
    _identify(folder, "a.jsonl", "u-1")
    (folder / "b.json").write_text(json.dumps([{"type": "identify", "userId": "u-2"}], indent=1))
    (folder / "c.json.gz").write_bytes(gzip.compress(b'{"batch": [{"type": "identify", "userId": "u-3"}]}'))
    (folder / "d.csv.gz").write_bytes(gzip.compress(b"type,userId\nidentify,u-4\n"))
    (folder / "e.tsv").write_text("type\tuserId\nidentify\tu-5\n")

    done = connected(
        "send",
        "a.jsonl",
        "b.json",
        "-",
        "c.json.gz",
        "d.csv.gz",
        "e.tsv",
        stdin=b'{"type":"identify","userId":"u-6"}',
    )

    assert done.code == 0, done.err
    assert "6 files: 6 messages read, 0 rejected" in done.out
    assert {one["external_id"] for one in sandbox.workspace.contacts()} == {f"u-{n}" for n in range(1, 7)}
    assert not [name for name in _names(folder) if "spool" in name]


def test_a_file_that_cannot_be_read_stops_everything(connected, sandbox, folder):
    """All files are looked at before anything of the first one is sent."""
    _identify(folder, "a.jsonl", "u-1")
    (folder / "bad.csv").write_text("type,email\nidentify,x\n")
    (folder / "folder.jsonl").mkdir()
    results = [connected("send", "a.jsonl", other) for other in ("missing.jsonl", "bad.csv", "folder.jsonl")]

    assert [done.code for done in results] == [5, 2, 5]
    assert all(done.err.count("\n") == 1 for done in results)
    assert sandbox.workspace.handled == 0


# --- CSV ---------------------------------------------------------------------------------------------------------


def test_rejected_rows_can_be_corrected_and_sent(connected, sandbox, folder):
    """Rejected rows are kept as CSV, with a column that says why, and are sent again by the same options."""
    columns = ["--type", "identify", "--columns", "id=userId,age=traits.age:number"]
    (folder / "p.csv").write_text("id;age\nu-1;7\nu-2;seven\nu-3;1;2\n")
    first = connected("send", "p.csv", *columns)
    rejects = folder / "p.csv.rejects.csv"
    kept = rejects.read_text()
    rejects.write_text(kept.replace("seven", "7").replace("u-3;1;2", "u-3;1"))
    second = connected("send", "p.csv.rejects.csv", *columns)

    assert first.code == 1
    assert first.err.splitlines()[0] == "p.csv:3: traits.age: not a number; write it as 1234.5"
    assert first.err.splitlines()[1].startswith("p.csv:4: 3 cells, where the first row has 2; ")
    assert kept.splitlines()[0] == "rejected_because;id;age"
    assert kept.splitlines()[1] == "line 3: traits.age: not a number;u-2;seven"
    assert second.code == 0, second.err
    assert {one["external_id"] for one in sandbox.workspace.contacts()} == {f"u-{n}" for n in range(1, 4)}


def test_rejected_lines_can_be_corrected_and_sent(connected, sandbox, folder):
    """A rejects file of JSON is sent like any other file: the messages in it are found."""
    (folder / "a.jsonl").write_text('{"type": "track", "userId": "u-1"}\n')
    connected("send", "a.jsonl")
    rejects = folder / "a.jsonl.rejects.jsonl"
    rejects.write_text(rejects.read_text().replace('"track"', '"identify"'))

    done = connected("send", "a.jsonl.rejects.jsonl")

    assert done.code == 0
    assert sandbox.workspace.contact("u-1") is not None


def test_rows_are_sent_once(connected, sandbox, folder):
    """A CSV file that has grown is continued behind the rows that were sent."""
    (folder / "p.csv").write_text("type,userId\nidentify,u-1\n")
    connected("send", "p.csv")
    with (folder / "p.csv").open("a") as file:
        file.write("identify,u-2\n")

    done = connected("send", "p.csv")

    assert done.out.splitlines()[0] == "p.csv: 2 messages read (1 of them by earlier runs), 0 rejected"
    assert done.out.splitlines()[1].startswith("1 accepted: 1 delivered")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--columns", "a=userId"], "--columns, --type and --delimiter are for CSV"),
        (["--format", "csv", "--delimiter", "ab"], "--delimiter ab: give one character"),
        (["--encoding", "no-such"], "--encoding no-such: no such encoding"),
        (["--encoding", "base64"], "--encoding base64: no such encoding"),
    ],
)
def test_a_wrong_option_is_one_line(connected, folder, options, expected):
    """A wrong option for files gives one line; exit code 2."""
    _identify(folder, "a.jsonl", "u-1")

    done = connected("send", "a.jsonl", *options)

    assert done.code == 2
    assert done.err.count("\n") == 1
    assert expected in done.err


# --- what is left behind ------------------------------------------------------------------------------------------


def test_nothing_is_left_beside_the_files(connected, folder, state):
    """A complete run leaves no file beside its own, and one small record in the state folder, which only its owner can read."""
    _identify(folder, "a.jsonl", "u-1")
    connected("send", "a.jsonl")
    (record,) = [one for one in state.rglob("*") if one.is_file()]

    assert _names(folder) == ["a.jsonl"]
    assert record.stat().st_size < 2_000
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700


def test_another_workspace_gets_the_file_too(connected, cli, sandbox, folder):
    """What one workspace has is new to another one."""
    _identify(folder, "a.jsonl", "u-1")
    connected("send", "a.jsonl")
    with Sandbox() as other:
        done = cli("send", "a.jsonl", INTERCOM_API_KEY=other.token, INTERCOM_BASE_URL=other.url)

        assert done.out.splitlines()[0] == "a.jsonl: 1 message read, 0 rejected"
        assert other.workspace.contact("u-1") is not None


def test_a_file_is_sent_again_on_request(connected, sandbox, folder):
    """`--restart` sends a complete or changed file from the beginning."""
    _identify(folder, "a.jsonl", "u-1")
    connected("send", "a.jsonl")
    _identify(folder, "a.jsonl", "u-2")

    done = connected("send", "a.jsonl", "--restart")

    assert done.code == 0
    assert sandbox.workspace.contact("u-2") is not None


def test_dead_letters_keep_the_spool_until_they_are_gone(connected, folder, state):
    """A spool with dead letters stays and is named; when they are gone, the next run removes it."""
    (folder / "a.jsonl").write_text('{"type": "track", "userId": "u-1", "event": "Seen"}\n')
    first = connected("send", "a.jsonl", "--wait", "0")
    spool = first.err.split()[-1]
    second = connected("send", "a.jsonl")
    connected("dead-letters", "discard", "--spool", spool, "--all", "--yes")
    third = connected("send", "a.jsonl")

    assert first.code == 1
    assert f"its dead letters are kept in {spool}" in second.err
    assert "dead letters" not in third.err
    assert not list(state.rglob("*.spool*"))


def _leave_old_state(folder, number, read):
    """Write *number* messages, and the state that an earlier version left after reading the first ones, delivering none."""
    path = folder / "events.jsonl"
    write_messages(path, number)
    buffer = SpoolBuffer(f"{path}.spool", limit=100, dead_letters=100)
    buffer.close()
    stored = ProgressFile(send_state.old_progress(folder / "events.jsonl.spool"))
    stored.progress = Progress(read=read)
    with path.open("rb") as stream:
        for entry in list(read_messages(stream))[:read]:
            stored.progress.digest = digest_of(stored.progress.digest, entry)
    stored.save()
    stored.close()
    return path


def test_the_state_of_an_earlier_version_is_continued(connected, folder):
    """What an earlier version left beside a file is continued, and removed at the end."""
    path = _leave_old_state(folder, 20, 10)

    done = connected("send", path)

    assert done.out.splitlines()[0] == f"{path}: 20 messages read (10 of them by earlier runs), 0 rejected"
    assert _names(folder) == ["events.jsonl"]


def test_what_two_earlier_runs_left_is_sent_first(connected, sandbox, folder):
    """If files have spools of their own from earlier runs, what is in them is delivered before the rest of the files."""
    write_messages(folder / "events.jsonl", 20)
    rows = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    for name, part in (("a.jsonl", rows[:10]), ("b.jsonl", rows[10:])):
        (folder / name).write_text("".join(part))
        SpoolBuffer(folder / f"{name}.spool", limit=100, dead_letters=100).close()
        stored = ProgressFile(send_state.old_progress(folder / f"{name}.spool"))
        stored.progress = Progress(read=0)
        stored.progress.sent_bytes = None
        stored.save()
        stored.close()

    done = connected("send", "a.jsonl", "b.jsonl")

    assert done.code == 0
    assert differences(sandbox.workspace, 20) == []
    assert _names(folder) == ["a.jsonl", "b.jsonl", "events.jsonl"]


def test_a_state_folder_that_cannot_be_written_is_one_line(connected, folder):
    """A state folder that cannot be made gives one line that names the variable; exit code 5."""
    _identify(folder, "a.jsonl", "u-1")

    done = connected("send", "a.jsonl", XDG_STATE_HOME=str(folder / "a.jsonl"))

    assert (done.code, done.err.count("\n")) == (5, 1)
    assert "XDG_STATE_HOME" in done.err


def test_rejects_of_several_files_go_into_a_folder(connected, folder):
    """`--rejects` names a folder for several files; files of one name do not overwrite each other."""
    for inner in ("x", "y"):
        (folder / inner).mkdir()
        (folder / inner / "a.jsonl").write_text("{\n")
    (folder / "out").mkdir()
    refused = connected("send", "x/a.jsonl", "y/a.jsonl", "--rejects", "bad.jsonl")
    done = connected("send", "x/a.jsonl", "y/a.jsonl", "--rejects", "out")

    assert refused.code == 2
    assert done.code == 1
    assert _names(folder / "out") == ["a.jsonl.rejects-2.jsonl", "a.jsonl.rejects.jsonl"]


@pytest.mark.skipif(
    sys.platform != "linux", reason="no folder that nobody may write to, not even the super-user"
)
def test_a_folder_that_cannot_be_written(tmp_path):
    """Where the folder of a file cannot be written, its rejects go to the state folder."""
    rejects = Rejects(Path("/sys/a.rejects.jsonl"), keep=0, other_folder=lambda: tmp_path)
    entry = FileEntry(1, "", None, "wrong")
    rejects.write(entry, [entry.problem])
    rejects.close()

    assert rejects.path == tmp_path / "a.rejects.jsonl"
    assert json.loads(rejects.path.read_text())["faults"][0]["fault"] == "wrong"


def test_an_interrupted_run_over_files_continues(connected, sandbox, folder):
    """A run over some of the files of an earlier one continues where that stopped, and doubles nothing."""
    everything = [json.dumps(one) + "\n" for one in messages(40)]
    (folder / "a.jsonl").write_text("".join(everything[:20]))
    (folder / "b.jsonl").write_text("".join(everything[20:]))
    connected("send", "a.jsonl")

    done = connected("send", "a.jsonl", "b.jsonl")

    assert done.err == "a.jsonl: the whole file was already sent; to send the file again, add --restart\n"
    assert done.out.splitlines()[0] == "b.jsonl: 20 messages read, 0 rejected"
    assert differences(sandbox.workspace, 40) == []
    assert sandbox.workspace.repeated_events == 0


def test_exported_dead_letters_can_be_sent(connected, sandbox, folder):
    """What `dead-letters export` writes is sent like any other file."""
    (folder / "a.jsonl").write_text('{"type": "track", "userId": "u-1", "event": "Seen"}\n')
    spool = connected("send", "a.jsonl", "--wait", "0").err.split()[-1]
    connected("dead-letters", "export", "--spool", spool, "-o", "dead.jsonl")
    _identify(folder, "b.jsonl", "u-1")

    done = connected("send", "b.jsonl", "dead.jsonl")

    assert done.code == 0
    assert [event.name for event in sandbox.workspace.events("u-1")] == ["Seen"]
