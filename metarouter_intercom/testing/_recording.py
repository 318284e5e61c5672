"""A client that keeps every message instead of sending it; what it accepts and refuses is decided by the real client's own code."""

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
    A ``Client`` that sends nothing: same calls, same checks, same errors, and every accepted message in ``sent``.

    No thread, no socket, no file. Before-hooks run; nothing is translated or delivered. ``flush()`` and ``close()`` return at once,
    ``check()`` finds an account, ``delete()`` is remembered in ``deleted``.

    Args:
        settings: As of ``Client``; who delivers and where messages are kept makes no difference here.
        before: Hooks that see each message at acceptance and may change or drop it.
        clock: Where the instants of messages without one come from.
        on_drop: As of ``Client``.
        options: Any setting by name; no ``api_key`` is needed.
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
        """The ids and e-mail addresses that ``delete`` was called with."""

    @property
    def sent(self) -> list[JsonObject]:
        """The accepted messages in Segment's wire form, with message id and instant (Unix seconds), in their order."""
        return self._recorder.sent

    def clear(self) -> None:
        """Forget what was sent and deleted, and which message ids were seen."""
        self._recorder.clear()
        self.deleted.clear()

    def delete(
        self, user_id: str | None = None, *, email: str | None = None, archive: bool = False
    ) -> Report:
        """Remember who should be deleted; errors as of ``Client``."""
        report = super().delete(user_id, email=email, archive=archive)
        self.deleted.append(str(email if user_id is None else user_id))
        return report


class _Recorder(MemoryBuffer):
    """Keeps what is accepted beside a buffer that stays empty, so that there is never anything to deliver."""

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
