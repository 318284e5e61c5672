"""Which flow each operation has."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.flows import flow_of
from metarouter_intercom.operations import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    SetSubscription,
    SubmitEvent,
    TagCompany,
    TagContact,
    UpsertCompany,
    UpsertContact,
    Who,
)
from metarouter_intercom.plugins import Request

from .._support.flow_driving import make_world

_KNOWN = Who(contact_id="c1")


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        (UpsertContact(who=_KNOWN, role=None, fields={}, attributes={}), "PUT", "/contacts/c1"),
        (UpsertCompany(company_id="k", fields={}, attributes={}), "POST", "/companies"),
        (AttachCompany(who=_KNOWN, company_id="k"), "GET", "/companies?company_id=k"),
        (DetachCompany(who=_KNOWN, company_id="k"), "GET", "/companies?company_id=k"),
        (SubmitEvent(who=_KNOWN, event_name="Seen", created_at=1, metadata={}), "POST", "/events"),
        (MergeContact(lead=_KNOWN, user=Who(contact_id="c2")), "POST", "/contacts/merge"),
        (TagCompany(company_id="k", name="VIP"), "POST", "/tags"),
        (TagContact(who=_KNOWN, name="VIP"), "POST", "/tags"),
        (TagContact(who=_KNOWN, name="VIP", remove=True), "GET", "/tags"),
        (
            SetSubscription(who=_KNOWN, subscription="News", is_wanted=True, path="p"),
            "GET",
            "/subscription_types",
        ),
        (DeleteContact(who=_KNOWN), "DELETE", "/contacts/c1"),
    ],
)
def test_every_operation_has_its_flow(operation, method, path):
    """The first request of each flow shows that it is the right one."""
    request = next(flow_of(operation, make_world()))

    assert isinstance(request, Request)
    assert (request.method, request.path) == (method, path)
