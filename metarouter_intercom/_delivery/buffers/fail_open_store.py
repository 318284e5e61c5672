"""What the directory sees of a spool whose file fails: nothing, instead of an error."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...errors import SpoolFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...plugins import Store

_log = logging.getLogger("metarouter_intercom")


class FailOpenStore:
    """
    Implements ``plugins.Shelf`` over the spool's.

    It answers "unknown" once a change failed: what the spool's holds then is no longer what was last written.

    Args:
        shelf: The spool's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_blind = False

    def get(self, kind: str, key: str) -> str | None:
        """Return the value, or None."""
        if self._is_blind:
            return None
        try:
            return self._store.get(kind, key)
        except SpoolFailed as error:
            self._go_blind(error)
            return None

    def put(self, kind: str, key: str, value: str) -> None:
        """Store the value."""
        self._try(lambda: self._store.put(kind, key, value))

    def forget(self, kind: str, key: str) -> None:
        """Remove the value."""
        self._try(lambda: self._store.forget(kind, key))

    def update(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        """Replace the value by ``change(value)`` in one step."""
        self._try(lambda: self._store.update(kind, key, change))

    def _try(self, change: Callable[[], None]) -> None:
        if self._is_blind:
            return
        try:
            change()
        except SpoolFailed as error:
            self._go_blind(error)

    def _go_blind(self, error: SpoolFailed) -> None:
        self._is_blind = True
        _log.warning("the directory goes on without the spool", extra={"fault": str(error)})
