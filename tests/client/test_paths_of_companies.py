"""The notes about a company that is unknown or detached already (rule I12): each names the place in the message that names the company."""

from __future__ import annotations

import pytest

from metarouter_intercom.identity import user_hash

from .._support.clients import workspace_client


@pytest.mark.parametrize(
    ("facts", "path", "reason"),
    [
        ({"groupId": "c1"}, "groupId", "unknown company"),
        ({"group_id": "c1"}, "groupId", "unknown company"),
        ({"context": {"groupId": "c1"}}, "context.groupId", "unknown company"),
        (
            {"traits": {"company": {"id": "c1", "remove": True}}},
            "traits.company",
            "already detached, or unknown",
        ),
        (
            {"traits": {"companies": [{"id": "c0"}, {"id": "c1", "remove": True}]}},
            "traits.companies.1",
            "already detached, or unknown",
        ),
        (
            {"context": {"traits": {"company": {"id": "c1", "remove": True}}}},
            "context.traits.company",
            "already detached, or unknown",
        ),
        (
            {"type": "group", "groupId": "c1", "traits": {"remove": True}},
            "groupId",
            "already detached, or unknown",
        ),
        (
            {"type": "group", "traits": {"name": "Acme", "remove": True}},
            "traits.name",
            "already detached, or unknown",
        ),
    ],
)
def test_a_note_names_the_place_of_the_company(facts, path, reason):
    """I12, C5: the note about a company that is unknown or detached has the path in the message, not a name of Intercom's."""
    deliveries = []
    client, _ = workspace_client(after=[deliveries.append])
    client.identify("u1")
    client.flush()
    client.send({"type": "identify", "userId": "u1", **facts})

    client.flush()
    client.close()

    assert [tuple(note) for note in deliveries[-1].notes] == [("I12", path, reason)]


@pytest.mark.parametrize("place", ["company", "companies"])
def test_a_company_that_a_proof_does_not_make_is_named_too(place):
    """V4, I12: an untrusted sender's company that does not exist is noted at its own place."""
    deliveries = []
    key = "a-secret-of-a-workspace"
    client, _ = workspace_client(identity_secret=key, require_identity=True, after=[deliveries.append])
    company = {"id": "new"}
    client.identify(
        "u1",
        {place: company if place == "company" else [company]},
        integrations={"Intercom": {"user_hash": user_hash(key, user_id="u1")}},
    )

    client.flush()
    client.close()

    path = "traits.company" if place == "company" else "traits.companies.0"
    assert ("I12", path, "unknown company") in [tuple(note) for note in deliveries[-1].notes]
