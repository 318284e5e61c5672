"""A client over a workspace whose answers a test may lose or refuse, to count which events arrive; no test of its own."""

from __future__ import annotations

import contextlib

from metarouter_intercom import Client
from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.plugins import Response
from metarouter_intercom.sandbox import Workspace, WorkspaceTransport
from metarouter_intercom.testing import FakeClock

NOON = 1_704_067_200


class Crash(BaseException):
    """Stands for the end of the process after a request was applied and before its message was settled."""


class Line:
    """A transport into a workspace; ``plan`` says what becomes of the next events: ``ok``, ``lost``, ``refused`` or ``crash``."""

    def __init__(self, workspace):
        self._inner = WorkspaceTransport(workspace)
        self.plan = []

    def send(self, request):
        fate = self.plan.pop(0) if self.plan and request.path == "/events" else "ok"
        if fate == "refused":
            return Response(503)
        response = self._inner.send(request)
        if fate == "lost":
            raise ReadFailed("the answer was lost")
        if fate == "crash":
            raise Crash
        return response

    def close(self):
        """Nothing to release."""


class Rig:
    """A workspace, and clients that deliver to it one after the other, on one spool if there is one."""

    def __init__(self, spool=None, *, translator=None, buffer=None, **options):
        self.clock = FakeClock(NOON + 500_000.0)
        self.workspace = Workspace(now=self.clock.now, log_limit=100_000)
        self.line = Line(self.workspace)
        self._make = lambda: Client(
            api_key="key",
            transport=self.line,
            clock=self.clock,
            delivery="manual",
            spool=spool,
            buffer=buffer() if buffer else None,
            translator=translator,
            **options,
        )
        self.client = self._make()

    def identify(self, user_id="u1", **traits):
        self.client.identify(user_id, traits)

    def track(self, name="Paid", second=NOON, *, user_id="u1", message_id=None, context=None, **properties):
        """Track an event; without a *message_id* as a file or an SDK sends it, and the library makes the id."""
        message = {"type": "track", "event": name, "properties": properties, "context": context or {}}
        ids = {"userId": user_id, "messageId": message_id, "timestamp": second}
        self.client.send(message | {key: value for key, value in ids.items() if value is not None})

    def deliver(self, *plan):
        """Deliver everything, with *plan* for the first events."""
        self.line.plan = [*plan]
        with contextlib.suppress(Crash):
            for _ in range(200):
                if not self.client.flush(0).pending:
                    break
                self.clock.sleep(60.0)
            return
        self.restart()

    def restart(self):
        """Go on with a new client, as a new process would."""
        self.line.plan = []
        self.client.close(0)
        self.client = self._make()

    def events(self, user_id="u1"):
        return [(event.name, event.created_at - NOON) for event in self.workspace.events(user_id)]

    @property
    def notes(self):
        return dict(self.client.report().notes)
