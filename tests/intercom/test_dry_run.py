"""Which requests a message would cause, without sending any."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from metarouter_intercom import Settings
from metarouter_intercom._intercom.dry_run import preview
from metarouter_intercom.messages import Alias, Group, Identify, Page, Track


def _requests(message, **choices):
    shown = preview(message, Settings(api_key="k", **choices))
    return [f"{request.method} {request.path}" for request in shown.requests]


@pytest.mark.parametrize(
    ("message", "requests"),
    [
        (Identify(user_id="u1", traits={"plan": "pro"}, timestamp=5.0), ["POST /contacts"]),
        (
            Identify(traits={"email": "a@example.com"}, timestamp=5.0),
            ["POST /contacts/search", "POST /contacts"],
        ),
        (Track(user_id="u1", event="x", timestamp=5.0), ["POST /events"]),
    ],
)
def test_requests_for_somebody_new(message, requests):
    """A dry run lists the requests for a workspace that does not know the person yet."""
    assert _requests(message) == requests


def test_a_group_writes_its_company_and_attaches_its_contact():
    """The company is written first, then the contact is found and attached (rule C4)."""
    message = Group(user_id="u1", group_id="c 1", traits={"name": "C", "tags": ["vip"]}, timestamp=5.0)

    requests = _requests(message)

    assert requests[0] == "POST /companies"
    assert "POST /tags" in requests
    assert requests[-1] == "POST /contacts/%3Ccontact%20id%3E/companies"


def test_tags_and_subscriptions_follow_the_contact():
    """A dry run shows the requests for tags, and for subscriptions as those of opt-out types (rules I13, I14)."""
    options = {"tags": {"add": ["vip"], "remove": ["old"]}, "subscriptions": {"News": False, "91": True}}
    message = Identify(user_id="u1", timestamp=5.0, integrations={"Intercom": options})

    assert [unquote(request) for request in _requests(message)] == [
        "POST /contacts",
        "POST /tags",
        "POST /contacts/<contact id>/tags",
        "GET /tags",
        "DELETE /contacts/<contact id>/tags/<id of old>",
        "GET /subscription_types",
        "POST /contacts/<contact id>/subscriptions",
        "DELETE /contacts/<contact id>/subscriptions/<id of 91>",
    ]


def test_an_alias_searches_the_lead_first():
    """The lead is searched first; an empty workspace has none, so nothing is merged (rule L1)."""
    requests = _requests(Alias(user_id="u1", previous_id="a1", timestamp=5.0), anonymous="lead")

    assert requests[0] == "POST /contacts/search"


def test_a_company_that_is_only_named_is_looked_up():
    """A group id alone on an identify looks the company up before attaching to it (rule I12)."""
    requests = _requests(Identify(user_id="u1", group_id="c/1", timestamp=5.0))

    assert "GET /companies?company_id=c%2F1" in requests


def test_a_skipped_message_needs_no_request():
    """A message with nothing to do shows its reason and no request."""
    shown = preview(Page(user_id="u1", name="N"), Settings(api_key="k"))

    assert (shown.skipped, list(shown.requests), list(shown.operations)) == ("page_off", [], [])


def test_notes_of_translation_and_delivery_are_shown():
    """The notes of the mapping come first, then those of the flows."""
    message = Identify(user_id="u1", traits={"email": "nope", "createdAt": -5}, timestamp=5.0)

    shown = preview(message, Settings(api_key="k"))

    assert [(note.rule, note.path) for note in shown.notes] == [
        ("I2", "traits.email"),
        ("M3", "signed_up_at"),
    ]
    assert "signed_up_at" not in shown.requests[0].body
