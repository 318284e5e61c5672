"""``demo`` and ``sandbox``: what they print, and that a real workspace is never written to without a confirmation."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from metarouter_intercom.sandbox import Sandbox

_MODULE = [sys.executable, "-m", "metarouter_intercom._cli"]


def test_the_demo_shows_people_companies_events_and_reasons(cli):
    """Messages captured from real SDKs become people with companies and events; skips, notes and the report follow."""
    done = cli("demo")

    sections = [
        "People (6)",
        "Companies (4)",
        "What was skipped, and why",
        "What was changed or left out",
        "\nReport\n",
    ]
    assert done.code == 0
    assert done.err == ""
    assert [done.out.index(section) for section in sections] == sorted(map(done.out.index, sections))
    assert re.search(r"  Ada Example +ada@example.com +u-ada +Example Shipping +\d{4}-", done.out)
    assert re.search(
        r"  Example Shipping +c-shipping +plan pro, industry Logistics, size 40, .* 2\n", done.out
    )
    assert "Order Completed  price=19.99 EUR, orderId=o-1" in done.out
    assert "Order Completed  price=5,000 JPY" in done.out
    assert "report=Weekly report <https://example.com/r/1>" in done.out
    assert "birthday_at=1990-05-17 00:00:00 UTC" in done.out
    assert (
        "skipped, not_selected: its integrations object leaves Intercom out\n    identify u-ada\n    track Not for Intercom u-eve"
        in done.out
    )
    assert "group c-rudder u-dee: traits.employees: not a whole number (rule C2)" in done.out
    assert "  27 accepted: 17 delivered" in done.out


def test_the_demo_applies_options_of_the_messages(cli):
    """`remove: true` detaches, `unsubscribedFromEmails` is stored, `All: false` with an object sends, and no user_hash is printed."""
    out = cli("demo").out

    bob = out[out.index("Bob Sample  (user u-bob)") :].partition("\n\n")[0]
    assert "Old Mill" not in out
    assert "unsubscribed_from_emails: yes" in bob
    assert "Cy Test  (user u-cy)" in out
    assert "0000000000" not in out


def test_the_demo_takes_a_file(cli, tmp_path):
    """The demo sends the messages in a file and reports invalid ones by file, line and path."""
    path = tmp_path / "events.jsonl"
    rows = [{"type": "identify", "userId": "u-1"}, {"type": "track", "userId": "u-1"}]
    path.write_text("\n".join([*map(json.dumps, rows), "{"]))

    done = cli("demo", path)
    streamed = cli("demo", "-", stdin=json.dumps({"type": "page", "userId": "u-9"}))

    assert "without a name" in done.out
    assert f"{path}:2: event: missing or blank" in done.err
    assert f"{path}:3: not JSON" in done.err
    assert "People (0)" in streamed.out
    assert "  nothing\n\nReport" in streamed.out


def test_a_person_without_a_user_id_is_shown_without_one(cli, tmp_path):
    """A contact that has no user id is shown with its role alone."""
    path = tmp_path / "events.jsonl"
    path.write_text(
        json.dumps({"type": "identify", "anonymousId": "a-1", "traits": {"email": "ada@example.com"}})
    )

    done = cli("demo", path)

    assert "without a name  (user)\n" in done.out
    assert "None" not in done.out


def test_events_without_a_contact_are_shown_as_dead_letters(cli):
    """Dead letters are listed by reason, and the exit code is 1."""
    event = {"type": "track", "userId": "u-nobody", "event": "Clicked"}

    done = cli("demo", "-", stdin=json.dumps(event))

    assert done.code == 1
    assert "  dead, contact_missing\n    track Clicked u-nobody" in done.out


def test_a_real_workspace_is_not_written_to_without_a_confirmation(cli, sandbox):
    """With a key in the environment and no terminal to ask, the demo refuses with one line; exit code 2."""
    done = cli("demo", INTERCOM_API_KEY=sandbox.token, INTERCOM_BASE_URL=sandbox.url)

    assert done.code == 2
    assert done.err.count("\n") == 1
    assert (
        f"INTERCOM_API_KEY is set: this writes people, companies and events to the workspace at {sandbox.url}"
        in done.err
    )
    assert "add --yes, or unset INTERCOM_API_KEY" in done.err
    assert sandbox.workspace.handled == 0


def test_yes_confirms(connected, sandbox):
    """With `--yes` the demo prints where it writes, and writes there."""
    done = connected("demo", "--yes", "--keep-open")

    assert done.code == 0
    assert done.out.startswith("INTERCOM_API_KEY is set: this writes ")
    assert len(sandbox.workspace.contacts()) == 6
    assert "still running" not in done.out


@pytest.mark.parametrize(("answer", "code", "people"), [(b"n\n", 130, 0), (b"y\n", 0, 6)])
def test_at_a_terminal_it_asks(sandbox, answer, code, people):
    """At a terminal the demo asks before it writes to the workspace of the key."""
    terminal, there = pty.openpty()
    process = subprocess.Popen(
        [*_MODULE, "demo"],
        stdin=there,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "INTERCOM_API_KEY": sandbox.token, "INTERCOM_BASE_URL": sandbox.url},
    )
    os.close(there)
    os.write(terminal, answer)
    out, _ = process.communicate(timeout=60)
    os.close(terminal)

    assert b"Continue? [y/N]" in out
    assert process.returncode == code
    assert len(sandbox.workspace.contacts()) == people


def _ask(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.read().decode()


def _links(process, number):
    """Read lines until *number* addresses of pages were printed."""
    links = []
    for line in process.stdout:
        links += re.findall(r"http://\S+/ui/people\S*", line)
        if len(links) >= number:
            return links
    raise AssertionError(links)


def _start(*arguments):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INTERCOM_")}
    return subprocess.Popen([*_MODULE, *arguments], stdout=subprocess.PIPE, text=True, env=environ)


def test_kept_open_its_pages_can_be_opened():
    """`--keep-open` prints links to the list and to one person, which work until Ctrl-C; the exit code is 0."""
    with _start("demo", "--keep-open") as process:
        people, person = _links(process, 2)
        pages = [_ask(people), _ask(person)]
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)

    assert person == f"{people}/u-ada"
    assert [status for status, _ in pages] == [200, 200]
    assert all("Ada Example" in text for _, text in pages)
    assert code == 0


def test_the_sandbox_serves_until_interrupted():
    """`sandbox --seed` serves API and pages with sample people, prints how to send to it, and ends with exit code 0."""
    with _start("sandbox", "--port", "0", "--seed") as process:
        (people,) = _links(process, 1)
        export = process.stdout.readline().split()
        status, text = _ask(people)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)

    assert export[:3] == ["send", "to", "it:"]
    assert export[4:] == [
        f"INTERCOM_BASE_URL={people.removesuffix('/ui/people')}",
        "INTERCOM_API_KEY=sandbox-token",
    ]
    assert (status, "Mara Vogel" in text) == (200, True)
    assert code == 0


def test_the_sandbox_prints_json():
    """`--json` prints address and token as one object, for scripts that start it."""
    with _start("sandbox", "--port", "0", "--token", "t-1", "--json") as process:
        started = json.loads(process.stdout.readline())
        status, _ = _ask(f"{started['url']}/_sandbox/stats")
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert (started["token"], status, rest) == ("t-1", 200, "")


@pytest.mark.parametrize(("choice", "is_seen"), [((), False), (("--search-lag", "0"), True)])
def test_the_sandbox_lags_unless_told_otherwise(choice, is_seen):
    """The list of contacts sees the sample people only after a while, and with `--search-lag 0` at once."""
    with _start("sandbox", "--port", "0", "--seed", "--json", *choice) as process:
        started = json.loads(process.stdout.readline())
        asked = urllib.request.Request(
            f"{started['url']}/contacts",
            headers={"Authorization": f"Bearer {started['token']}", "Accept": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            shown = json.load(answer)["total_count"]
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    assert (shown > 0) is is_seen


@pytest.mark.parametrize("command", ["sandbox", "demo"])
def test_a_port_in_use_is_one_line(cli, command):
    """A port that another program uses gives one line with a remedy; exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = cli(command, "--port", port)

    assert done.code == 2
    assert done.err.count("\n") == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.err
    assert "choose another --port" in done.err


def test_people_are_found_before_a_search_sees_them(cli, tmp_path):
    """A person without a user id is shown at once, although Intercom's searches see a new contact only a while later."""
    path = tmp_path / "one.jsonl"
    path.write_text('{"type": "identify", "traits": {"email": "grace@example.com", "name": "Grace Example"}}')
    with Sandbox(search_lag=600.0) as server:
        done = cli("demo", path, "--yes", INTERCOM_API_KEY=server.token, INTERCOM_BASE_URL=server.url)

    assert done.code == 0
    assert "Grace Example" in done.out
