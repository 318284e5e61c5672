"""``translate``: the dry run shows what ``send`` would do and sends nothing."""

from __future__ import annotations

import json

import pytest

_IDENTIFY = {"type": "identify", "userId": "u-1", "messageId": "m-1", "traits": {"plan": "pro", "bad": {}}}
_PAGE = {"type": "page", "userId": "u-1", "name": "Pricing"}
_NAMELESS = {"type": "track", "userId": "u-1"}


@pytest.fixture
def file(tmp_path):
    """A file with one delivered, one skipped and one rejected message, and an invalid line."""
    path = tmp_path / "events.jsonl"
    path.write_text(
        "\n".join([json.dumps(_IDENTIFY), "{", json.dumps(_PAGE), json.dumps({"batch": [_NAMELESS]})])
    )
    return path


def test_each_message_is_shown_with_requests_notes_and_skips(cli, file):
    """Every message is shown with file, line and place, and with its requests, notes, skip or rejection."""
    done = cli("translate", file)

    assert done.code == 1
    assert done.out.splitlines() == [
        f"{file}:1: identify u-1",
        *[line for line in done.out.splitlines() if line.startswith("  POST /contacts ")],
        "  note A5: traits.bad: empty object or list",
        f"{file}:2: unreadable",
        "  rejected: not JSON at column 2: Expecting property name enclosed in double quotes; send one JSON object per line",
        f"{file}:3: page u-1",
        "  skipped: page_off",
        f"{file}:4: batch[0]: track u-1",
        "  rejected: event: missing or blank; send the event's name as text",
    ]


def test_the_summary_counts_by_reason(cli, file):
    """`--summary` counts requests, notes, skips and rejections by reason and shows no message."""
    done = cli("translate", file, "--summary")

    assert done.out.splitlines() == [
        "4 messages",
        "requests: 1",
        "  1 x POST /contacts",
        "notes: 1",
        "  1 x A5: traits.bad: empty object or list",
        "skipped: 1",
        "  1 x page_off",
        "rejected: 2",
        "  1 x message: not JSON at column 2: Expecting property name enclosed in double quotes",
        "  1 x event: missing or blank",
    ]


def test_an_empty_file_is_said_to_be_empty(cli, tmp_path):
    """If there is nothing to show, one line says so; JSON stays empty."""
    file = tmp_path / "empty.jsonl"
    file.touch()

    done = cli("translate", file)

    assert (done.code, done.out) == (0, f"{file}: 0 messages read\n")
    assert cli("translate", file, "--json").out == ""


def test_many_unreadable_lines_do_not_flood_the_terminal(cli, tmp_path):
    """The first lines that are no message are shown, the others are counted; every message is shown."""
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\n" * 100 + json.dumps(_PAGE).encode())

    done = cli("translate", file)

    assert done.code == 1
    assert done.out.count(": unreadable\n") == 20
    assert done.out.splitlines()[-2:] == [f"{file}:101: page u-1", "  skipped: page_off"]
    assert done.err == "80 more unreadable lines not shown; --summary counts the faults\n"
    assert len(cli("translate", file, "--json").out.splitlines()) == 101


def test_translate_prints_json(cli, file):
    """`--json` prints one object per message, or one for the summary."""
    rows = [json.loads(line) for line in cli("translate", file, "--json").out.splitlines()]
    summary = json.loads(cli("translate", file, "--json", "--summary").out)

    assert [(row["line"], row["place"]) for row in rows] == [(1, ""), (2, ""), (3, ""), (4, "batch[0]")]
    assert rows[0]["message_id"] == "m-1"
    assert rows[0]["requests"][0]["path"] == "/contacts"
    assert rows[0]["notes"] == [{"rule": "A5", "path": "traits.bad", "reason": "empty object or list"}]
    assert rows[2]["skipped"] == "page_off"
    assert rows[3]["rejected"][0]["path"] == "event"
    assert summary["read"] == 4
    assert summary["skipped"] == {"page_off": 1}


def test_settings_apply(cli):
    """`--setting` takes a value as JSON or as plain text."""
    done = cli("translate", "-", "--setting", "page_events=Viewed {name}", stdin=json.dumps(_PAGE))
    limited = cli("translate", "-", "--setting", "max_message_bytes=256", stdin=json.dumps({**_PAGE, "x": 1}))

    assert done.code == 0
    assert '"event_name": "Viewed Pricing"' in done.out
    assert limited.code == 0


@pytest.mark.parametrize(
    ("assignment", "code", "expected"),
    [
        ("no_such=1", 2, "--setting no_such: no such setting"),
        ("page_events", 2, "--setting page_events: write NAME=VALUE"),
        ("workers=0", 3, "workers: "),
        ("workers=many", 3, "workers: "),
        ("max_workers=0", 3, "max_workers: "),
    ],
)
def test_a_wrong_setting_is_reported(cli, assignment, code, expected):
    """The error names a setting that does not exist or has a wrong value."""
    done = cli("translate", "-", "--setting", assignment, stdin="{}")

    assert done.code == code
    assert expected in done.err


def test_the_dry_run_rejects_what_the_client_rejects(cli):
    """The dry run rejects what the client rejects, such as a company without an id or a message that is too large."""
    group = {"type": "group", "userId": "u-1", "traits": {"plan": "pro"}}
    large = {"type": "identify", "userId": "u-1", "traits": {"bio": "x" * 40_000}}

    done = cli("translate", "-", stdin=f"{json.dumps(group)}\n{json.dumps(large)}\n")

    assert done.code == 1
    assert "<stdin>:1: group u-1\n  rejected: groupId: missing" in done.out
    assert "rejected: message: " in done.out
    assert "max_message_bytes" in done.out


def test_control_characters_are_replaced(cli):
    """Control characters in names and values are replaced in the output."""
    event = {
        "type": "track",
        "userId": "u-1",
        "event": "Clicked \x1b[2J\u202e",
        "properties": {"a": "\x9b2J"},
    }

    done = cli("translate", "-", stdin=json.dumps(event))

    assert done.code == 0
    assert not {"\x1b", "\x9b", "\u202e"} & set(done.out)


def test_a_summary_stays_small(cli):
    """Beyond a limit, different names from the data are counted together."""
    rows = "\n".join(
        json.dumps({"type": "identify", "userId": "u-1", "traits": {f"t{n}": {}}}) for n in range(1_200)
    )

    done = cli("translate", "-", "--summary", stdin=rows)

    lines = done.out.splitlines()
    assert lines[0] == "1,200 messages"
    assert "notes: 1,200" in lines
    assert "  200 x A5: empty object or list" in lines
    assert len(lines) < 1_020


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_an_unreadable_file_is_one_line(cli, tmp_path, name):
    """A file that cannot be read gives one line with its path; exit code 5."""
    done = cli("translate", tmp_path / name)

    assert done.code == 5
    assert done.err.count("\n") == 1
    assert str(tmp_path) in done.err


def test_messages_of_other_senders_are_read(cli, tmp_path):
    """R1, R2, R10: snake_case keys, PHP's empty lists, placeholders and invisible characters are read as by the client."""
    path = tmp_path / "others.jsonl"
    messages = [
        {
            "type": "identify",
            "user_id": "u-1",
            "message_id": "m-1",
            "traits": [],
            "context": [],
            "sent_at": "2026-03-01 12:00:00 UTC",
        },
        {"type": "track", "userId": "undefined", "anonymous_id": "null", "event": "x", "properties": []},
        {
            "type": "track",
            "userId": "\u200bu-1",
            "event": "\ufeffSeen",
            "timestamp": "20260301T120000Z",
            "integrations": [],
        },
    ]
    path.write_text("\n".join(map(json.dumps, messages)))

    done = cli("translate", path)

    assert done.out.splitlines() == [
        f"{path}:1: identify u-1",
        '  POST /contacts {"role": "user", "external_id": "u-1", "last_seen_at": 1772366400}',
        f"{path}:2: track x undefined null",
        "  skipped: no_identity",
        "  note R2: anonymous_id: placeholder such as null or undefined: counts as no id",
        "  note R2: userId: placeholder such as null or undefined: counts as no id",
        f"{path}:3: track \ufffdSeen \ufffdu-1",
        '  POST /events {"user_id": "u-1", "event_name": "Seen", "created_at": 1772366400}',
        "  note R10: userId: invisible characters were taken out",
    ]


def test_paths_are_readable(cli):
    """Placeholders for ids that Intercom would give are shown as they are meant, as text and as JSON."""
    group = {"type": "group", "userId": "u-1", "groupId": "c-1", "traits": {"name": "A"}}
    row = json.loads(cli("translate", "-", "--json", stdin=json.dumps(group)).out)

    assert "/contacts/<contact id>/companies" in [one["path"] for one in row["requests"]]
    assert "%3C" not in json.dumps(row)


def test_the_summary_says_at_most(cli):
    """`send` merges messages of one contact, so several requests are counted as at most so many."""
    rows = "\n".join(
        json.dumps({"type": "identify", "userId": "u-1", "traits": {"plan": plan}}) for plan in "abc"
    )
    text = cli("translate", "-", "--summary", stdin=rows)
    result = json.loads(cli("translate", "-", "--summary", "--json", stdin=rows).out)

    assert "requests: at most 3" in text.out.splitlines()
    assert result["requests_at_most"] == {"POST /contacts": 3}


def test_the_summary_has_the_words_of_send(cli, connected, file):
    """The same number has the same name in `translate --summary --json` and in `send --json`."""
    summary = json.loads(cli("translate", file, "--json", "--summary").out)
    sent = json.loads(connected("send", file, "--json").out)

    assert {name: summary[name] for name in ("read", "skipped", "rejected", "notes")} == {
        name: sent[name] for name in ("read", "skipped", "rejected", "notes")
    }


def test_files_and_csv_are_translated(cli, tmp_path):
    """Several files are translated in their order, CSV with the same options as in `send`."""
    (tmp_path / "a.csv").write_text("id\nu-1\n")
    (tmp_path / "b.jsonl").write_text(json.dumps(_PAGE))

    done = cli(
        "translate", tmp_path / "a.csv", tmp_path / "b.jsonl", "--type", "identify", "--columns", "id=userId"
    )

    assert done.code == 0
    assert f"{tmp_path / 'a.csv'}:2: identify u-1" in done.out
    assert f"{tmp_path / 'b.jsonl'}:1: page u-1" in done.out
