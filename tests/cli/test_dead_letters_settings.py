"""What ``dead-letters`` does with the settings of the application, with unknown ids and reasons, and with its own export (rule X1)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest

from metarouter_intercom import Client, Settings
from metarouter_intercom._cli.known_letters import REASONS
from metarouter_intercom._cli.retrying import why_waiting
from metarouter_intercom._client.mapping_settings import NAMES, mapping_of, parse_setting, read_mapping
from metarouter_intercom._delivery.report import Health, RateBudget
from metarouter_intercom.plugins import Response

from .._support.clients import in_workspace


def _application(sandbox, spool, **settings):
    """Return the application's client, which delivers to the sandbox from *spool*."""
    options = {"delivery": "manual", "missing_contact_wait": 0, "unchanged_for": 0} | settings
    return Client(api_key=sandbox.token, base_url=sandbox.url, spool=spool, **options)


@pytest.fixture
def page_letter(sandbox, tmp_path):
    """The spool of an application that sends pages as events, with a page of an unknown person as dead letter."""
    spool = tmp_path / "app.spool"
    with _application(sandbox, spool, page_events="Viewed {name} Page") as client:
        client.page("u-1", None, "Home", message_id="m-page")
    return spool


def _identify(sandbox, user, traits=None):
    with Client(api_key=sandbox.token, base_url=sandbox.url, delivery="inline") as client:
        client.identify(user, traits or {"name": "Ada Example"})


def _left(cli, spool):
    return json.loads(cli("dead-letters", "list", "--spool", spool, "--json").out)["dead_letters"]


def test_retry_translates_under_the_settings_of_the_application(connected, cli, sandbox, page_letter):
    """A page of an application with `page_events` is delivered as its event, and is not skipped and gone."""
    _identify(sandbox, "u-1")

    done = connected("dead-letters", "retry", "--spool", page_letter, "--all")

    assert done.code == 0
    assert [event.name for event in sandbox.workspace.events("u-1")] == ["Viewed Home Page"]
    assert _left(cli, page_letter) == []


def test_a_letter_that_would_be_skipped_stays(connected, cli, sandbox, page_letter):
    """A setting of the command overrides the spool's; a letter that it would skip stays, is counted, and the exit code is 1."""
    _identify(sandbox, "u-1")
    arguments = ("dead-letters", "retry", "--spool", page_letter, "--all", "--setting", "page_events=off")

    text = connected(*arguments)
    numbers = connected(*arguments, "--json")

    assert (text.code, numbers.code) == (1, 1)
    assert text.out.splitlines()[1] == "  stay: 1 dead letter that would be skipped (page_off)"
    assert json.loads(numbers.out)["stay_skipped"] == {"page_off": 1}
    assert [letter["message"]["messageId"] for letter in _left(cli, page_letter)] == ["m-page"]


def test_settings_of_one_run_do_not_stay_in_the_spool(connected, cli, sandbox, page_letter):
    """The next retry without `--setting` uses the application's settings again."""
    connected("dead-letters", "retry", "--spool", page_letter, "--all", "--setting", "page_events=off")
    _identify(sandbox, "u-1")

    assert connected("dead-letters", "retry", "--spool", page_letter, "--all").code == 0
    assert _left(cli, page_letter) == []


def test_an_attribute_that_the_application_refuses_is_not_created(connected, cli, sandbox, tmp_path):
    """A letter of an application with `unknown_attributes="fail"` fails again, and its attribute is not created."""
    spool = tmp_path / "app.spool"
    with _application(sandbox, spool, unknown_attributes="fail") as client:
        client.identify("u-1", {"favourite_colour": "blue"})

    done = connected("dead-letters", "retry", "--spool", spool, "--all")

    assert done.code == 1
    assert [letter["reason"] for letter in _left(cli, spool)] == ["unknown_attribute"]
    assert not any("favourite_colour" in key for key in sandbox.workspace.state.attributes)


@pytest.mark.parametrize("command", ["retry", "send"])
@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("page_evnts=off", "unknown setting"),
        ("api_key=secret", "unknown setting"),
        ("page_events", "not of the form NAME=VALUE"),
        ("unknown_attributes=explode", "use one of create, drop, fail"),
        ("metadata_limit=many", "use a number"),
        ("update_last_seen=perhaps", "use True or False"),
    ],
)
def test_a_wrong_setting_is_a_mistake(connected, page_letter, tmp_path, command, setting, fault):
    """An unknown name, a missing or a wrong value gives exit code 2 and says what is right."""
    file = tmp_path / "messages.jsonl"
    file.write_text("")
    arguments = {"retry": ("dead-letters", "retry", "--all", "--spool", page_letter), "send": ("send", file)}

    done = connected(*arguments[command], "--setting", setting)

    assert done.code == 2
    assert fault in done.err
    if "use" not in fault:
        assert all(name in done.err for name in ("page_events", "unknown_attributes", "adopt_spool"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("page_events=Viewed {name} = {category}", "Viewed {name} = {category}"),
        ("api_version=2.10", "2.10"),
        ("events-deny=Debug *, Test", ("Debug *", "Test")),
        ('events_deny=["a,b"]', ["a,b"]),
        ("events_allow=2024", ("2024",)),
        ("tags_trait=none", None),
        ("tags_trait=labels", "labels"),
        ("update_last_seen=no", False),
        ("metadata_limit=12", 12),
        ('nested_overrides={"address": "drop"}', {"address": "drop"}),
    ],
)
def test_values_are_read_as_their_setting_needs_them(text, value):
    """A text stays a text, a list is JSON or names with commas, and numbers and switches are what they say."""
    assert parse_setting(text)[1] == value


def test_settings_survive_the_file():
    """What a spool keeps reads back as the same settings, and contains no secret."""
    settings = Settings(
        api_key="top-secret",
        identity_secret="more-secret",
        events_deny=["a*"],
        nested_overrides={"address": "drop"},
        page_events="Viewed {name}",
        metadata_limit=12,
    )
    stored = mapping_of(settings)

    again = Settings(api_key="other", **read_mapping(stored))

    assert [getattr(again, name) for name in NAMES] == [getattr(settings, name) for name in NAMES]
    assert "secret" not in json.dumps(stored)


def test_every_setting_of_the_mapping_travels():
    """A setting in the part "From a message to operations" is kept in the file, unless it is a secret or already in the message."""
    names = [field.name for field in attrs.fields(Settings)]
    mapping = names[names.index("integration_names") : names.index("on_invalid")]

    assert set(mapping) - set(NAMES) == {"identity_secret", "require_identity"}


@pytest.mark.parametrize("command", ["list", "discard", "retry", "export"])
def test_an_unknown_reason_is_a_mistake(connected, page_letter, command):
    """A reason that no dead letter has and that the package does not know gives exit code 2 and lists those that are there."""
    done = connected("dead-letters", command, "--spool", page_letter, "--reason", "contact_mising")

    assert done.code == 2
    assert done.err == (
        "metarouter-intercom: contact_mising: no such reason; the reasons here are contact_missing\n"
    )


@pytest.mark.parametrize("command", ["discard", "retry"])
def test_an_unknown_id_is_a_mistake(connected, cli, page_letter, command):
    """An id that is not there gives exit code 2, lists those that are there, and nothing is done."""
    done = connected(
        "dead-letters", command, "--spool", page_letter, 1, 7, *(["--yes"] * (command == "discard"))
    )

    assert done.code == 2
    assert done.err == f"metarouter-intercom: 7: no such dead letter in {page_letter}; the ids here are 1\n"
    assert len(_left(cli, page_letter)) == 1


def test_the_known_reasons_are_those_of_the_reference():
    """The command knows every reason of a dead letter that the reference lists."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "reasons.md"
    given_up = page.read_text(encoding="utf-8").split("## Given up")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `([a-z_]+)`", given_up, re.MULTILINE))

    assert listed - {"http_"} == REASONS


def test_an_export_can_be_sent(connected, cli, sandbox, page_letter, tmp_path):
    """`send` takes the lines of an export as the messages in them, with their ids and times."""
    _identify(sandbox, "u-1")
    exported = tmp_path / "letters.jsonl"
    cli("dead-letters", "export", "--spool", page_letter, "-o", exported)
    (line,) = map(json.loads, exported.read_text().splitlines())

    done = connected("send", exported, "--setting", "page_events=Viewed {name} Page")

    (event,) = sandbox.workspace.events("u-1")
    assert done.code == 0
    assert event.name == "Viewed Home Page"
    assert event.created_at == int(line["message"]["timestamp"])


def test_an_export_of_an_untrusted_sender_is_not_sent(connected, tmp_path):
    """A file cannot say whom to trust, so such a line is rejected and the remedy is named (V4)."""
    letter = {
        "id": 1,
        "reason": "http_400",
        "died_at": 2.0,
        "message": {
            "type": "identify",
            "userId": "u-1",
            "untrusted": True,
            "messageId": "m",
            "timestamp": 1.0,
        },
    }
    file = tmp_path / "letters.jsonl"
    file.write_text(json.dumps(letter) + "\n")

    done = connected("send", file)

    assert done.code == 1
    assert "retry it with dead-letters retry" in done.err


def test_keys_agree(connected, cli, page_letter, tmp_path, sandbox):
    """`list`, `export`, `show`, `stats` and the library name the same things alike."""
    exported = tmp_path / "letters.jsonl"
    cli("dead-letters", "export", "--spool", page_letter, "-o", exported)
    listed = json.loads(cli("dead-letters", "list", "--spool", page_letter, "--json").out)
    shown = json.loads(cli("dead-letters", "show", "--spool", page_letter, 1).out)
    numbers = json.loads(cli("stats", page_letter, "--json").out)
    with _application(sandbox, page_letter) as client:
        (letter,) = client.dead_letters
        counts = client.dead_letters.count()

    assert listed["dead"] == numbers["dead"] == counts
    assert listed["dead_letters"] == [shown] == [json.loads(exported.read_text())]
    assert shown == attrs.asdict(letter) if attrs.has(type(letter)) else letter._asdict()


def test_retry_says_why_it_waits(connected, sandbox, page_letter):
    """While a message waits for its contact, the command says so, and until when."""
    done = connected(
        "dead-letters", "retry", "--spool", page_letter, "--all", "--timeout", 1,
        "--setting", "missing_contact_wait=900",
    )  # fmt: skip

    assert done.code == 1
    assert re.search(
        r"waiting: 1 message waits for its contact, the first one until \d\d:\d\d:\d\dZ", done.err
    )


def test_retry_says_that_intercom_does_not_answer(cli, page_letter):
    """Before anything leaves the dead letters, a missing answer ends the command with the address."""
    done = cli(
        "dead-letters", "retry", "--spool", page_letter, "--all", "--timeout", 1,
        INTERCOM_API_KEY="key", INTERCOM_BASE_URL="http://127.0.0.1:9",
    )  # fmt: skip

    assert done.code == 4
    assert "http://127.0.0.1:9" in done.err


def test_a_scripted_answer_is_kept_with_a_missing_contact(tmp_path):
    """M2: a letter about a missing contact has status, code, text and request id of Intercom's own answer, also from the file."""
    from metarouter_intercom.testing import ScriptedTransport

    error = {
        "request_id": "r-404",
        "errors": [{"code": "not_found", "message": "User Not Found"}],
        "type": "error.list",
    }
    transport = ScriptedTransport(in_workspace(lambda request: Response(404, error)))
    for spool in (None, tmp_path / "s.spool"):
        with Client(
            api_key="k", transport=transport, spool=spool, delivery="manual", missing_contact_wait=0
        ) as client:
            client.track("u-1", "Clicked")
            client.flush()
            (letter,) = client.dead_letters

        assert letter.reason == "contact_missing"
        assert letter.answer == {
            "status": 404,
            "code": "not_found",
            "message": "User Not Found",
            "field": None,
            "request_id": "r-404",
        }


@pytest.mark.parametrize(
    ("health", "rate", "contacts", "expected"),
    [
        (Health("ok"), RateBudget(), (0, None), None),
        (Health("held", "other_workspace"), RateBudget(), (0, None), None),
        (
            Health("held", "http_401"),
            RateBudget(),
            (1, 5.0),
            "Intercom refuses the key or the API version (http_401)",
        ),
        (
            Health("failing", "connect_failed"),
            RateBudget(10, 0, 70.0),
            (0, None),
            "Intercom does not answer (connect_failed)",
        ),
        (
            Health("ok"),
            RateBudget(1666, 0, 3700.0),
            (1, 5.0),
            "the rate limit of 1666 requests is used up until 01:01:40Z",
        ),
        (
            Health("ok"),
            RateBudget(1666, 9, 3700.0),
            (2, 40.0),
            "2 messages wait for their contacts, the first one until 00:01:40Z",
        ),
    ],
)
def test_for_what_a_retry_waits(health, rate, contacts, expected):
    """The nearest cause is named: refused credentials, no answer, a used-up rate limit, then missing contacts."""
    assert why_waiting(health, rate, contacts, 60.0) == expected
