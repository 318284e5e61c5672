"""Operations that are made without calling their classes are the same values; twins of the classes."""

from __future__ import annotations

import attrs
import pytest

from metarouter_intercom.operations import (
    AttachCompany,
    Origin,
    SubmitEvent,
    UpsertCompany,
    UpsertContact,
    Who,
    _fast_values,
)

_WHO = Who(external_id="u1")
_ORIGINS = {"a_b": Origin("traits.a.b", 2)}


@pytest.mark.parametrize(
    ("fast", "full"),
    [
        (_fast_values.user("u1"), _WHO),
        (
            _fast_values.upsert_user(_WHO, {"name": "Ann"}, {"a_b": 1}, _ORIGINS),
            UpsertContact(
                who=_WHO, role="user", fields={"name": "Ann"}, attributes={"a_b": 1}, origins=_ORIGINS
            ),
        ),
        (
            _fast_values.upsert_company("k1", {"name": "Acme"}, {"a_b": 1}, "traits.company", _ORIGINS),
            UpsertCompany(
                company_id="k1",
                fields={"name": "Acme"},
                attributes={"a_b": 1},
                traits_path="traits.company",
                origins=_ORIGINS,
            ),
        ),
        (_fast_values.attach_company(_WHO, "k1"), AttachCompany(who=_WHO, company_id="k1")),
        (
            _fast_values.submit_event(_WHO, "Ordered", 5, {"a": 1}),
            SubmitEvent(who=_WHO, event_name="Ordered", created_at=5, metadata={"a": 1}),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_made_fast_is_the_same(fast, full):
    """A value is the same, field by field, whether its class was called or not; a field that is added later is missed by neither."""
    assert fast == full
    assert type(fast) is type(full)
    assert fast.__dict__ == full.__dict__
    assert list(fast.__dict__.keys() - {field.name for field in attrs.fields(type(full))}) == []
