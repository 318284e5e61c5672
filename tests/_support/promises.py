"""How many examples the property tests use, and the messages that they draw; contains no tests."""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis import strategies as st

# Examples per property. ``PROMISE_EXAMPLES=5000`` searches longer, with new examples each time.
EXAMPLES = int(os.environ.get("PROMISE_EXAMPLES", "60"))
_IS_THOROUGH = "PROMISE_EXAMPLES" in os.environ


def promised(test, *, share: float = 1.0):
    """Run *test* with ``EXAMPLES`` examples or a *share* of them: the same examples each time unless PROMISE_EXAMPLES is set."""
    many = max(1, int(EXAMPLES * share))
    return settings(max_examples=many, deadline=None, derandomize=not _IS_THOROUGH, database=None)(test)


TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "2026-03-01",
        "2026-03-01T10:00:00Z",
        "9999-12-31",
        "a@example.com",
        "\u200ba@example.com",
        "\ufeff",
        "null",
        "19.99",
        "$1,025.00",
        "",
        " ",
        "x" * 300,
        "https://example.com/x",
        "1e400",
        "٣",
        "\x00",
        "user",
        "lead",
        "eur",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
NAMES = st.sampled_from(
    [
        "email", "e_mail", "name", "Name", "firstName", "last_name", "phone", "phones", "avatar", "photoUrl", "createdAt", "created_at",
        "created", "signedUpAt", "lastSeenAt", "lastRequestAt", "unsubscribedFromEmails", "ownerId", "role", "company", "companies",
        "id", "userId", "company_id", "groupId", "remove", "size", "employees", "plan", "monthlySpend", "tags", "revenue", "Revenue",
        "total", "currency", "price", "item_price", "url", "value", "amount", "address", "address_city", "a.b", "a_b", "A_B", "born",
        "born_at", "seen at", "user_hash", "anonymous_id", "os_name",
    ]
)  # fmt: skip
_KEYS = NAMES | st.text(max_size=4)
_inner = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(_KEYS, SCALARS, max_size=3)
VALUES = SCALARS | st.lists(_inner, max_size=3) | st.dictionaries(_KEYS, _inner, max_size=4)
FACTS = st.dictionaries(_KEYS, VALUES, max_size=6)
IDS = (
    st.none()
    | st.integers()
    | st.sampled_from(
        [
            "u1",
            "a@example.com",
            " ",
            "anon",
            "undefined",
            "\u200bu1",
            "ldap/a@example.com",
            " a@example.com\ufeff",
            "\u200b",
        ]
    )
)
_OPTIONS = st.dictionaries(
    st.sampled_from(
        [
            "contact_id",
            "contactId",
            "id",
            "role",
            "owner_id",
            "unsubscribed",
            "user_hash",
            "language_override",
            "x",
            "tags",
            "subscriptions",
        ]
    ),
    _inner,
    max_size=3,
)
_CHOICES = st.dictionaries(
    st.sampled_from(["All", "all", "Intercom", "intercom", "Mixpanel"]),
    st.booleans() | st.sampled_from(["false", "yes", ""]) | _OPTIONS,
    max_size=2,
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["identify", "track", "group", "page", "screen", "alias", "Identify"])},
    optional={
        "userId": IDS,
        "anonymousId": IDS,
        "groupId": IDS,
        "previousId": IDS,
        "messageId": IDS,
        "event": st.sampled_from(["Order Completed", " x ", "é" * 300]),
        "name": TEXTS,
        "category": SCALARS,
        "timestamp": VALUES,
        "originalTimestamp": SCALARS,
        "traits": FACTS,
        "properties": FACTS,
        "context": st.fixed_dictionaries(
            {},
            optional={
                "traits": FACTS,
                "page": FACTS,
                "groupId": IDS,
                "active": st.booleans(),
                "os": FACTS,
                "Intercom": _OPTIONS,
                "integrations": _CHOICES,
            },
        ),
        "integrations": _CHOICES,
    },
)
"""Messages in wire form; most of them are valid."""
