"""The numbers that a client reports."""

from __future__ import annotations

import contextlib

from metarouter_intercom import Health
from metarouter_intercom._delivery.report import Counters
from metarouter_intercom.plugins import Note


def test_counters_are_returned_together():
    """Every plain number and every reason is in ``numbers``."""
    counters = Counters(contextlib.nullcontext())
    assert [counters.add_accepted(), counters.add_accepted()] == [1, 2]
    counters.add("delivered")
    counters.add_reason("skipped", "page_off")
    counters.add_notes([Note("A3", "traits.x", "cut"), Note("A3", "traits.y", "cut")])

    numbers = counters.numbers()

    assert (numbers["accepted"], numbers["delivered"], numbers["merged"]) == (2, 1, 0)
    assert numbers["skipped"] == {"page_off": 1}
    assert numbers["notes"] == {"A3: cut": 2}


def test_returned_numbers_do_not_change_later():
    """``numbers`` is a copy of one moment."""
    counters = Counters(contextlib.nullcontext())
    numbers = counters.numbers()
    counters.add_reason("dead", "http_400")

    assert numbers["dead"] == {}


def test_health_is_ok_or_not():
    """Only ``ok`` is ok."""
    assert Health("ok").is_ok is True
    assert Health("held", "http_401", 1.0).is_ok is False


def test_what_has_not_ended_is_pending():
    """Each accepted message is delivered, skipped, dropped, dead or pending."""
    counters = Counters(contextlib.nullcontext())
    for _ in range(7):
        counters.add_accepted()
    counters.add("delivered", 2)
    counters.add_reason("skipped", "no_identity")
    counters.add_reason("dropped", "buffer_full")
    counters.add_reason("dead", "http_400")

    assert counters.pending() == 2
