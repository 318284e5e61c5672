"""Whom an operation is about (rule R8)."""

from __future__ import annotations

import pytest

from metarouter_intercom.operations import Who


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        ({"contact_id": "c", "external_id": "u", "email": "A@B.co"}, "contact:c"),
        ({"external_id": "u", "email": "A@B.co", "anonymous_id": "n"}, "user:u"),
        ({"email": "A@B.co", "anonymous_id": "n"}, "email:a@b.co"),
        ({"anonymous_id": "n"}, "anonymous:n"),
    ],
)
def test_the_first_id_is_the_key(facts, key):
    """R8: contact id, external id, e-mail address in small letters, anonymous id, in this order."""
    assert Who(**facts).key == key
