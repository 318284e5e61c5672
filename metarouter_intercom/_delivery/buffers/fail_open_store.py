"""A store that forgets instead of failing: for the workspace cache, a spool whose file fails is empty (rule O4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import SpoolFailed
from ..safely import safe_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...plugins import Store

_log = safe_log


class FailOpenStore:
    """
    Implements ``plugins.Store`` over that of the spool.

    After the first failure it is empty for good: a change may be lost, so what the spool's store has is perhaps not what was written
    last.

    Args:
        store: The spool's.
        path: Of the spool, for the log.
    """

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self._path = path
        self._has_failed = False

    def get(self, kind: str, key: str) -> str | None:
        """Return the value, or None."""
        if self._has_failed:
            return None
        try:
            return self._store.get(kind, key)
        except SpoolFailed as error:
            self._fail(error)
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
        if self._has_failed:
            return
        try:
            change()
        except SpoolFailed as error:
            self._fail(error)

    def _fail(self, error: SpoolFailed) -> None:
        self._has_failed = True
        _log.warning(
            "spool %s: the workspace cache does not use the file any more: %s",
            self._path,
            error,
            extra={"fault": str(error)},
        )
