"""What a body writes, by name, and how names are removed from a body again (rule O3)."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.write_records import (
    attribute_name,
    membership_value,
    remove_values,
    tag_value,
    values_of,
)


def test_fields_and_custom_attributes_have_names_of_their_own():
    """A custom attribute may be called like a field, and is another value."""
    body = {"name": "K", "custom_attributes": {"name": "L", "tier": None}}

    assert values_of(body) == {"name": "K", "a:name": "L", "a:tier": None}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], {"name": "K", "custom_attributes": {"name": "L", "tier": "a"}}),
        (["name"], {"custom_attributes": {"name": "L", "tier": "a"}}),
        (["a:name"], {"name": "K", "custom_attributes": {"tier": "a"}}),
        (["a:name", "a:tier"], {"name": "K"}),
        (["size", "a:seats"], {"name": "K", "custom_attributes": {"name": "L", "tier": "a"}}),
    ],
)
def test_values_are_removed_by_the_names_that_they_have(names, expected):
    """A body without custom attributes has no empty object for them."""
    body = {"name": "K", "custom_attributes": {"name": "L", "tier": "a"}}

    remove_values(body, names)

    assert body == expected


def test_only_custom_attributes_have_an_attribute_name():
    """The prefix is removed once, because an attribute's own name may begin like it."""
    assert [attribute_name(name) for name in ("a:tier", "a:a:tier", "name")] == ["tier", "a:tier", None]


def test_tags_and_memberships_are_values_too():
    """A tag counts whatever its letter case; a membership says whether the contact belongs to the company."""
    assert tag_value("VIP") == tag_value("vip") == {"t:vip": True}
    assert membership_value("i1", False) == {"c:i1": False}
