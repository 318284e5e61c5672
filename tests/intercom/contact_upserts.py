"""The operations and bodies that the tests of contacts and of their conflicts share."""

from __future__ import annotations

from metarouter_intercom.operations import UpsertContact, Who

from .._support.flow_driving import make_cache

USER = Who(external_id="u1")
MAIL = Who(email="Ann@Example.com")
LEAD = Who(anonymous_id="a1")
SEARCH = "POST /contacts/search"
BODY = {"role": "user", "external_id": "u1", "name": "Ann"}


def upsert(who=USER, role="user", attributes=None, **fields):
    return UpsertContact(who=who, role=role, fields=fields or {"name": "Ann"}, attributes=attributes or {})


def by_mail(role="user", **fields):
    return upsert(MAIL, role, email="Ann@Example.com", **fields)


def lead_upsert(**attributes):
    return upsert(LEAD, "lead", {"anonymous_id": "a1", **attributes}, name="Ann")


def knowing(key="user:u1", contact_id="c1"):
    cache = make_cache()
    cache.remember_contact(key, contact_id)
    return cache
