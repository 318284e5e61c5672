"""What an error of requests or urllib3 means for a request: it was never sent, or it may have been applied; part of the transport."""

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
# Raised before a connection stands, or instead of one.
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
# Raised after at least a part of the request had left.
_AFTER = (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ProtocolError)
# Where TLS and a proxy's tunnel are made, before a byte of the request leaves: in their midst an error looks like one of reading.
_PREPARING = frozenset({"do_handshake", "_tunnel"})
# Errors look at most so deep into their reasons.
_DEPTH = 20


def failure_of(error: Exception) -> Exception:
    """Return the error of ours for *error*; an error that has nothing to do with the network is returned as it is."""
    if isinstance(error, TransportError) or not isinstance(error, _NETWORK):
        return error
    kind = type(error).__name__
    if _was_never_sent(error):
        return ConnectFailed(f"no connection to Intercom ({kind})")
    return ReadFailed(f"no whole answer from Intercom ({kind})")


def _was_never_sent(error: BaseException) -> bool:
    reasons = list(_reasons(error))
    if any(_was_preparing(reason.__traceback__) for reason in reasons):
        return True
    for reason in reasons:
        if isinstance(reason, _AFTER):
            return False
        if isinstance(reason, _BEFORE):
            return True
    return False


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what lies behind it, the nearest first."""
    found = [error]
    for reason in found:
        yield reason
        further = [*reason.args, getattr(reason, "reason", None), reason.__cause__]
        found += [one for one in further if isinstance(one, BaseException) and one not in found]
        if len(found) > _DEPTH:
            return


def _was_preparing(trace: TracebackType | None) -> bool:
    while trace is not None:
        if trace.tb_frame.f_code.co_name in _PREPARING:
            return True
        trace = trace.tb_next
    return False
