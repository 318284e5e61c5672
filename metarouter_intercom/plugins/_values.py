"""The frozen values that the client exchanges with a transport and a buffer; knows no protocol and no part that uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import attrs

from .._types import JsonObject, JsonValue, Note


@attrs.frozen
class Request:
    """
    One request to Intercom, without host and credentials.

    Attributes:
        method: ``GET``, ``POST``, ``PUT`` or ``DELETE``.
        path: Begins with a slash. Ids in it are percent-encoded already. Includes the query string, if there is one.
        body: Becomes the JSON body; None sends no body.
        headers: Headers beyond those that the transport always sends.
        timeout: Seconds that the whole exchange may last, from the look-up of the address to the last byte of the answer. None means
            that only the transport's own time limits apply. When they are over, raise ``ConnectFailed`` or ``ReadFailed``. A
            transport that ignores this works too; then a ``flush`` in the caller's thread may end late. Not part of equality.
    """

    method: str
    path: str
    body: JsonObject | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    timeout: float | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen
class Response:
    """
    One answer of Intercom, whatever its status.

    Attributes:
        status: The HTTP status.
        body: The parsed JSON body; None when it is empty; the text as a string when it is not JSON.
        headers: Header names in lower case, with their values.
    """

    status: int
    body: JsonValue = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


class Entry(NamedTuple):
    """
    One buffered message that is leased.

    Attributes:
        seq: The buffer's own number for the message: above 0, never used twice, and rising in the order of acceptance. Below 0 means
            that the buffer does not know where in that order the message belongs; ``Buffer.has_pending`` then always counts it.
        message: Segment's wire form, equal to what was accepted. ``messageId`` (str) and ``timestamp`` (float, Unix seconds) are
            always there.
        accepted_at: The ``now`` of its acceptance, Unix seconds.
        attempts: How many attempts were made before this claim: 1 more for each ``retry`` or ``wait``.
        failures: How many of these attempts were settled with ``failed=True``: a 5xx answer to this very message.
        waiting_since: Since when it waits for a missing contact: the ``now`` of its first settlement as ``wait``. A message that was
            accepted while its lane waited has the later of its own acceptance and the beginning of the lane's wait. A lane stops
            waiting when one of its claims is settled without any ``wait``. None when the lane does not wait.
    """

    seq: int
    message: JsonObject
    accepted_at: float
    attempts: int
    failures: int
    waiting_since: float | None


class Claim(NamedTuple):
    """
    Messages of one lane, leased to one worker.

    Attributes:
        lane: The buffer's own number for this claim, above 0 and never used twice. It identifies the lease in ``settle`` and ``renew``.
        entries: At least one message, in the order of acceptance.
    """

    lane: int
    entries: tuple[Entry, ...]


class SentRequest(NamedTuple):
    """
    One request that was sent for a message, as the history keeps it: without bodies, headers and keys.

    Attributes:
        method: ``GET``, ``POST``, ``PUT`` or ``DELETE``.
        path: With the query, if there was one.
        status: The HTTP status; None when there was no answer.
        code: Intercom's error code; None for a success.
        request_id: Of the answer, for Intercom's support; None when it had none.
        duration: Seconds until the answer, or until the request failed.
        answer: What else of the answer says what happened: ``message`` and ``field`` of an error, ``type`` and ``id`` of what was
            written. None when there is nothing to say.
        reason: Why there was no answer of Intercom's: ``connect_failed``, ``read_failed`` or ``foreign_answer``; None when there was one.
    """

    method: str
    path: str
    status: int | None
    code: str | None = None
    request_id: str | None = None
    duration: float = 0.0
    answer: JsonObject | None = None
    reason: str | None = None


class Ending(NamedTuple):
    """
    How a message ended, for the history.

    Attributes:
        outcome: ``delivered``, ``skipped`` or ``dead``.
        reason: Why, for every outcome except ``delivered``.
        notes: What the translator and the flows changed or left out.
        requests: What was sent for it, the oldest first; a request that served several messages is in the ending of each.
    """

    outcome: Literal["delivered", "skipped", "dead"]
    reason: str | None = None
    notes: tuple[Note, ...] = ()
    requests: tuple[SentRequest, ...] = ()


class HistoryEntry(NamedTuple):
    """
    A message that has ended, in ``client.history`` (rule X2).

    Attributes:
        message: Segment's wire form, as it was accepted.
        outcome: ``delivered``, ``skipped`` or ``dead``.
        reason: Why, for every outcome except ``delivered``.
        notes: What the translator and the flows changed or left out.
        requests: What was sent for it, the oldest first; at most the last 20. A request that served several messages is in each entry.
        accepted_at: When it was accepted, Unix seconds.
        ended_at: When it ended, Unix seconds.
    """

    message: JsonObject
    outcome: Literal["delivered", "skipped", "dead"]
    reason: str | None
    notes: tuple[Note, ...]
    requests: tuple[SentRequest, ...]
    accepted_at: float
    ended_at: float


class Settlement(NamedTuple):
    """
    What becomes of one leased message.

    Attributes:
        seq: The ``seq`` of the entry.
        kind: One of:

            * ``ack``: it is done; forget the message. A durable buffer remembers its message id, to recognise a duplicate.
            * ``retry``: it is attempted again at ``due_at``. Until then it holds back its whole lane.
            * ``wait``: as ``retry``, but the message only waits for its contact, so an upsert of that contact makes the lane due.
            * ``bury``: forget the message as for ``ack``, but not its id: it may be accepted again. If the buffer keeps dead letters
              (``DeadLetterStore``), it becomes one.
            * ``release``: no attempt was made. The message goes back unchanged and is due at once.
        due_at: For ``retry`` and ``wait``: Unix seconds, not before which the lane is claimed again.
        reason: For ``bury``, ``retry`` and ``wait``: why, as one short word.
        answer: For ``bury``: Intercom's last answer ``{status, code, message, field, request_id}``, or None when there was none.
        failed: For ``retry``: the attempt ended in a 5xx answer to this very message; add 1 to ``Entry.failures``.
        ending: For ``ack`` and ``bury``: what a buffer that keeps a history (``HistoryStore``) remembers of the end; None for ``ack``
            keeps the message out of the history.
    """

    seq: int
    kind: Literal["ack", "retry", "wait", "bury", "release"]
    due_at: float = 0.0
    reason: str | None = None
    answer: JsonObject | None = None
    failed: bool = False
    ending: Ending | None = None


@attrs.frozen(kw_only=True)
class DeadLetter:
    """
    A message that was given up.

    Attributes:
        id: The dead letter's own number, for ``retry`` and ``discard``: above 0, rising, never used twice.
        message: Segment's wire form, as it was accepted.
        reason: A short word to count by.
        answer: Intercom's last answer ``{status, code, message, field, request_id}``, or None when there was none.
        attempts: How many attempts were made; 0 for a message that was never buffered.
        accepted_at: When it was accepted, Unix seconds.
        died_at: When it was given up, Unix seconds.
    """

    id: int
    message: JsonObject
    reason: str
    answer: JsonObject | None
    attempts: int
    accepted_at: float
    died_at: float


class Tallies(NamedTuple):
    """
    What a buffer counts by itself, since it was opened in this process.

    Attributes:
        late_duplicates: Duplicates found after ``accept`` had returned ``accepted``.
        evicted: Dead letters that were removed because there were too many.
        unspooled: Messages kept in memory because the spool's file could not take them.
    """

    late_duplicates: int = 0
    evicted: int = 0
    unspooled: int = 0
