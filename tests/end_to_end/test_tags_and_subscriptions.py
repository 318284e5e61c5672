"""From a call to tags and subscription types in the workspace (rules I13, I14, O2, O3), with memory and with the spool."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metarouter_intercom.sandbox import SubscriptionType, Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock

from .._support.clients import manual_client

_TYPES = (
    SubscriptionType(id="91", name="Newsletters", consent_type="opt_out", translations={"de": "Rundbriefe"}),
    SubscriptionType(id="93", name="Text messages", consent_type="opt_in"),
)


def _client(**choices):
    clock = FakeClock()
    workspace = Workspace(now=clock.now, subscription_types=_TYPES)
    return manual_client(WorkspaceTransport(workspace), clock=clock, **choices), workspace, clock


def _identify(client, traits=None, user_id="u1", **options):
    client.identify(user_id, traits, integrations={"Intercom": options})


def _lines(workspace):
    """Return the requests so far that concern tags and subscriptions."""
    lines = [f"{one.method} {one.path}" for one in workspace.requests]
    return [line for line in lines if "tags" in line or "subscription" in line]


@pytest.fixture(params=["memory", "spool"])
def spool(request, tmp_path):
    """Return the setting ``spool`` of a client: nothing, or a file."""
    return None if request.param == "memory" else tmp_path / "spool"


def test_tags_and_consents_reach_the_workspace(spool):
    """I13, I14: one identify tags its new contact and makes the contact's choices; nothing is a note or a violation."""
    client, workspace, _ = _client(spool=spool)
    _identify(
        client,
        {"email": "ada@example.com"},
        tags={"add": ["VIP", "beta"], "remove": ["trial"]},
        subscriptions={"rundbriefe": False, "93": True},
    )
    report = client.flush()
    client.close()

    user = workspace.snapshot()["contacts"]["u1"]
    assert (user["tags"], user["consents"]) == (["VIP", "beta"], {"91": "opt_out", "93": "opt_in"})
    assert (report.delivered, report.dead, report.notes, workspace.violations) == (1, {}, {}, [])


def test_the_last_choice_wins(spool):
    """O2: of the choices that are due together about one tag or type only the last one is sent."""
    client, workspace, _ = _client(spool=spool)
    _identify(client, tags=["VIP", "beta"], subscriptions={"91": False})
    _identify(client, tags={"remove": ["vip"]}, subscriptions={"91": True})
    _identify(client, tags=["new"])
    client.flush()
    client.close()

    user = workspace.snapshot()["contacts"]["u1"]
    assert (user["tags"], user["consents"]) == (["beta", "new"], {})
    assert not any(line.startswith("POST") and "subscription" in line for line in _lines(workspace))


def test_an_unchanged_repeat_is_not_sent(spool):
    """O3: what the last request left as wanted is not sent again within ``unchanged_for``, and then it is."""
    client, workspace, clock = _client(spool=spool)
    _identify(client, tags=["VIP"], subscriptions={"91": False})
    client.flush()
    sent = len(_lines(workspace))
    _identify(client, tags=["vip"], subscriptions={"Newsletters": False})
    client.flush()
    repeated = len(_lines(workspace))
    clock.sleep(3600)
    _identify(client, tags=["vip"], subscriptions={"Newsletters": False})
    client.flush()
    client.close()

    assert repeated == sent
    assert _lines(workspace)[sent:] == _lines(workspace)[:sent]


def test_other_people_share_what_is_known():
    """I13, I14: the id of a tag and the list of types are asked for once, not for each contact."""
    client, workspace, _ = _client()
    for number in range(5):
        _identify(client, user_id=f"u{number}", tags=["VIP"], subscriptions={"91": False})
    client.flush()

    lines = _lines(workspace)
    assert (lines.count("POST /tags"), lines.count("GET /subscription_types")) == (1, 1)
    assert all(contact["tags"] == ["VIP"] for contact in workspace.snapshot()["contacts"].values())


def test_a_tag_that_is_not_there_is_removed():
    """I13: taking off a tag that the contact or the whole workspace does not have is a success, and makes no tag."""
    client, workspace, _ = _client()
    _identify(client, user_id="u2", tags=["VIP"])
    _identify(client, tags={"remove": ["VIP", "nowhere"]})
    report = client.flush()

    assert (report.delivered, report.dead) == (2, {})
    assert [tag.name for tag in workspace.state.tags.values()] == ["VIP"]


def test_an_unknown_type_is_a_note():
    """I14: a subscription type that the workspace does not have is a note at its place, and costs nothing else."""
    client, workspace, _ = _client()
    _identify(client, {"name": "Ada"}, subscriptions={"Weekly": False, "91": False})
    report = client.flush()

    user = workspace.snapshot()["contacts"]["u1"]
    assert (report.notes, report.dead) == ({"I14: unknown subscription type": 1}, {})
    assert (user["fields"]["name"], user["consents"]) == ("Ada", {"91": "opt_out"})


def test_tags_without_their_scope():
    """T1: a token that may not tag writes contacts all the same; the message is a dead letter, and the client is not held."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now, forbidden=["POST /contacts/{}/tags"])
    client = manual_client(WorkspaceTransport(workspace), clock=clock)
    _identify(client, {"name": "Ada"}, tags=["VIP"])
    _identify(client, {"name": "Bea"}, user_id="u2")
    report = client.flush()

    assert (report.dead, report.delivered, report.held) == ({"http_403": 1}, 1, 0)
    assert list(workspace.snapshot()["contacts"]) == ["u1", "u2"]


_TAGS = st.sampled_from(["VIP", "vip", "beta", "Beta", "new"])
_CHOICES = st.lists(
    st.tuples(
        st.lists(_TAGS, max_size=3),
        st.lists(_TAGS, max_size=3),
        st.dictionaries(st.sampled_from(["91", "93", "Newsletters"]), st.booleans(), max_size=2),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(_CHOICES)
def test_the_workspace_ends_as_the_choices_say(choices):
    """I13, I14, O2: whatever is due together, the contact ends with the tags and consents of the choices, one after the other."""
    client, workspace, _ = _client()
    tags, wanted = set(), {}
    client.identify("u1")
    for add, remove, subscriptions, is_flushed in choices:
        _identify(client, tags={"add": add, "remove": remove}, subscriptions=subscriptions)
        tags = (tags | {tag.lower() for tag in add}) - {tag.lower() for tag in remove}
        for name, is_wanted in subscriptions.items():
            wanted["91" if name == "Newsletters" else name] = is_wanted
        if is_flushed:
            client.flush()
    client.flush()

    user = workspace.snapshot()["contacts"]["u1"]
    expected = {"91": "opt_out"} if wanted.get("91") is False else {}
    expected |= {"93": "opt_in"} if wanted.get("93") is True else {}
    assert {tag.lower() for tag in user["tags"]} == tags
    assert (user["consents"], workspace.violations) == (expected, [])
