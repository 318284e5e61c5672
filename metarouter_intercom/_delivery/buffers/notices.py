"""What a spool tells people about its files: collected under locks, told without any, so that a hook or log handler may call the client."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...errors import SpoolFailed

# Notices that nobody asked for; the oldest leave first.
_MOST_UNTOLD = 100


class _Notice(NamedTuple):
    error: SpoolFailed
    log: Callable[[], None]


class Notices:
    """
    The notices of one spool in one process.

    Attributes:
        untold: The errors that the ``on_error`` hook was not called with yet.
        latest: The text of the last one; None when there was none.
    """

    def __init__(self) -> None:
        self.untold: deque[SpoolFailed] = deque(maxlen=_MOST_UNTOLD)
        self.latest: str | None = None
        self._unlogged: deque[_Notice] = deque(maxlen=_MOST_UNTOLD)

    def add(self, error: SpoolFailed, log: Callable[[], None]) -> None:
        """Note *error*; *log* writes its line, once the caller holds no lock."""
        self.latest = str(error)
        self._unlogged.append(_Notice(error, log))

    def publish(self) -> None:
        """Write the log lines; called without any lock."""
        while self._unlogged:
            try:
                notice = self._unlogged.popleft()
            except IndexError:
                return  # another thread was faster
            self.untold.append(notice.error)
            notice.log()
