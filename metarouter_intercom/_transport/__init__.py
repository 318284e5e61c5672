"""Sends one request and returns its answer (rule T3); knows HTTP, nothing of Intercom's rules; the only user of requests."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConfigurationError, ConnectFailed, ReadFailed
from ..plugins import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from .._types import JsonObject, JsonValue
    from ..plugins import Request
    from ..settings import Settings

# More than any answer of Intercom's; a broken peer must not fill the memory.
_LARGEST_ANSWER = 10 * 2**20
_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class HttpTransport:
    """
    Implements ``plugins.Transport`` over HTTP/1.1 with keep-alive.

    Thread-safe. Proxies and the CA bundle come from the usual environment variables, read at the first request. Nothing is opened
    before that, and a forked child opens its own connections.

    Args:
        settings: Address, key, version and timeouts.
        session: The caller's own ``requests.Session``: used as it is and never closed. Its adapters should not retry by themselves:
            retries belong to the client (rule T3).

    Raises:
        ConfigurationError: The address is no http(s) address.
    """

    def __init__(self, settings: Settings, *, session: requests.Session | None = None) -> None:
        address = urlsplit(settings.address)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigurationError(
                f"base_url: {settings.address!r} is no http(s) address; use one like https://host"
            )
        self._settings = settings
        self._session = session
        self._lock = threading.Lock()
        self._pid = 0
        self._exchange: Callable[[Request, bytes | None], requests.Response] | None = None
        self._close: Callable[[], None] | None = None
        self._headers = _headers(settings)

    def send(self, request: Request) -> Response:
        """Send *request* once; see ``plugins.Transport``."""
        exchange = self._exchange
        if exchange is None or self._pid != os.getpid():
            exchange = self._open()
        body = None if request.body is None else _encoded(request.body)
        try:
            answer = exchange(request, body)
            return Response(answer.status_code, _decoded(_content(answer)), _lower(answer.headers))
        except Exception as error:
            raise _mapped(error) from error

    def close(self) -> None:
        """Release the connections of this process."""
        with self._lock:
            close, self._close, self._exchange = self._close, None, None
        if close is not None and self._pid == os.getpid():
            close()

    def _open(self) -> Callable[[Request, bytes | None], requests.Response]:
        with self._lock:
            if self._exchange is None or self._pid != os.getpid():
                # A forked child must not touch the parent's sockets, so the old ones are left behind, not closed.
                self._exchange = self._own_session() if self._session is not None else self._lean()
                self._pid = os.getpid()
            return self._exchange

    def _own_session(self) -> Callable[[Request, bytes | None], requests.Response]:
        session, settings = self._session, self._settings
        timeouts = (settings.connect_timeout, settings.read_timeout)

        def exchange(request: Request, body: bytes | None) -> requests.Response:
            return session.request(  # type: ignore[union-attr]  # only called with a session
                request.method,
                settings.address + request.path,
                data=body,
                headers={**self._headers, **request.headers},
                timeout=timeouts,
                allow_redirects=False,
                stream=True,
            )

        return exchange

    def _lean(self) -> Callable[[Request, bytes | None], requests.Response]:
        from ._lean import LeanSession

        settings = self._settings
        lean = LeanSession(
            settings.address,
            pool=settings.workers + 2,
            timeouts=(settings.connect_timeout, settings.read_timeout),
            headers=self._headers,
            ca_bundle=next((path for name in _CA_BUNDLES if (path := os.environ.get(name))), None),
        )
        self._close = lean.close
        return lean.exchange


def _headers(settings: Settings) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("metarouter-intercom")
    except PackageNotFoundError:
        own = "0"
    return {
        "Authorization": f"Bearer {settings.api_key.reveal()}",
        "Intercom-Version": settings.api_version,
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": f"metarouter-intercom/{own} python/{sys.version_info[0]}.{sys.version_info[1]}",
    }


def _encoded(body: JsonObject) -> bytes:
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _decoded(content: bytes) -> JsonValue:
    """Return the JSON value of an answer's body; its text when it is no JSON; None when it is empty."""
    if not content:
        return None
    try:
        value: JsonValue = json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
    return value


def _content(answer: requests.Response) -> bytes:
    """Read the body to its end, which also gives the connection back to its pool."""
    length = answer.headers.get("content-length", "")
    if length.isdigit() and int(length) <= _LARGEST_ANSWER and not answer._content_consumed:  # type: ignore[attr-defined]  # stubs leave it out
        content: bytes = answer.raw.read(decode_content=True)
        return content
    chunks = bytearray()
    for chunk in answer.iter_content(65_536):
        chunks += chunk
        if len(chunks) > _LARGEST_ANSWER:
            answer.close()
            raise ReadFailed("the answer is larger than any of Intercom's; it was not read to its end")
    return bytes(chunks)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _mapped(error: Exception) -> Exception:
    """Return the error of ours for one of requests' or urllib3's: never sent, or may have been applied."""
    import requests
    import urllib3

    if isinstance(error, ConnectFailed | ReadFailed):
        return error
    kind = type(error).__name__
    if isinstance(
        error, requests.exceptions.SSLError | requests.exceptions.ProxyError | requests.ConnectTimeout
    ):
        return ConnectFailed(f"no connection to Intercom ({kind})")
    if isinstance(error, requests.ConnectionError) and _was_never_sent(error):
        return ConnectFailed(f"no connection to Intercom ({kind})")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return ConnectFailed(f"the address cannot be asked ({kind})")
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError | OSError):
        return ReadFailed(f"no whole answer from Intercom ({kind})")
    return error


def _was_never_sent(error: BaseException) -> bool:
    """Look through the reasons of *error* for one that says that no connection came about."""
    import urllib3

    never = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.NameResolutionError,
        urllib3.exceptions.ProxyError,
        urllib3.exceptions.SSLError,
        urllib3.exceptions.PoolError,
    )
    seen: list[Any] = [error]
    for reason in seen:
        if isinstance(reason, never) and not isinstance(reason, urllib3.exceptions.MaxRetryError):
            return True
        further = [*reason.args, getattr(reason, "reason", None), reason.__cause__, reason.__context__]
        seen += [item for item in further if isinstance(item, BaseException) and item not in seen][:20]
        if len(seen) > 50:
            return False
    return False
