"""What becomes of messages about a person who was deleted in Intercom, whose ids are blocked for seven days."""

from __future__ import annotations

from metarouter_intercom.testing import intercom

_DAY = 86_400.0


def test_a_retry_helps_when_the_ids_of_a_deleted_person_are_free_again():
    """M1: messages of a deleted person are dead letters, retrying them within seven days changes nothing, and afterwards delivers them."""
    with intercom(delivery="manual") as (client, workspace, clock):
        client.identify("u1", {"email": "ada@example.com"})
        client.flush()
        client.delete(user_id="u1")
        client.identify("u1", {"plan": "pro"})
        assert client.flush().dead == {"contact_deleted": 1}

        clock.advance(3 * _DAY)
        client.dead_letters.retry()
        client.flush()
        assert [letter.reason for letter in client.dead_letters] == ["contact_deleted"]

        clock.advance(4 * _DAY + 60)
        client.dead_letters.retry()
        client.flush()
        assert list(client.dead_letters) == []
        assert [contact["custom_attributes"] for contact in workspace.contacts()] == [{"plan": "pro"}]
