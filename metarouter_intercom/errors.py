"""
Every error of the package, sorted by what its reader does next.

.. code-block:: text

    MetarouterError
    ├── ConfigurationError   fix the settings                      (also a ValueError)
    ├── RejectedMessage      fix the data                          (also a ValueError)
    ├── BufferFull           slow down, or make the buffer larger
    ├── ClientClosed         the client was closed before the call
    ├── SpoolFailed          mend the file: full disk, read-only, corrupt, locked
    ├── DeliveryFailed       Intercom refused, or did not answer in time
    └── TransportError       there is no answer to a request
        ├── ConnectFailed    it was never sent: repeat freely
        └── ReadFailed       it was sent and may have been applied
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "BufferFull",
    "ClientClosed",
    "ConfigurationError",
    "ConnectFailed",
    "DeliveryFailed",
    "MetarouterError",
    "Problem",
    "ReadFailed",
    "RejectedMessage",
    "SpoolFailed",
    "TransportError",
]


class MetarouterError(Exception):
    """The base of every error of this package; never raised itself."""


class ConfigurationError(MetarouterError, ValueError):
    """A setting is missing or wrong; the text names the setting, the fault and the remedy."""


class Problem(NamedTuple):
    """
    One fault of a message.

    Attributes:
        path: Where it is, in the wire's words: ``traits.createdAt``, ``userId``.
        fault: What is wrong, without the value itself.
        remedy: What to send instead.
    """

    path: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.fault}; {self.remedy}"


class RejectedMessage(MetarouterError, ValueError):
    """
    A message that can never be delivered as it is; nothing of it was buffered.

    Attributes:
        reason: A short word to count by: ``invalid``, ``too_large``, ``identity_mismatch``...
        problems: Every fault found, not just the first one.
    """

    def __init__(self, problems: Sequence[Problem], *, reason: str = "invalid") -> None:
        self.problems = tuple(problems)
        self.reason = reason
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_rejected, (self.problems, self.reason)


def _rebuild_rejected(problems: Sequence[Problem], reason: str) -> RejectedMessage:
    return RejectedMessage(problems, reason=reason)


class BufferFull(MetarouterError):
    """The buffer holds ``max_buffered`` messages, and ``when_full`` says to tell the caller."""


class ClientClosed(MetarouterError):
    """A message came after ``close()``; it was not accepted."""


class SpoolFailed(MetarouterError):
    """
    The spool file cannot be read or written; the text names the file, the fault and the remedy.

    Attributes:
        is_passing: It may pass by itself: another process keeps the file locked.
    """

    def __init__(self, text: str, *, is_passing: bool = False) -> None:
        self.is_passing = is_passing
        super().__init__(text)


class DeliveryFailed(MetarouterError):
    """
    A synchronous delivery ended without the wanted effect.

    Attributes:
        reason: The dead letter's reason, or ``held`` / ``timeout`` / ``ambiguous_email``.
        status: Intercom's HTTP status, or None when there was no answer.
        code: Intercom's error code, if it gave one.
        request_id: Intercom's request id, for its support.
    """

    def __init__(
        self,
        text: str,
        *,
        reason: str,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.reason = reason
        self.status = status
        self.code = code
        self.request_id = request_id
        super().__init__(text)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_failed, (str(self), self.reason, self.status, self.code, self.request_id)


def _rebuild_failed(
    text: str, reason: str, status: int | None, code: str | None, request_id: str | None
) -> DeliveryFailed:
    return DeliveryFailed(text, reason=reason, status=status, code=code, request_id=request_id)


class TransportError(MetarouterError):
    """There is no answer to a request; its two kinds say whether it can have had an effect."""


class ConnectFailed(TransportError):
    """The request never left: name look-up, TCP, TLS or proxy failed. Repeat it freely."""


class ReadFailed(TransportError):
    """The request left and no whole answer came back: it may have been applied."""
