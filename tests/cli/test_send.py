"""``send``: what is in Intercom at the end, what is reported about the rest, and how an interrupted run continues."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
from itertools import islice

import pytest

from metarouter_intercom._cli.formatting import report_lines
from metarouter_intercom._cli.message_files import read_messages
from metarouter_intercom._cli.progress import Progress, ProgressFile, digest_of
from metarouter_intercom._delivery.report import Report
from metarouter_intercom.sandbox import Sandbox, Workspace

from .replaying import differences, write_messages

_NUMBER = 100


@pytest.fixture
def file(tmp_path):
    """A file of messages with a known result."""
    path = tmp_path / "events.jsonl"
    write_messages(path, _NUMBER)
    return path


def test_a_file_is_sent_completely_and_reported(connected, sandbox, file):
    """Everything in the file arrives in Intercom, and the report shows it."""
    done = connected("send", file)

    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0] == f"{file}: 100 messages read, 0 rejected"
    assert lines[1].startswith("100 accepted: 100 delivered")
    assert differences(sandbox.workspace, _NUMBER) == []
    assert done.err == ""


def test_send_prints_json(connected, file):
    """`--json` prints one object: how much of the file was read, and the report."""
    result = json.loads(connected("send", file, "--json").out)

    assert (result["file"], result["read"], result["read_rejected"], result["is_finished"]) == (
        str(file),
        100,
        0,
        True,
    )
    assert (result["accepted"], result["delivered"], result["pending"]) == (100, 100, 0)


@pytest.mark.parametrize("form", ["array", "batch", "gzip", "UTF-16", "UTF-16 array", "UTF-32 gzip"])
def test_other_forms_of_files(connected, sandbox, file, form):
    """Arrays, batches, gzipped files and files in other encodings are sent like JSON lines."""
    messages = [json.loads(line) for line in file.read_text().splitlines()]
    content = {
        "array": json.dumps(messages, indent=1).encode(),
        "batch": json.dumps({"batch": messages}).encode(),
        "gzip": gzip.compress(file.read_bytes()),
        "UTF-16": file.read_text().encode("utf-16"),
        "UTF-16 array": json.dumps(messages, indent=1).encode("utf-16"),
        "UTF-32 gzip": gzip.compress(file.read_text().encode("utf-32")),
    }
    file.write_bytes(content[form])

    done = connected("send", file)

    assert done.code == 0
    assert differences(sandbox.workspace, _NUMBER) == []


def test_what_was_sent_is_not_sent_again(connected, sandbox, file):
    """The same file is not sent again, and one line says how to send it anyway."""
    connected("send", file)
    handled = sandbox.workspace.handled

    done = connected("send", file)

    assert done.code == 0
    assert done.err == (f"{file}: the whole file was already sent; to send the file again, add --restart\n")
    assert sandbox.workspace.handled == handled + 1  # the check of the key


def test_only_what_was_added_to_a_file_is_sent(connected, sandbox, file):
    """If a file has grown since the last run, only the new messages are sent."""
    connected("send", file)
    write_messages(file, _NUMBER + 50)

    done = connected("send", file)

    assert done.code == 0
    assert done.out.splitlines()[0] == f"{file}: 150 messages read (100 of them by earlier runs), 0 rejected"
    assert done.out.splitlines()[1].startswith("50 accepted: 50 delivered")
    assert differences(sandbox.workspace, _NUMBER + 50) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_that_has_grown(connected, sandbox, file, encoding):
    """How much of a file was read is counted in messages, so a file in UTF-16 continues like any other one."""
    text = file.read_text()
    file.write_bytes(("\ufeff" + text).encode(encoding))
    connected("send", file)
    write_messages(file, _NUMBER + 50)
    file.write_bytes(("\ufeff" + file.read_text()).encode(encoding))

    done = connected("send", file)

    assert done.code == 0
    assert done.out.splitlines()[0] == f"{file}: 150 messages read (100 of them by earlier runs), 0 rejected"
    assert done.out.splitlines()[1].startswith("50 accepted: 50 delivered")
    assert differences(sandbox.workspace, _NUMBER + 50) == []


def test_a_file_in_utf_16_that_was_cut_off(connected, sandbox, file):
    """A file that ends inside a character is one fault, and everything before its last line is sent."""
    file.write_bytes(file.read_text().encode("utf-16") + b"{")

    done = connected("send", file)

    assert done.code == 1
    assert done.out.splitlines()[0] == f"{file}: 101 messages read, 1 rejected"
    assert (
        "not UTF-16: truncated data after this line; the rest was not read; get a complete copy" in done.err
    )
    assert differences(sandbox.workspace, _NUMBER) == []


@pytest.mark.parametrize("changed", ["shorter", "other"])
def test_a_changed_file_is_refused(connected, file, changed):
    """A file that differs from the one its spool was used for is refused, wherever it differs."""
    connected("send", file)
    rows = file.read_text().splitlines(keepends=True)
    rows = rows[:-1] if changed == "shorter" else [*rows[:-1], '{"type": "page", "userId": "u-1"}\n', "{}\n"]
    file.write_text("".join(rows))

    done = connected("send", file)

    assert done.code == 5
    assert done.err == (
        f"metarouter-intercom: {file}: not the file that was sent before; add --restart to send it from the beginning\n"
    )


def test_an_invalid_progress_file_is_reported(connected, file):
    """A progress file that cannot be read gives one line with its path and the remedy."""
    record = file.with_name("events.jsonl.spool.progress.json")
    record.write_text("nonsense")

    done = connected("send", file)

    assert done.code == 5
    assert f"{record}: not a progress file; delete it" in done.err


def test_a_missing_spool_is_reported(connected, file):
    """If the spool of a partly sent file is missing, so are its messages, and this is reported."""
    stored = ProgressFile(file.with_name("events.jsonl.spool.progress.json"))
    stored.progress = Progress(read=5, digest="d")
    stored.save()
    stored.close()

    done = connected("send", file)

    assert done.code == 5
    assert done.err.startswith(
        f"metarouter-intercom: {file}: the spool is missing, and with it the messages that were read and not delivered; add --restart "
    )


def test_two_processes_cannot_send_one_file(connected, file):
    """While one process sends a file, another process is refused."""
    stored = ProgressFile(file.with_name("events.jsonl.spool.progress.json"))
    done = connected("send", file)
    stored.close()

    assert done.code == 5
    assert "another process is sending this file" in done.err


# --- invalid and refused messages -----------------------------------------------------------------------------------


def _with_faults(file):
    rows = file.read_text().splitlines()
    rows.insert(3, "{")
    rows.insert(7, '{"type": "track", "userId": "u-1"}')
    rows.insert(9, '{"batch": [{"type": "identify", "userId": true, "traits": [1]}]}')
    file.write_text("\n".join(rows))


def test_invalid_messages_are_reported_and_written_to_a_file(connected, sandbox, file):
    """Invalid messages are reported by file, line and path and written to the rejects file; the others are sent."""
    _with_faults(file)

    done = connected("send", file)

    rejects = file.with_name("events.jsonl.rejects.jsonl")
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert done.code == 1
    assert differences(sandbox.workspace, _NUMBER) == []
    assert done.out.splitlines()[0] == f"{file}: 103 messages read, 3 rejected"
    assert done.out.splitlines()[-2:] == ["  rejected: 2 x invalid", "  rejected: 1 x unreadable"]
    assert [line.rpartition(";")[0] for line in done.err.splitlines()[:-1]] == [
        f"{file}:4: not JSON at column 2: Expecting property name enclosed in double quotes",
        f"{file}:8: event: missing or blank",
        f"{file}:10: batch[0].userId: a boolean, not a text",
        f"{file}:10: batch[0].traits: a list, not an object",
    ]
    assert done.err.splitlines()[-1] == f"rejected messages are in {rejects}"
    assert [(one["line"], one["place"]) for one in kept] == [(4, ""), (8, ""), (10, "batch[0]")]
    assert kept[0]["text"] == "{"
    assert kept[1]["message"] == {"type": "track", "userId": "u-1"}
    assert [one["path"] for one in kept[2]["faults"]] == ["userId", "traits"]
    assert rejects.stat().st_mode & 0o777 == 0o600


def test_rejections_of_earlier_runs_are_told_apart(connected, file):
    """The reasons cover this run, so the heading says how many were rejected before."""
    _with_faults(file)
    connected("send", file)
    file.write_text(file.read_text() + "\n{\n")

    done = connected("send", file)

    assert done.out.splitlines()[0].endswith(", 4 rejected (3 of them by earlier runs)")
    assert done.out.splitlines()[-1] == "  rejected: 1 x unreadable"


def test_retries_are_not_counted_as_messages():
    """A retry is an attempt, so it has a line of its own beside the numbers of messages."""
    lines = report_lines(Report(accepted=4, delivered=2, retried=9, pending=2))

    assert lines == ["4 accepted: 2 delivered, 2 pending", "  retries: 9"]


def test_many_invalid_messages_do_not_flood_the_terminal(connected, tmp_path):
    """The first rejected messages are printed, all are written to the rejects file."""
    path = tmp_path / "events.jsonl"
    path.write_text("nonsense\n" * 100)

    done = connected("send", path, "--rejects", tmp_path / "bad.jsonl")

    assert len(done.err.splitlines()) == 22
    assert done.err.splitlines()[20] == f"more rejected messages are only written to {tmp_path / 'bad.jsonl'}"
    assert len((tmp_path / "bad.jsonl").read_text().splitlines()) == 100


def test_a_message_that_intercom_refuses_becomes_a_dead_letter(connected, tmp_path):
    """A message that cannot be delivered is counted and stays in the spool, and a line says how to see it."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"type": "track", "userId": "u-nobody", "event": "Clicked"}\n')

    done = connected("send", path, "--wait", "0")
    spool = done.err.split()[-1]
    listed = connected("dead-letters", "list", "--spool", spool)

    assert done.code == 1
    assert "  dead: 1 x contact_missing" in done.out
    assert done.err == (f"to see the dead letters: metarouter-intercom dead-letters list --spool {spool}\n")
    assert "1 of 1 dead letter" in listed.out


def test_a_missing_message_id_is_made_from_the_file(connected, sandbox, tmp_path):
    """A message id that is null or blank is made from the file, so that a repeated message is recognised."""
    path = tmp_path / "events.jsonl"
    identify = {"type": "identify", "userId": "u-1"}
    events = [
        {"type": "track", "userId": "u-1", "event": "Clicked", "messageId": message_id}
        for message_id in (None, " ")
    ]
    path.write_text("\n".join(json.dumps(one) for one in [identify, *events]))
    spool = tmp_path / "spool"
    connected("send", path, "--spool", spool)

    done = connected("send", path, "--spool", spool, "--restart")

    assert done.out.splitlines()[1] == "0 accepted: 3 duplicates"
    assert len(sandbox.workspace.events("u-1")) == 1


# --- interrupted ---------------------------------------------------------------------------------------------------


class _Interrupting(Workspace):
    """Interrupts this process at one request, as Ctrl-C does, and answers 503 from then on."""

    interrupt_at = 30
    is_down = False

    def handle_bytes(self, method, path, headers, content):
        if self.handled + 1 == self.interrupt_at:
            self.is_down = True
            os.kill(os.getpid(), signal.SIGINT)
        if self.is_down:
            return self.refuse(method, path, headers, content, 503)
        return super().handle_bytes(method, path, headers, content)


def test_an_interrupted_run_continues_without_doubling(cli, file):
    """Ctrl-C ends a run with a report and exit code 130; the same command sends the rest, and nothing twice."""
    workspace = _Interrupting(app_limit=10**6, workspace_limit=10**6)
    with Sandbox(workspace=workspace) as server:
        environ = {"INTERCOM_API_KEY": server.token, "INTERCOM_BASE_URL": server.url}
        first = cli("send", file, **environ)
        workspace.is_down = False
        second = cli("send", file, **environ)

    assert first.code == 130
    assert "wait in the spool; what was read is kept; run the same command again to continue" in first.err
    assert first.out.startswith(f"{file}: ")
    assert second.code == 0
    assert second.out.startswith(f"{file}: 100 messages read (")
    assert differences(workspace, _NUMBER) == []
    assert workspace.repeated_events == 0


def test_an_interrupt_that_comes_too_late_changes_nothing(cli, tmp_path):
    """If everything is delivered despite the interrupt, the run ends like any other."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"type": "identify", "userId": "u-1"}\n')
    workspace = _Late()
    with Sandbox(workspace=workspace) as server:
        done = cli("send", path, INTERCOM_API_KEY=server.token, INTERCOM_BASE_URL=server.url)

    assert done.code == 0
    assert done.err == ""
    assert len(workspace.contacts()) == 1


class _Late(Workspace):
    """Interrupts this process with the answer to the only message."""

    def handle_bytes(self, method, path, headers, content):
        answer = super().handle_bytes(method, path, headers, content)
        if method == "POST":
            os.kill(os.getpid(), signal.SIGINT)
        return answer


def test_rejects_are_written_once_whenever_a_run_ends(connected, file):
    """A run that was killed before it saved a rejected message writes that message again in its old place."""
    _with_faults(file)
    rejects = file.with_name("events.jsonl.rejects.jsonl")
    spool = file.with_name("spool")
    connected("send", file, "--spool", spool)
    whole = rejects.read_bytes()
    progress = Progress(read=5, rejected=1, rejects_bytes=whole.index(b"\n") + 1)
    with file.open("rb") as stream:
        for entry in islice(read_messages(stream), 5):
            progress.digest = digest_of(progress.digest, entry)
    state = file.parent.parent / f"{file.parent.name}-state"
    (record,) = state.glob("metarouter-intercom/send/*/*.json")
    stored = ProgressFile(record)
    stored.progress, stored.spool = progress, str(spool)
    stored.save_all(str(file))
    stored.close()

    done = connected("send", file, "--spool", spool)

    assert done.out.splitlines()[1] == "0 accepted: 96 duplicates"
    assert rejects.read_bytes() == whole


# --- standard input ------------------------------------------------------------------------------------------------


def test_standard_input_is_sent(connected, sandbox, file, tmp_path, monkeypatch):
    """`-` reads standard input; spool and rejects file are created in the current folder."""
    monkeypatch.chdir(tmp_path)
    _with_faults(file)

    done = connected("send", "-", stdin=file.read_bytes())

    assert done.code == 1
    assert done.err.startswith("<stdin>:4: not JSON")
    assert differences(sandbox.workspace, _NUMBER) == []
    assert (tmp_path / "stdin.rejects.jsonl").exists()


def test_a_stream_never_repeats_an_earlier_one(connected, sandbox, tmp_path, monkeypatch):
    """In two streams with the same content, messages without ids are not repeats of each other."""
    monkeypatch.chdir(tmp_path)
    row = b'{"type": "identify", "userId": "u-1"}\n'
    connected("send", "-", stdin=row)

    done = connected("send", "-", stdin=row)

    assert done.out.splitlines()[1].startswith("1 accepted: 1 delivered")


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_an_unreadable_file_is_one_line(connected, tmp_path, name):
    """A file that cannot be read gives one line with its path; exit code 5."""
    done = connected("send", tmp_path / name)

    assert done.code == 5
    assert done.err.count("\n") == 1
    assert str(tmp_path) in done.err


def test_a_wrong_key_is_reported_before_the_file_is_read(cli, sandbox, file):
    """The key is checked before the file is read; exit code 3."""
    done = cli("send", file, INTERCOM_API_KEY="wrong", INTERCOM_BASE_URL=sandbox.url)

    assert done.code == 3
    assert done.err.count("\n") == 1
    assert sorted(one.name for one in file.parent.iterdir()) == ["events.jsonl"]


class _Revoking(Workspace):
    """Refuses the key after some requests."""

    def handle_bytes(self, method, path, headers, content):
        if self.handled >= 30:
            return self.refuse(method, path, headers, content, 401)
        return super().handle_bytes(method, path, headers, content)


def test_a_key_that_is_revoked_during_a_run_ends_it(cli, file):
    """A key that Intercom refuses during a run ends it with one line; what was read is kept."""
    with Sandbox(workspace=_Revoking(app_limit=10**6, workspace_limit=10**6)) as server:
        done = cli("send", file, INTERCOM_API_KEY=server.token, INTERCOM_BASE_URL=server.url)

    assert done.code == 3
    assert done.err.count("\n") == 1
    assert "Intercom no longer accepts the key" in done.err
    assert "run the same command again to continue" in done.err


class _Upgrading(Workspace):
    """Refuses the API version after some requests."""

    def handle_bytes(self, method, path, headers, content):
        if self.handled >= 30:
            headers = {**headers, "intercom-version": "9.99"}
        return super().handle_bytes(method, path, headers, content)


def test_an_api_version_that_is_refused_during_a_run_ends_it(cli, file):
    """A version that Intercom refuses during a run ends it with one line that names the setting; what was read is kept."""
    with Sandbox(workspace=_Upgrading(app_limit=10**6, workspace_limit=10**6)) as server:
        done = cli("send", file, INTERCOM_API_KEY=server.token, INTERCOM_BASE_URL=server.url)

    assert done.code == 3
    assert "Intercom refuses the API version 2.16 (intercom_version_invalid)" in done.err.splitlines()[-1]
    assert "run the same command again to continue" in done.err


def test_a_system_without_file_locks_is_reported(connected, file, monkeypatch):
    """Without file locks (on Windows), one line says what to use instead; exit code 2."""
    monkeypatch.setitem(sys.modules, "fcntl", None)

    done = connected("send", file)

    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "call Client.send() from Python instead" in done.err


def test_a_spool_that_cannot_be_created_is_one_line(connected, file, tmp_path):
    """A spool path that cannot be written gives one line with its path; exit code 5."""
    done = connected("send", file, "--spool", tmp_path / "missing" / "spool")

    assert done.code == 5
    assert done.err.count("\n") == 1
    assert str(tmp_path / "missing") in done.err
