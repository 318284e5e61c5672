"""Messages from untrusted senders (rules V1 to V4, R7): what a client does with a good or a wrong proof of identity."""

from __future__ import annotations

import contextlib
import json
import logging

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import RejectedMessage, Settings, identity
from metarouter_intercom._client.identity_check import without_proofs
from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom.plugins import Request, Response
from metarouter_intercom.testing import ScriptedTransport

from .._support.clients import accept, answering, in_workspace, manual_client, workspace_client
from .._support.promises import MESSAGES, promised

_KEY = "messenger-secret"


def _recorded():
    """Return a transport, and the list of the bodies that it is asked to send."""
    bodies = []

    def answer(request):
        bodies.append(json.dumps(request.body))
        return Response(200, {"type": "contact", "id": "i1"})

    return ScriptedTransport(in_workspace(answer)), bodies


def _with(**proofs):
    return {
        "type": "identify",
        "userId": "u1",
        "traits": {"plan": "pro"},
        "integrations": {"Intercom": proofs},
    }


def test_a_wrong_proof_is_counted_and_nothing_is_sent():
    """V1: a message with the proof of another person is rejected, counted under that reason, and not sent."""
    transport, bodies = _recorded()
    client = manual_client(transport, identity_secret=_KEY)

    with pytest.raises(RejectedMessage, match="does not prove this identity") as raised:
        client.send(_with(user_hash=identity.user_hash(_KEY, user_id="u2")))
    report = client.flush()

    assert raised.value.reason == "identity_mismatch"
    assert (report.rejected, report.accepted, bodies) == ({"identity_mismatch": 1}, 0, [])


@pytest.mark.parametrize("kind", ["user_hash", "intercom_user_jwt"])
def test_a_good_proof_is_not_passed_on(kind, caplog, tmp_path):
    """R7: a checked proof is in no body, in no log line and in no file."""
    made = {"user_hash": identity.user_hash, "intercom_user_jwt": identity.user_jwt}[kind](
        _KEY, user_id="u1", **({"now": 1.7e9, "expires_in": 1e9} if kind != "user_hash" else {})
    )
    transport, bodies = _recorded()
    client = manual_client(transport, identity_secret=[_KEY, "older"], spool=tmp_path / "spool")
    with caplog.at_level(logging.DEBUG):
        client.send(_with(**{kind: made}))
        buffered = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        client.flush()
    client.close()

    assert len(bodies) == 1
    assert made not in bodies[0] + caplog.text
    assert made.encode() not in buffered


def test_the_error_quotes_no_key_and_no_proof():
    """V1: a rejection quotes neither the secret nor the proof that was sent."""
    with pytest.raises(RejectedMessage) as raised:
        manual_client(identity_secret=_KEY).send(_with(user_hash="f" * 64))

    assert _KEY not in str(raised.value)
    assert "ffff" not in str(raised.value)


def test_options_of_an_untrusted_sender_are_ignored():
    """V3: an untrusted sender with a good proof of identity still cannot choose a contact, an owner or a role."""
    transport, bodies = _recorded()
    client = manual_client(transport, identity_secret=_KEY, require_identity=True)
    client.send(
        _with(user_hash=identity.user_hash(_KEY, user_id="u1"), contact_id="victim", owner_id=5, role="lead")
    )

    report = client.flush()

    body = json.loads(bodies[0])
    assert (body["external_id"], body["role"], "owner_id" in body) == ("u1", "user", False)
    assert not any("victim" in sent for sent in bodies)
    assert report.notes == {"V3: option of an untrusted sender": 3}


def test_other_destinations_keep_their_options():
    """R7: only proofs for this destination are removed, in the three places where options can be."""
    facts = {
        "Intercom": {"user_hash": "a", "role": "user"},
        "Other": {"user_hash": "b"},
        "integrations": {"intercom": {"Intercom User JWT": "c"}, "Other": {"user_hash": "d"}},
        "All": True,
    }

    assert without_proofs(facts, frozenset({"intercom"})) == {
        "Intercom": {"role": "user"},
        "Other": {"user_hash": "b"},
        "integrations": {"intercom": {}, "Other": {"user_hash": "d"}},
        "All": True,
    }


# --- without a proof nothing is written (rule V4) ---------------------------------------------------------------


def _untrusting(**settings):
    """Return a client that trusts no sender, and its workspace, which has the company c1 and the users u1 and victim."""
    client, workspace = workspace_client(identity_secret=_KEY, require_identity=True, **settings)
    for path, body in (
        ("/companies", {"company_id": "c1", "name": "Acme", "plan": "enterprise", "monthly_spend": 900}),
        ("/contacts", {"role": "user", "external_id": "u1"}),
        ("/contacts", {"role": "user", "external_id": "victim", "email": "victim@example.com"}),
    ):
        workspace.handle(Request("POST", path, body))
    return client, workspace


def _proven(message, **proof):
    """Return *message* with a proof; by default the hash of its user id."""
    made = proof or {"user_hash": identity.user_hash(_KEY, user_id=message["userId"])}
    return {**message, "integrations": {"Intercom": made}}


_TAKEOVER = {"name": "Mine", "plan": "free", "monthlySpend": 0, "tags": ["x"]}
_WITHOUT_PROOF = [
    {"type": "group", "groupId": "c1", "traits": _TAKEOVER},
    {"type": "group", "groupId": "c1", "traits": _TAKEOVER, "anonymousId": "a1"},
    {"type": "group", "groupId": "c1", "traits": {**_TAKEOVER, "email": "victim@example.com"}},
    {"type": "group", "groupId": "c1", "traits": _TAKEOVER, "userId": "u1"},
    {
        "type": "group",
        "groupId": "c1",
        "traits": _TAKEOVER,
        "context": {"traits": {"email": "v@example.com"}},
    },
    {"type": "group", "traits": {"name": "Acme", "plan": "free"}},
    {"type": "group", "groupId": "new", "integrations": {"Intercom": {"contact_id": "i1"}}},
    {"type": "group", "groupId": "c1", "integrations": {"Intercom": {"user_hash": " "}}},
    {"type": "identify", "userId": "u1", "traits": {"company": {"id": "c1", **_TAKEOVER}}},
    {"type": "identify", "traits": {"email": "victim@example.com", "name": "Mine"}},
    {"type": "track", "event": "x", "properties": {"email": "victim@example.com"}},
    {"type": "alias", "userId": "victim", "previousId": "a1"},
]


@pytest.mark.parametrize("message", _WITHOUT_PROOF)
@pytest.mark.parametrize("rights", ["off", "attach", "write"])
def test_a_message_without_a_proof_writes_nothing(message, rights):
    """V4: without a proof a message about somebody, and a group about anybody or nobody, is rejected and changes nothing."""
    client, workspace = _untrusting(untrusted_companies=rights, anonymous="lead")
    before = workspace.snapshot()

    with pytest.raises(RejectedMessage) as raised:
        client.send(message)
    client.flush()

    assert raised.value.reason == "identity_mismatch"
    assert workspace.snapshot() == before


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.group(None, "c1", _TAKEOVER, anonymous_id="a1"),
        lambda client: client.group("u1", "c1", _TAKEOVER),
        lambda client: client.identify("u1", {"company": {"id": "c1", "name": "Mine"}}),
        lambda client: client.identify(None, {"email": "victim@example.com"}),
        lambda client: client.track("u1", "x"),
        lambda client: client.alias("a1", "u1"),
    ],
)
def test_a_typed_call_without_a_proof_writes_nothing(call):
    """V4: the typed calls are checked as ``send`` is."""
    client, workspace = _untrusting()
    before = workspace.snapshot()

    with pytest.raises(RejectedMessage) as raised:
        call(client)
    client.flush()

    assert raised.value.reason == "identity_mismatch"
    assert workspace.snapshot() == before


def test_a_visitor_writes_nothing():
    """V4: a message that names only a visitor needs no proof, and writes nothing, also where leads are made."""
    client, workspace = _untrusting(anonymous="lead", page_events="Viewed {name}")
    before = workspace.snapshot()
    client.identify(None, {"plan": "pro"}, anonymous_id="a1")
    client.track(None, "x", anonymous_id="a1")
    client.page(None, name="Home", anonymous_id="a1")

    assert client.flush().skipped == {"no_identity": 3}
    assert workspace.snapshot() == before


@pytest.mark.parametrize(
    "message",
    [
        {"type": "group", "userId": "u1", "groupId": "c1", "traits": _TAKEOVER},
        {"type": "identify", "userId": "u1", "traits": {"company": {"id": "c1", **_TAKEOVER}}},
        {"type": "identify", "userId": "u1", "traits": {"companies": [{"id": "c1", **_TAKEOVER}]}},
        {"type": "identify", "userId": "u1", "groupId": "c1"},
        {
            "type": "identify",
            "userId": "u1",
            "context": {"groupId": "c1", "traits": {"company": {"id": "c1", "plan": "x"}}},
        },
    ],
)
def test_a_proven_person_is_attached_and_the_company_stays_as_it_is(message):
    """V4: a proof attaches its person to a company, and changes no field, attribute or tag of the company."""
    client, workspace = _untrusting()
    before = workspace.snapshot()["companies"]["c1"]
    client.send(_proven(message))

    assert client.flush().dead == {}
    assert workspace.snapshot()["companies"]["c1"] == {**before, "people": ["u1"]}


def test_a_proven_person_makes_no_company():
    """V4: a company that does not exist is not made for an untrusted sender; a note says so."""
    client, workspace = _untrusting()
    client.send(_proven({"type": "group", "userId": "u1", "groupId": "new", "traits": {"name": "Mine"}}))
    report = client.flush()

    assert report.notes == {"V4: company field of an untrusted sender": 1, "I12: unknown company": 1}
    assert list(workspace.snapshot()["companies"]) == ["c1"]


def test_off_leaves_memberships_alone():
    """V4: with ``untrusted_companies="off"`` a proven person is neither attached nor detached."""
    client, workspace = _untrusting(untrusted_companies="off")
    before = workspace.snapshot()
    client.send(_proven({"type": "group", "userId": "u1", "groupId": "c1", "traits": _TAKEOVER}))

    assert client.flush().skipped == {"untrusted_company": 1}
    assert workspace.snapshot() == before


def test_write_trusts_proven_people_with_companies():
    """V4: with ``untrusted_companies="write"`` a proven person writes a company."""
    client, workspace = _untrusting(untrusted_companies="write")
    client.send(_proven({"type": "group", "userId": "u1", "groupId": "c1", "traits": {"plan": "free"}}))
    client.flush()

    company = workspace.snapshot()["companies"]["c1"]
    assert (company["fields"]["plan"], company["people"]) == ("free", ["u1"])


def _token(**claims):
    return identity.user_jwt(_KEY, user_id="u1", now=1.7e9, expires_in=1e9, **claims)


@pytest.mark.parametrize(
    ("proof", "email"),
    [
        ({"user_hash": identity.user_hash(_KEY, user_id="u1")}, ""),
        ({"intercom_user_jwt": _token()}, ""),
        ({"intercom_user_jwt": _token(email="someone@example.com")}, ""),
        ({"intercom_user_jwt": _token(email=" ")}, ""),
        ({"intercom_user_jwt": _token(claims={"email": ["ada@example.com"]})}, ""),
        ({"intercom_user_jwt": _token(email="ada@example.com")}, "Ada@Example.com"),
        ({"intercom_user_jwt": _token(email=" ADA@example.com ")}, "Ada@Example.com"),
        (
            {
                "user_hash": identity.user_hash(_KEY, user_id="u1"),
                "intercom_user_jwt": _token(email="ada@example.com"),
            },
            "Ada@Example.com",
        ),
    ],
)
@pytest.mark.parametrize("place", ["traits", "context"])
def test_an_email_address_needs_a_token_that_names_it(proof, email, place):
    """V4: a proven user gets the e-mail address of a message only if the token names that address; otherwise there is a note."""
    client, workspace = _untrusting()
    traits = {"email": "Ada@Example.com", "plan": "pro"}
    placed = {"traits": traits} if place == "traits" else {"context": {"traits": traits}}
    client.send(_proven({"type": "identify", "userId": "u1", **placed}, **proof))
    notes = client.flush().notes

    user = workspace.snapshot()["contacts"]["u1"]
    assert (user["email"], user["custom_attributes"]) == (email, {"plan": "pro"})
    assert ("V4: e-mail address that the proof does not cover" in notes) is (email == "")


def test_nobody_forges_a_proven_address():
    """V4: the key under which a checked address is kept means nothing in a message of the sender's own."""
    client, workspace = _untrusting()
    forged = {"provenEmail": "victim@example.com", "proven_email": "victim@example.com"}
    message = {"type": "identify", "userId": "u1", "traits": {"email": "victim@example.com"}, **forged}
    client.send(_proven(message))
    client.flush()

    assert workspace.snapshot()["contacts"]["u1"]["email"] == ""


def test_a_dead_letter_is_no_way_around(tmp_path):
    """V4: a dead letter that is retried writes no more than its message may, and keeps the address that was proven."""
    answers = [
        Response(400, {"type": "error.list", "errors": [{"code": "parameter_invalid", "message": "no"}]})
    ]
    sent = []

    def answer(request):
        sent.append((request.path, request.body))
        return answers[0] if len(sent) == 1 else accept(request)

    client = manual_client(
        ScriptedTransport(in_workspace(answer)),
        identity_secret=_KEY,
        require_identity=True,
        spool=tmp_path / "spool",
    )
    traits = {"email": "ada@example.com", "company": {"id": "c1", "name": "Mine"}}
    message = {"type": "identify", "userId": "u1", "traits": traits}
    client.send(_proven(message, intercom_user_jwt=_token(email="ada@example.com")))
    client.flush()
    sent[1:] = []

    assert client.dead_letters.retry() == 1
    client.flush()
    bodies = [body for path, body in sent[1:] if path in ("/contacts", "/companies")]
    client.close()
    assert [body["email"] for body in bodies] == ["ada@example.com"]


def test_an_untrusted_message_stays_untrusted_elsewhere(tmp_path):
    """V4: a client that trusts everybody, such as a worker or the command line, trusts no message of a spool whose sender was not trusted."""
    path = tmp_path / "spool"
    web = manual_client(answering(401), spool=path, identity_secret=_KEY, require_identity=True)
    traits = {"email": "victim@example.com", "company": {"id": "c1", "name": "Mine"}, "role": "lead"}
    web.send(_proven({"type": "identify", "userId": "u1", "traits": traits}))
    web.send(_proven({"type": "group", "userId": "u1", "groupId": "c2", "traits": {"name": "Mine"}}))
    web.close(timeout=0)
    worker, workspace = workspace_client(spool=path)
    workspace.handle(Request("POST", "/companies", {"company_id": "c1", "name": "Acme"}))
    before = workspace.snapshot()["companies"]["c1"]

    worker.flush()

    snapshot = workspace.snapshot()
    worker.close()
    assert snapshot["companies"] == {"c1": {**before, "people": ["u1"]}}
    assert (snapshot["contacts"]["u1"]["email"], snapshot["contacts"]["u1"]["role"]) == ("", "user")


@pytest.mark.parametrize("mark", [True, False, 1, "true", None, {}])
def test_a_sender_can_only_give_up_rights(mark):
    """V4: ``untrusted`` in a message takes rights away when it is true, and never gives any."""
    trusting, workspace = workspace_client()
    trusting.send({"type": "group", "userId": "u1", "groupId": "c1", "untrusted": mark})
    trusting.identify("u1")
    trusting.flush()
    client, other = _untrusting()
    before = other.snapshot()
    message = {"type": "group", "userId": "u1", "groupId": "c1", "traits": _TAKEOVER, "untrusted": mark}
    client.send(_proven(message))
    client.flush()

    assert bool(workspace.snapshot()["companies"]) is (mark is not True)
    assert other.snapshot()["companies"]["c1"]["fields"] == before["companies"]["c1"]["fields"]


def test_a_contact_id_of_an_untrusted_message_makes_no_lane():
    """V3: a retried letter of an untrusted sender chooses its contact no more than the message did."""
    stamper = Stamper(Settings(api_key="k"), ())
    options = {"integrations": {"Intercom": {"contact_id": "victim"}}}

    untrusted = stamper.stamp(
        {"type": "track", "userId": "u1", "event": "x", "untrusted": True, **options}, 5.0
    )

    assert list(untrusted.keys) == list(stamper.restamp(untrusted.message).keys) == ["user:u1"]


def test_a_letter_of_trusting_times_writes_no_company(tmp_path):
    """V4: a message that was accepted before ``require_identity`` was on writes no company once it is on."""
    path = tmp_path / "spool"
    trusting = manual_client(answering(401), spool=path)
    trusting.group("u1", "c1", {"name": "Mine"})
    trusting.group(None, "c2", {"name": "Mine"}, anonymous_id="a1")
    trusting.close(timeout=0)
    client, workspace = _untrusting(spool=path)
    before = workspace.snapshot()["companies"]["c1"]

    client.flush()

    companies = workspace.snapshot()["companies"]
    client.close()
    assert companies == {"c1": {**before, "people": ["u1"]}}


def test_a_hook_sees_and_keeps_the_proven_address():
    """V4, P1: a before-hook receives the proven address with the message, and a message that it changes keeps that address."""
    seen = []

    def hook(message):
        seen.append(message.proven_email)
        return attrs.evolve(message, traits={**message.traits, "plan": "pro"})

    client, workspace = _untrusting(before=[hook])
    message = {"type": "identify", "userId": "u1", "traits": {"email": "ada@example.com"}}
    client.send(_proven(message, intercom_user_jwt=_token(email="ada@example.com")))
    client.flush()

    user = workspace.snapshot()["contacts"]["u1"]
    assert seen == ["ada@example.com"]
    assert (user["email"], user["custom_attributes"]) == ("ada@example.com", {"plan": "pro"})


@pytest.mark.parametrize(
    ("user_id", "more", "keys"),
    [
        ("u1", {}, ["user:u1"]),
        ("Ada@example.com", {}, ["user:Ada@example.com", "email:ada@example.com"]),
        ("u1", {"provenEmail": "ADA@example.com"}, ["user:u1", "email:ada@example.com"]),
        ("u1", {"provenEmail": "somebody@example.com"}, ["user:u1"]),
        (None, {}, ["email:ada@example.com"]),
    ],
)
def test_an_unproven_address_makes_no_lane(user_id, more, keys):
    """V4, O1: an untrusted message waits in nobody else's lane, and nobody else waits in its lane."""
    message = {"type": "identify", "messageId": "m", "timestamp": 5.0, "traits": {"email": "ada@example.com"}}
    message |= {"untrusted": True, **more} | ({} if user_id is None else {"userId": user_id})

    assert list(Stamper(Settings(api_key="k"), ()).restamp(message).keys) == keys


# --- whatever the message is ------------------------------------------------------------------------------------


def _sent(client, message):
    """Send *message*; whether it is rejected makes no difference here."""
    with contextlib.suppress(RejectedMessage):
        client.send(message)
    client.flush()


@promised
@given(MESSAGES, st.sampled_from(["off", "attach", "write"]))
def test_no_message_without_a_proof_writes_anything(message, rights):
    """V4: whatever a message without a valid proof names, the workspace stays as it is."""
    client, workspace = _untrusting(
        untrusted_companies=rights, anonymous="lead", page_events="P {name}", tags_trait="tags"
    )
    before = workspace.snapshot()

    _sent(client, message)

    assert workspace.snapshot() == before


@promised
@given(MESSAGES, st.sampled_from(["off", "attach"]))
def test_a_proof_lets_a_message_change_its_own_person_only(message, rights):
    """V4: whatever a message names, with the proof of u1 it changes u1 and who belongs to a company, and nothing else."""
    client, workspace = _untrusting(
        untrusted_companies=rights, anonymous="lead", page_events="P {name}", tags_trait="tags"
    )
    before = workspace.snapshot()
    options = {
        "contact_id": workspace.contact("victim").id,
        "user_hash": identity.user_hash(_KEY, user_id="u1"),
    }

    _sent(client, {**message, "userId": "u1", "integrations": {"Intercom": options}})

    after = workspace.snapshot()
    contacts = {**after["contacts"], "u1": before["contacts"]["u1"]}
    companies = {name: {**company, "people": []} for name, company in after["companies"].items()}
    assert (contacts, companies) == (before["contacts"], before["companies"])
    assert (after["contacts"]["u1"]["email"], after["contacts"]["u1"]["tags"]) == ("", [])
