"""What follows when a message is lost on purpose: it is counted and the hooks are called; knows no buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._delivery.log import redacted
from .._delivery.safely import reaches_caller, safe_log
from ..plugins import Delivery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._delivery.engine import Engine
    from .._types import JsonObject
    from ..plugins import OnDrop

_log = safe_log


class Dropper:
    """
    Counts and reports dropped messages; safe to use from any thread.

    Args:
        on_drop: The hook, called with each message and the reason; None calls nothing.
        connection: The client's name, for the log.
    """

    def __init__(self, on_drop: OnDrop | None, connection: str) -> None:
        self._on_drop = on_drop
        self._connection = connection

    def drop(self, engine: Engine, message: JsonObject, reason: str) -> None:
        """Count *message* as dropped in *engine* and call the hooks; an error of a hook is logged and changes nothing."""
        engine.finish(Delivery(message=message, outcome="dropped", reason=reason, attempts=0))
        if self._on_drop is None:
            return
        try:
            self._on_drop(message, reason)
        except BaseException as error:
            if reaches_caller(error):
                raise
            _log.error(
                "connection %s: the on_drop hook raised",
                self._connection,
                exc_info=redacted(error),
                extra={"connection": self._connection},
            )

    def report_skipped(self, skipped: Mapping[str, int]) -> None:
        """Log how many dead letters stay, because this client would skip them, by reason."""
        number, reasons = sum(skipped.values()), ", ".join(sorted(skipped))
        _log.warning(
            "connection %s: %d dead letters stay, because this client would skip them (%s)",
            self._connection,
            number,
            reasons,
            extra={"connection": self._connection, "number": number, "reasons": reasons},
        )
