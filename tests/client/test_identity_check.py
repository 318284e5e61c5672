"""Messages from untrusted senders (rules V1 to V3, R7): what a client does with a good or a wrong proof of identity."""

from __future__ import annotations

import json
import logging

import pytest

from metarouter_intercom import RejectedMessage, identity
from metarouter_intercom._client.identity_check import without_proofs
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import ScriptedTransport

from .._support.clients import manual_client

_KEY = "messenger-secret"


def _recorded():
    """Return a transport, and the list of the bodies that it is asked to send."""
    bodies = []

    def answer(request):
        bodies.append(json.dumps(request.body))
        return Response(200, {"type": "contact", "id": "i1"})

    return ScriptedTransport(answer), bodies


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
