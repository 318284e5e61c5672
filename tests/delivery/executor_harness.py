"""An executor over a scripted transport, and the operations that its tests deliver; no test of its own."""

from __future__ import annotations

import contextlib

from metarouter_intercom._delivery.circuit import Circuit
from metarouter_intercom._delivery.executor import Executor
from metarouter_intercom._delivery.rate_limit import RateLimit
from metarouter_intercom.operations import (
    AttachCompany,
    SubmitEvent,
    Translation,
    UpsertCompany,
    UpsertContact,
    Who,
)
from metarouter_intercom.plugins import Claim, Entry
from metarouter_intercom.settings import Settings
from metarouter_intercom.testing import FakeClock, ScriptedTransport

from .._support.flow_driving import make_cache

WHO = Who(external_id="u1")
NOW = 10_000.0


def upsert(attributes=None, who=WHO, **fields):
    return UpsertContact(who=who, role="user", fields=fields, attributes=attributes or {})


def event_of(name="Seen", who=WHO):
    return SubmitEvent(who=who, event_name=name, created_at=5, metadata={})


def company_of(**fields):
    return UpsertCompany(company_id="k1", fields=fields, attributes={})


ATTACH = AttachCompany(who=WHO, company_id="k1")


class Harness:
    """An executor over a scripted transport, with claims made of operations."""

    def __init__(self, script, *, cache=None, lock_of=contextlib.nullcontext, remembered=10, **settings):
        self.transport = ScriptedTransport(script)
        self.clock = FakeClock(NOW)
        self.cache = cache or make_cache()
        self.pauses = []
        self.foreign = []
        self.circuit = Circuit(
            RateLimit(share=1.0),
            lock=contextlib.nullcontext(),
            jitter=lambda: 0.0,
            probe_every=60.0,
            base=0.5,
            longest=60.0,
        )
        self.translations = {}
        self.counts = []
        self.executor = Executor(
            Settings(api_key="key", **settings),
            translator=lambda message: self.translations[message.message_id],
            cache=self.cache,
            transport=self.transport,
            circuit=self.circuit,
            clock=self.clock,
            pause=self._pause,
            jitter=lambda: 0.5,
            lock_of=lock_of,
            on_foreign=self.foreign.append,
            on_attributes=self.counts.append,
            remembered=remembered,
        )

    def _pause(self, seconds):
        self.pauses.append(seconds)
        self.clock.sleep(seconds)

    def claim(self, *messages, **entry):
        """Return a claim of messages; each argument holds the operations of one message."""
        defaults = {"accepted_at": NOW, "attempts": 0, "failures": 0, "waiting_since": None}
        entries = []
        for seq, operations in enumerate(messages, start=1):
            name = f"m{seq}"
            self.translations[name] = (
                operations if isinstance(operations, Translation) else Translation(tuple(operations))
            )
            message = {
                "type": "track",
                "event": "Seen",
                "userId": "u1",
                "messageId": name,
                "timestamp": 1.0,
            }
            entries.append(Entry(seq=seq, message=message, **defaults | entry))
        return Claim(1, tuple(entries))

    def deliver(self, *messages, probe=False, is_ours=None, **entry):
        """Deliver the messages and return the kinds of their settlements."""
        self.delivered = self.executor.deliver(self.claim(*messages, **entry), probe=probe, is_ours=is_ours)
        return [settlement.kind for settlement in self.delivered.settlements]

    @property
    def lines(self):
        """The requests so far."""
        return [f"{request.method} {request.path}" for request in self.transport.requests]
