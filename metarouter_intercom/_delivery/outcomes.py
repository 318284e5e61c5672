"""Reports how each message ended: to the counters, the hooks and the log (rules P2, W5); knows no buffer and no threads."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

from .._intercom.account import refused_version
from .._intercom.responses import VERSION_REFUSED
from ..errors import DeliveryFailed
from ..plugins import Delivery
from .log import redacted
from .safely import Faults, reaches_caller, run_all, safe_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._intercom.attribute_budget import AttributeCount
    from .._intercom.responses import FlowResult
    from .._types import JsonObject, JsonValue
    from ..plugins import After, OnError, Response, Settlement
    from .attempts import Attempt
    from .executor import Delivered
    from .report import Counters

_log = safe_log
# A tenth of the budget for attributes is left: the warning comes in time to change the traits.
_NEARLY = 10


class Outcomes:
    """
    Counts the end of every message and passes it on; safe to use from several threads at once.

    Args:
        counters: Count every end.
        after: Hooks that receive the end of every message (P2).
        on_error: Hook that receives held credentials, dead letters and the first answer that is not Intercom's.
        connection: The connection's name, for the log.
        faults: Remember what hooks and other people's parts raised.
        api_version: The setting, for the error when Intercom refuses it.

    Attributes:
        faults: As passed.
        awaited: Message id -> its end, None until then: the messages whose end a call waits for (inline delivery).
    """

    def __init__(
        self,
        *,
        counters: Counters,
        after: Sequence[After],
        on_error: OnError | None,
        connection: str,
        faults: Faults,
        api_version: str = "2.16",
    ) -> None:
        self._counters = counters
        self._after = after
        self._on_error = on_error
        self._connection = connection
        self._api_version = api_version
        self.faults = faults
        self.awaited: dict[str, Delivery | None] = {}
        # The first number is 0. Two threads never get the same number, so only one of them reports.
        self._foreign_answers = itertools.count()
        self._full_workspaces = itertools.count()

    def report(self, delivered: Delivered) -> None:
        """
        Report every message of a settled claim that has ended, and count the retries.

        Raises:
            BaseException: A hook or a signal handler raised what must reach the caller; everything is reported nevertheless.
        """
        interruption: BaseException | None = None
        for attempt, settlement in zip(delivered.attempts, delivered.settlements, strict=True):
            try:
                self._report_one(attempt, settlement)
            except BaseException as error:
                interruption = interruption or error
        if interruption is not None:
            raise interruption

    def _report_one(self, attempt: Attempt, settlement: Settlement) -> None:
        if settlement.kind in ("retry", "wait"):
            self.count_retry()
        delivery = attempt.delivery(settlement.reason)
        if delivery is None:
            return
        if delivery.outcome != "dead":
            self.finish(delivery)
            return
        run_all(
            [
                lambda: self.finish(delivery),
                lambda: self._report_dead(attempt.entry.message, settlement.reason, settlement.answer),
            ],
            lambda error: self.faults.add("a report", error),
        )

    def count_retry(self) -> None:
        """Count an attempt that failed and is repeated later."""
        self._counters.add("retried")

    def finish(self, delivery: Delivery) -> None:
        """Count the end of a message and pass it to the after-hooks."""
        counters = self._counters
        if delivery.outcome == "delivered":
            counters.add("delivered")
            if delivery.unchanged:
                counters.add("unchanged")
            elif delivery.merged:
                counters.add("merged")
        else:
            counters.add_reason(delivery.outcome, delivery.reason or "unknown")
        if delivery.notes:
            counters.add_notes(delivery.notes)
        message_id = str(delivery.message["messageId"])
        if message_id in self.awaited:
            self.awaited[message_id] = delivery
        if self._after:
            run_all([partial(hook, delivery) for hook in self._after], self._count_after_error)

    def _count_after_error(self, error: BaseException) -> None:
        self._counters.add_reason("notes", "P2: after-hook raised")
        self.faults.add("an after-hook", error)
        _log.error(
            "connection %s: an after-hook raised an error; the message is not affected",
            self._connection,
            exc_info=redacted(error),
            extra={"connection": self._connection},
        )

    def finish_dead(self, message: JsonObject, reason: str, *, attempts: int) -> None:
        """Report a message that became a dead letter without an answer of Intercom."""
        delivery = Delivery(message=message, outcome="dead", reason=reason, attempts=attempts)
        run_all(
            [lambda: self.finish(delivery), lambda: self._report_dead(message, reason, None)],
            lambda error: self.faults.add("a report", error),
        )

    def report_held(self, result: FlowResult, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        """Report that Intercom refuses the credentials or the API version."""
        if result.reason == VERSION_REFUSED:
            self._report_refused_version(result, messages)
            return
        _log.error(
            "connection %s: Intercom refuses the credentials (status %s, code %s, request id %s); "
            "all messages are held until you correct them",
            self._connection,
            result.status,
            result.code,
            result.request_id,
            extra={
                "connection": self._connection,
                "status": result.status,
                "code": result.code,
                "request_id": result.request_id,
            },
        )
        self.report_error(delivery_failed("credentials refused", "held", result.answer()), messages)

    def _report_refused_version(
        self, result: FlowResult, messages: Sequence[Mapping[str, JsonValue]]
    ) -> None:
        _log.error(
            "connection %s: Intercom refuses the API version %s (status %s, code %s, request id %s); "
            "all messages are held until you correct the setting api_version",
            self._connection,
            self._api_version,
            result.status,
            result.code,
            result.request_id,
            extra={
                "connection": self._connection,
                "api_version": self._api_version,
                "status": result.status,
                "code": result.code,
                "request_id": result.request_id,
            },
        )
        self.report_error(refused_version(self._api_version, result.message), messages)

    def report_foreign(self, response: Response) -> None:
        """Report, once, that somebody else answered in Intercom's place (rule T6)."""
        if next(self._foreign_answers) > 0:
            return
        _log.warning(
            "connection %s: an answer with status %s is not Intercom's; a proxy or another server is in between, "
            "and its messages are sent again",
            self._connection,
            response.status,
            extra={"connection": self._connection, "status": response.status},
        )
        answer: JsonObject = {"status": response.status}
        self.report_error(delivery_failed("an answer is not Intercom's", "foreign_answer", answer), ())

    def report_attributes(self, count: AttributeCount, budget: int) -> None:
        """Report, once, that the *budget* for custom attributes is used up, or nearly (rule A7)."""
        if count.left > budget // _NEARLY or budget == 0 or next(self._full_workspaces) > 0:
            return
        _log.warning(
            "connection %s: the workspace has %d of its %d custom attributes; %d more are created, then the values of new ones "
            "are left out",
            self._connection,
            count.used,
            count.limit,
            count.left,
            extra={
                "connection": self._connection,
                "used": count.used,
                "limit": count.limit,
                "left": count.left,
            },
        )

    def report_error(self, error: Exception, messages: Sequence[Mapping[str, JsonValue]]) -> None:
        """Call the ``on_error`` hook; if the hook raises, that is logged and changes nothing."""
        if self._on_error is None:
            return
        try:
            self._on_error(error, messages)
        except BaseException as raised:
            if reaches_caller(raised):
                raise
            self.faults.add("the on_error hook", raised)
            _log.error(
                "connection %s: the on_error hook raised an error; the messages are not affected",
                self._connection,
                exc_info=redacted(raised),
                extra={"connection": self._connection},
            )

    def _report_dead(self, message: JsonObject, reason: str | None, answer: JsonObject | None) -> None:
        error = delivery_failed("a message became a dead letter", reason, answer)
        _log.warning(
            "connection %s: a message became a dead letter (reason %s, status %s, code %s, request id %s)",
            self._connection,
            error.reason,
            error.status,
            error.code,
            error.request_id,
            extra={
                "connection": self._connection,
                "reason": error.reason,
                "status": error.status,
                "code": error.code,
                "request_id": error.request_id,
            },
        )
        self.report_error(error, [message])


# What the reason of a dead letter does not say by itself.
_EXPLANATIONS = {
    "contact_deleted": "Intercom frees the external id and the e-mail address 7 days after the deletion; retry the dead letter then",
}


def why_held(reason: str | None, api_version: str) -> str:
    """Return why nothing is sent while the client is held, for the text of an error."""
    if reason == VERSION_REFUSED:
        return f"Intercom refuses the setting api_version={api_version!r} ({reason})"
    return f"the credentials are refused ({reason})"


def delivery_failed(text: str, reason: str | None, answer: JsonObject | None) -> DeliveryFailed:
    """
    Return the error for a message or call that failed.

    Args:
        text: What failed.
        reason: Why; None becomes ``unknown``.
        answer: Intercom's last answer as a dead letter keeps it; None if there was none.
    """
    answer = answer or {}
    status, code, request_id = answer.get("status"), answer.get("code"), answer.get("request_id")
    words = f": {answer['message']}" if answer.get("message") else ""
    explanation = _EXPLANATIONS.get(reason or "")
    return DeliveryFailed(
        f"{text} ({reason}){words}{f' ({explanation})' if explanation else ''}",
        reason=reason or "unknown",
        status=status if isinstance(status, int) else None,
        code=code if isinstance(code, str) else None,
        request_id=request_id if isinstance(request_id, str) else None,
    )
