"""Sorts errors of requests and urllib3: the request was never sent, or it may have been applied; knows nothing of Intercom."""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING

import requests
import urllib3

from ...errors import ConnectFailed, ReadFailed, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError)
# Raised before there is a connection, or instead of one.
_BEFORE = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.URLRequired,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ProxyError,
    urllib3.exceptions.LocationValueError,
    urllib3.exceptions.ClosedPoolError,
    urllib3.exceptions.EmptyPoolError,
    urllib3.exceptions.FullPoolError,
    urllib3.exceptions.HostChangedError,
)
# Raised after at least a part of the request was sent.
_AFTER = (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ProtocolError)
# These functions make the TLS connection and a proxy's tunnel before any byte of the request is sent. An error inside them looks
# like an error of reading the answer.
_PREPARING = frozenset({"do_handshake", "_tunnel"})
# At most so many errors behind an error are looked at: errors may name each other in a circle.
_MOST_CAUSES = 20


def transport_error_of(error: Exception) -> Exception:
    """Return the ``TransportError`` for *error*; an error that has nothing to do with the network is returned as it is."""
    if isinstance(error, TransportError) or not isinstance(error, _NETWORK):
        return error
    kind = type(error).__name__
    if _was_never_sent(error):
        return ConnectFailed(f"no connection to Intercom ({kind})")
    return ReadFailed(f"no complete answer from Intercom ({kind})")


def _was_never_sent(error: BaseException) -> bool:
    causes = list(_causes(error))
    if any(_was_preparing(cause.__traceback__) for cause in causes):
        return True
    for cause in causes:
        if isinstance(cause, _AFTER):
            return False
        if isinstance(cause, _BEFORE):
            return True
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and the errors behind it, the nearest first."""
    causes = [error]
    for cause in causes:
        yield cause
        deeper = [*cause.args, getattr(cause, "reason", None), cause.__cause__]
        causes += [each for each in deeper if isinstance(each, BaseException) and each not in causes]
        if len(causes) > _MOST_CAUSES:
            return


def _was_preparing(traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name in _PREPARING:
            return True
        traceback = traceback.tb_next
    return False
