"""Tells people when a spool's file fails, once a minute and not for a moment's lock (rule Q8); knows no messages but those of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..safely import safe_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..._types import JsonObject
    from ...errors import SpoolFailed
    from ...plugins import OnError

_log = safe_log
# A file that keeps failing is logged at most once in so many seconds.
_LOG_EVERY = 60.0
# Seconds for which another program may lock the file before anybody is told, and for which a flush waits for the end of the lock.
_SHORT_LOCK = 10.0


class FileFaults:
    """
    The faults of one spool's file.

    Args:
        path: Of the file.
        on_error: The hook.

    Attributes:
        current: What is wrong now; None when nothing is.
    """

    def __init__(self, path: str, on_error: OnError) -> None:
        self.current: str | None = None
        self._path = path
        self._on_error = on_error
        self._logged_at: float | None = None
        self._locked_since: float | None = None
        self._locked_until = 0.0

    def report(
        self, error: SpoolFailed, now: float, *, unspooled: int, messages: Sequence[JsonObject] = ()
    ) -> None:
        """Log that the file failed, and call the hook, in any case with *messages* that it could not take."""
        self.current = str(error)
        is_news = self._logged_at is None or abs(now - self._logged_at) >= _LOG_EVERY
        if is_news:
            self._logged_at = now
            _log.error(
                "spool %s: the file failed, new messages are kept in memory (%d so far): %s",
                self._path,
                unspooled,
                error,
                extra=extra_of(error) | {"unspooled": unspooled},
            )
        if is_news or messages:
            self._on_error(error, messages)

    def is_short_lock(self, now: float) -> bool:
        """Note that another program has the file locked; return whether it has just begun: that is usual among processes that share it."""
        if self._locked_since is None:
            self._locked_since = now
        self._locked_until = now
        return not self.is_locked_long()

    def is_locked_long(self) -> bool:
        """Return whether nobody should wait for the end of the lock any more."""
        return self._locked_since is not None and self._locked_until - self._locked_since >= _SHORT_LOCK

    def end_lock(self) -> None:
        """Note that no other program has the file locked."""
        self._locked_since = None


def extra_of(error: SpoolFailed) -> dict[str, object]:
    """Return what a log line says in its ``extra``."""
    return {"fault": str(error)}
