"""``dead-letters`` and ``stats``: show what a spool contains; retry, discard and export dead letters."""

from __future__ import annotations

import json

import pytest

from metarouter_intercom import Client, ConnectFailed
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport
from metarouter_intercom.testing import ScriptedTransport


@pytest.fixture
def spool(tmp_path):
    """A spool with two dead letters (events without a contact) and one message that waits."""
    path = tmp_path / "spool"
    with Client(
        api_key="key",
        spool=path,
        transport=WorkspaceTransport(Workspace()),
        delivery="manual",
        missing_contact_wait=0,
    ) as client:
        client.track("u-1", "Clicked \x1b[2J", message_id="m-1")
        client.track("u-2", "Clicked", message_id="m-2")
    with Client(
        api_key="key",
        spool=path,
        transport=ScriptedTransport(lambda request: ConnectFailed("no route")),
        delivery="manual",
    ) as client:
        client.identify("u-3", {"name": "Grace Example"})
        client.close(timeout=0)
    return path


def _ids(cli, spool):
    return [
        one["id"]
        for one in json.loads(cli("dead-letters", "list", "--spool", spool, "--json").out)["dead_letters"]
    ]


def test_list_shows_a_line_each_and_counts_by_reason(cli, spool):
    """Each line shows id, time, reason, type and person; the counts follow."""
    done = cli("dead-letters", "list", "--spool", spool)

    first, second, *counts = done.out.splitlines()
    assert done.code == 0
    assert first.split()[3:] == ["contact_missing", "track", "u-1"]
    assert second.split()[3:] == ["contact_missing", "track", "u-2"]
    assert counts == ["2 of 2 dead letters", "  2 x contact_missing"]


def test_list_can_be_limited(cli, spool):
    """A reason or a maximum number limits the list; the count still covers all."""
    limited = cli("dead-letters", "list", "--spool", spool, "--limit", 1)
    other = cli("dead-letters", "list", "--spool", spool, "--reason", "poison")

    assert limited.out.splitlines()[1] == "1 of 2 dead letters"
    assert other.out.splitlines()[0] == "0 of 0 dead letters"


def test_list_prints_json(cli, spool):
    """`--json` prints the counts, and the dead letters as an export does."""
    listed = json.loads(cli("dead-letters", "list", "--spool", spool, "--json").out)

    assert listed["dead"] == {"contact_missing": 2}
    assert [one["message"]["messageId"] for one in listed["dead_letters"]] == ["m-1", "m-2"]


def test_show_prints_one_dead_letter(cli, spool):
    """`show` prints message and answer of one dead letter as JSON without control characters."""
    first, second = _ids(cli, spool)

    done = cli("dead-letters", "show", "--spool", spool, second)
    letter = json.loads(done.out)

    assert letter["message"]["messageId"] == "m-2"
    assert letter["answer"]["status"] == 404
    assert "\x1b" not in cli("dead-letters", "show", "--spool", spool, first).out


def test_show_of_an_unknown_id_is_one_line(cli, spool):
    """An unknown id gives one line that says where to find the ids; exit code 2."""
    done = cli("dead-letters", "show", "--spool", spool, 999)

    assert done.code == 2
    assert done.err == (
        f"metarouter-intercom: 999: no such dead letter in {spool}; run dead-letters list to see their ids\n"
    )


def test_retry_delivers_them(cli, connected, sandbox, spool):
    """After the cause is fixed, a retry delivers the messages, and they are no longer dead letters."""
    with Client(api_key=sandbox.token, base_url=sandbox.url, delivery="inline") as client:
        client.identify("u-1", {"name": "Ada Example"})
        client.identify("u-2", {"name": "Ben Example"})

    done = connected("dead-letters", "retry", "--spool", spool, "--reason", "contact_missing")

    assert done.code == 0
    assert done.out.splitlines()[0] == "2 dead letters were accepted again"
    assert len(sandbox.workspace.events("u-1")) == len(sandbox.workspace.events("u-2")) == 1
    assert _ids(cli, spool) == []


def test_retry_of_one_id_prints_json(cli, connected, sandbox, spool):
    """An id retries that dead letter only; messages still pending or dead give exit code 1."""
    first, second = _ids(cli, spool)

    done = connected("dead-letters", "retry", "--spool", spool, "--json", "--timeout", 1, second)
    result = json.loads(done.out)

    assert done.code == 1
    assert result["accepted_again"] == 1
    assert result["pending"] >= 1
    assert _ids(cli, spool) == [first]


def test_retry_with_a_wrong_key_moves_nothing(cli, sandbox, spool):
    """A refused key is reported before any message leaves the dead letters; exit code 3."""
    done = cli(
        "dead-letters",
        "retry",
        "--spool",
        spool,
        "--all",
        INTERCOM_API_KEY="wrong",
        INTERCOM_BASE_URL=sandbox.url,
    )

    assert done.code == 3
    assert done.err.count("\n") == 1
    assert len(_ids(cli, spool)) == 2


def test_discard_asks_first(cli, spool):
    """Nothing is deleted without a confirmation; `--yes` confirms."""
    first, _ = _ids(cli, spool)

    refused = cli("dead-letters", "discard", "--spool", spool, "--all", stdin="n\n")
    kept = len(_ids(cli, spool))
    one = cli("dead-letters", "discard", "--spool", spool, "--yes", first)
    asked = cli(
        "dead-letters", "discard", "--spool", spool, "--json", "--reason", "contact_missing", stdin="y\n"
    )

    assert (refused.code, kept) == (130, 2)
    assert one.out == "1 dead letter was discarded\n"
    assert json.loads(asked.out) == {"discarded": 1}
    assert _ids(cli, spool) == []


def test_discard_says_how_many_it_asks_about(cli, spool):
    """The question names the number of chosen dead letters."""
    first, _ = _ids(cli, spool)

    one = cli("dead-letters", "discard", "--spool", spool, first, first, stdin="n\n")
    every = cli("dead-letters", "discard", "--spool", spool, "--all", stdin="n\n")

    assert "Delete 1 dead letter?" in one.err
    assert "Delete 2 dead letters?" in every.err


def test_discard_without_anybody_to_ask_says_what_to_add(cli, spool):
    """Without a terminal nothing is deleted, and one line names `--yes`; exit code 2."""
    done = cli("dead-letters", "discard", "--spool", spool, "--all", stdin="")

    assert done.code == 2
    assert done.err.splitlines()[-1] == "metarouter-intercom: add --yes to discard without asking"
    assert len(_ids(cli, spool)) == 2


def test_discard_of_none_asks_nothing(cli, spool):
    """If no dead letter is chosen, there is no question."""
    done = cli("dead-letters", "discard", "--spool", spool, "--reason", "poison", stdin="")

    assert (done.code, done.out, done.err) == (0, "0 dead letters were discarded\n", "")


@pytest.mark.parametrize("command", ["retry", "discard"])
@pytest.mark.parametrize("choice", [(), ("1", "--all"), ("--all", "--reason", "poison")])
def test_dead_letters_must_be_chosen_in_one_way(connected, spool, command, choice):
    """Ids, a reason or `--all`: exactly one of them is required; exit code 2 otherwise."""
    done = connected("dead-letters", command, "--spool", spool, *choice)

    assert done.code == 2
    assert "choose dead letters by IDS, --reason or --all" in done.err


def test_export_writes_json_lines_and_keeps_them(cli, spool, tmp_path):
    """An export goes to standard output or to a file that only its owner can read; the dead letters stay."""
    path = tmp_path / "dead.jsonl"
    shown = cli("dead-letters", "export", "--spool", spool)
    written = cli("dead-letters", "export", "--spool", spool, "-o", path, "--reason", "contact_missing")

    assert [json.loads(line)["message"]["messageId"] for line in shown.out.splitlines()] == ["m-1", "m-2"]
    assert path.read_text() == shown.out
    assert path.stat().st_mode & 0o777 == 0o600
    assert written.err == "2 dead letters were exported\n"
    assert len(_ids(cli, spool)) == 2


def test_export_to_a_path_that_cannot_be_written_is_one_line(cli, spool, tmp_path):
    """A file that cannot be written gives one line with its path; exit code 5."""
    done = cli("dead-letters", "export", "--spool", spool, "-o", tmp_path / "missing" / "dead.jsonl")

    assert done.code == 5
    assert done.err.count("\n") == 1


def test_stats_show_what_the_spool_contains(cli, spool):
    """Stats show the waiting messages with the age of the oldest, the dead letters by reason, and the size of the file."""
    text = cli("stats", spool)
    numbers = json.loads(cli("stats", spool, "--json").out)

    assert text.out.startswith("1 message waits, pending since ")
    assert text.out.splitlines()[1] == "  2 dead letters x contact_missing"
    assert (numbers["buffered"], numbers["dead"]) == (1, {"contact_missing": 2})
    assert numbers["oldest_age"] >= 0
    assert numbers["bytes"] > 4096


def test_stats_of_an_empty_spool(cli, tmp_path):
    """Without waiting messages no age is shown."""
    with Client(api_key="key", spool=tmp_path / "spool"):
        pass

    assert cli("stats", tmp_path / "spool").out.startswith("0 messages wait; the file has ")


@pytest.mark.parametrize(
    "command",
    [("stats",), ("dead-letters", "list", "--spool"), ("dead-letters", "retry", "--all", "--spool")],
    ids=lambda command: " ".join(command),
)
def test_a_wrong_spool_path_is_one_line(connected, tmp_path, command):
    """A missing file is not created and another kind of file is not opened as a spool; each gives one line and exit code 5."""
    (tmp_path / "events.jsonl").write_text('{"type": "page"}\n' * 100)

    missing = connected(*command, tmp_path / "missing")
    other = connected(*command, tmp_path / "events.jsonl")

    assert (missing.code, other.code) == (5, 5)
    assert missing.err.endswith("no such file; use the path in the client's `spool` setting\n")
    assert other.err.count("\n") == 1
    assert (
        "events.jsonl is not a spool; to count the messages in it, run `metarouter-intercom translate "
        in other.err
    )
    assert not (tmp_path / "missing").exists()


def test_the_file_that_was_sent_is_not_its_spool(cli, spool, tmp_path):
    """If a spool lies beside a file that is none, the line asks whether it was meant."""
    file = tmp_path / "events.jsonl"
    file.write_text('{"type": "page"}\n')
    spool.rename(f"{file}.spool")

    done = cli("stats", file)

    assert done.code == 5
    assert done.err == f"metarouter-intercom: {file} is not a spool; did you mean {file}.spool?\n"


@pytest.mark.parametrize("name", ["events.jsonl", "other.db"])
def test_stats_leave_another_file_alone(cli, tmp_path, name):
    """A file that is no spool is left as it is, also an empty one; the line says what to do, and not to move it."""
    path = tmp_path / name
    path.touch()

    done = cli("stats", path)

    assert (done.code, done.err.count("\n")) == (5, 1)
    assert f"{path} is not a spool; " in done.err
    assert "move" not in done.err
    assert path.read_bytes() == b""
    assert [one.name for one in tmp_path.iterdir()] == [name]
