"""A client that records every message instead of sending it; it accepts and rejects messages with the real client's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .._client.client import Client
from .._delivery.buffers.memory import MemoryBuffer
from ..sandbox import Workspace, WorkspaceTransport
from ..settings import Settings
from ._assertions import Assertions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._delivery.report import Report
    from .._types import JsonObject
    from ..plugins import Acceptance, Before, Clock, OnDrop


class RecordingClient(Assertions, Client):
    """
    A ``Client`` that sends nothing: it has the same calls, checks and errors, and ``sent`` contains every accepted message.

    It uses no threads, sockets or files. Before-hooks run; nothing is translated or delivered. ``flush()`` and ``close()`` return at
    once, ``check()`` returns an account, and ``deleted`` records the calls of ``delete()``.

    Args:
        settings: As for ``Client``; ``delivery`` and ``spool`` have no effect.
        before: Hooks that get each message when it is accepted, and may change or drop it.
        clock: Gives the time of messages without a timestamp.
        on_drop: As for ``Client``.
        options: Any setting by name; ``api_key`` is not required.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        before: Sequence[Before] = (),
        clock: Clock | None = None,
        on_drop: OnDrop | None = None,
        **options: Any,
    ) -> None:
        if settings is None:
            settings = Settings(**{"api_key": "recording", **options})
            options = {}
        workspace = Workspace(
            app_id=settings.app_id or "recording", name="Recording", region=settings.region.value.upper()
        )
        self._recorder = _Recorder()
        super().__init__(
            attrs.evolve(settings, delivery="manual", spool=None),
            transport=WorkspaceTransport(workspace),
            buffer=self._recorder,
            before=before,
            clock=clock,
            on_drop=on_drop,
            **options,
        )
        self.deleted: list[str] = []
        """The user ids and email addresses that ``delete`` was called with."""

    @property
    def sent(self) -> list[JsonObject]:
        """The accepted messages in order, in Segment's wire form, with message id and timestamp (Unix seconds)."""
        return self._recorder.sent

    def clear(self) -> None:
        """Empty ``sent`` and ``deleted``, and accept message ids again that were used before."""
        self._recorder.clear()
        self.deleted.clear()

    def delete(
        self, user_id: str | None = None, *, email: str | None = None, archive: bool = False
    ) -> Report:
        """Record the person in ``deleted``; raises the errors of ``Client.delete``."""
        report = super().delete(user_id, email=email, archive=archive)
        self.deleted.append(str(email if user_id is None else user_id))
        return report


class _Recorder(MemoryBuffer):
    """A buffer that records accepted messages and stays empty, so that there is nothing to deliver."""

    def __init__(self) -> None:
        super().__init__(limit=1, dead_letters=1_000)
        self.sent: list[JsonObject] = []
        self._ids: set[str] = set()

    def accept(self, message: JsonObject, *, keys: Sequence[str], upserts: bool, now: float) -> Acceptance:
        message_id = str(message["messageId"])
        if message_id in self._ids:
            return "duplicate"
        self._ids.add(message_id)
        self.sent.append(message)
        return "accepted"

    def clear(self) -> None:
        self.sent.clear()
        self._ids.clear()
