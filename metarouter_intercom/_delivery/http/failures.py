"""Sorts errors of requests and urllib3: the request was never sent, or it may have been applied; knows nothing of Intercom."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import urllib3

from ...errors import ConnectFailed, ReadFailed, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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


def transport_error_of(error: Exception, address: str = "") -> Exception:
    """
    Return the ``TransportError`` for *error*; an error that has nothing to do with the network is returned as it is.

    Args:
        error: What requests or urllib3 raised.
        address: The address that was asked; only its host and port are named.
    """
    if isinstance(error, TransportError) or not isinstance(error, _NETWORK):
        return error
    kind, fault = type(error).__name__, _fault_of(error)
    where = f" at {_host_and_port(address)}" if address else ""
    text = f"{kind}{where}: {fault}" if fault else f"{kind}{where}"
    if _was_never_sent(error):
        return ConnectFailed(f"no connection to Intercom ({text})")
    return ReadFailed(f"no complete answer from Intercom ({text})")


def _host_and_port(address: str) -> str:
    parts = urlsplit(address)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _fault_of(error: BaseException) -> str:
    """Return what was wrong, where the errors behind *error* say so: the name, the certificate, the proxy. Contains no secret."""
    causes = list(_causes(error))
    if any(
        isinstance(cause, urllib3.exceptions.ProxyError | requests.exceptions.ProxyError) for cause in causes
    ):
        return f"the proxy{_proxy_in(causes)} does not answer, or refuses the connection"
    for cause in causes:
        if isinstance(cause, socket.gaierror | urllib3.exceptions.NameResolutionError):
            return "the name cannot be resolved"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or 'no reason given'}"
        if isinstance(cause, OSError) and cause.errno and cause.strerror:
            return cause.strerror.lower()
    return ""


def _proxy_in(causes: Sequence[BaseException]) -> str:
    """Return host and port of the proxy that refused the connection, if an error behind it has kept the connection."""
    for cause in causes:
        connection = getattr(cause, "conn", None) or getattr(cause, "_conn", None)
        host, port = getattr(connection, "host", None), getattr(connection, "port", None)
        if isinstance(cause, urllib3.exceptions.NewConnectionError) and host and port:
            return f" {host}:{port}"
    return ""


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
