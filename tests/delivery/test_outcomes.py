"""How the end of a message is reported: counters, hooks and errors (rules P2, W5)."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from metarouter_intercom._delivery.outcomes import Outcomes, delivery_failed
from metarouter_intercom._delivery.report import Counters
from metarouter_intercom._delivery.safely import Faults
from metarouter_intercom.plugins import Delivery


@pytest.fixture
def counters():
    """Counters of this test alone."""
    return Counters(nullcontext())


@pytest.fixture
def outcomes(counters):
    """Outcomes that no hook receives."""
    return Outcomes(counters=counters, after=(), on_error=None, connection="test", faults=Faults(lambda: 0.0))


def test_a_dead_letter_is_counted_without_hooks(counters, outcomes, caplog):
    """W5: without hooks a dead letter is counted and logged all the same."""
    outcomes.finish_dead({"messageId": "m1"}, "plugin_failed", attempts=0)

    assert counters.numbers()["dead"] == {"plugin_failed": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "connection test: a message became a dead letter "
        "(reason plugin_failed, status None, code None, request id None)"
    ]


def test_an_end_without_a_reason_is_counted_as_unknown(counters, outcomes):
    """W5: every loss has a reason to count by."""
    outcomes.finish(Delivery(message={"messageId": "m1"}, outcome="dropped"))

    assert counters.numbers()["dropped"] == {"unknown": 1}


def test_a_deleted_contact_says_when_a_retry_helps():
    """M1: Intercom blocks the ids of a deleted contact for 7 days, and only then a retry can succeed."""
    error = delivery_failed(
        "a message became a dead letter", "contact_deleted", {"message": "not restorable."}
    )

    assert str(error) == (
        "a message became a dead letter (contact_deleted): not restorable. (Intercom frees the external id and the e-mail address "
        "7 days after the deletion; retry the dead letter then)"
    )


@pytest.mark.parametrize(
    ("answer", "text", "details"),
    [
        (None, "it failed (why)", (None, None, None)),
        (
            {"status": 400, "code": "c", "message": "No", "request_id": "r"},
            "it failed (why): No",
            (400, "c", "r"),
        ),
        (
            {"status": None, "code": None, "message": None, "request_id": None},
            "it failed (why)",
            (None, None, None),
        ),
    ],
)
def test_an_error_carries_intercoms_answer(answer, text, details):
    """W5: status, code and request id are attributes of the error, not only words in its text."""
    error = delivery_failed("it failed", "why", answer)

    assert str(error) == text
    assert (error.status, error.code, error.request_id) == details


def test_an_error_always_has_a_reason():
    """W5: an error without a known reason has the reason ``unknown``."""
    assert delivery_failed("it failed", None, None).reason == "unknown"
