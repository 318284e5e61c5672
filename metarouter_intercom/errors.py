"""
Every error of the package, sorted by what you do next.

.. code-block:: text

    MetarouterError
    ├── ConfigurationError   fix the settings                      (also a ValueError)
    ├── RejectedMessage      fix the data                          (also a ValueError)
    ├── BufferFull           slow down, or make the buffer larger
    ├── ClientClosed         the client was closed before the call
    ├── SpoolFailed          correct the file: full disk, read-only, corrupt, locked
    ├── DeliveryFailed       Intercom refused, or did not answer in time
    └── TransportError       there is no response to a request
        ├── ConnectFailed    it was never sent: repeating it is safe
        └── ReadFailed       it was sent, and Intercom may have applied it
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
    """The base of every error of this package. It is never raised itself."""


class ConfigurationError(MetarouterError, ValueError):
    """A setting is missing or wrong. The text names the setting, the fault and the remedy."""


class Problem(NamedTuple):
    """
    One fault of a message.

    Attributes:
        path: The place in the message as JSON, such as ``traits.createdAt`` or ``userId``.
        fault: What is wrong; it never includes the value.
        remedy: What to send instead.
    """

    path: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.fault}; {self.remedy}"


class RejectedMessage(MetarouterError, ValueError):
    """
    A message that cannot be delivered as it is. Nothing of it was buffered.

    Attributes:
        reason: A short word to count by: ``invalid``, ``too_large``, ``identity_mismatch``...
        problems: Every fault of the message, not only the first one.
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
    """The buffer holds ``max_buffered`` messages, and ``when_full`` makes the call raise. The message was not accepted."""


class ClientClosed(MetarouterError):
    """A call came after ``close()``. The message was not accepted."""


class SpoolFailed(MetarouterError):
    """
    The spool file cannot be read or written. The text names the file, the fault and the remedy.

    Attributes:
        is_passing: Whether the fault may end by itself, because another process has the file locked.
        is_full: Whether there is no room for more on the disk, or in a file of limited size.
    """

    def __init__(self, text: str, *, is_passing: bool = False, is_full: bool = False) -> None:
        self.is_passing = is_passing
        self.is_full = is_full
        super().__init__(text)


class DeliveryFailed(MetarouterError):
    """
    A call that waits for its delivery ended without the wanted effect.

    Attributes:
        reason: The dead letter's reason, or ``held``, ``timeout`` or ``ambiguous_email``.
        status: Intercom's HTTP status; None when there was no response.
        code: Intercom's error code; None when it gave none.
        request_id: The id of the request, for Intercom's support; None when there is none.
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
    """There is no response to a request. The two kinds say whether it can have had an effect."""


class ConnectFailed(TransportError):
    """The request was never sent, because the name look-up, TCP, TLS or the proxy failed. Repeating it is safe."""


class ReadFailed(TransportError):
    """The request was sent and no complete response came back. Intercom may have applied it."""
