"""Sends one request and returns its answer (rule T3); knows HTTP, nothing of Intercom's rules; the only user of requests."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...errors import ConfigurationError, ConnectFailed, ReadFailed
from ...plugins import Response
from ..forks import rest_at_forks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from ..._types import JsonObject, JsonValue
    from ...plugins import Request
    from ...settings import Settings

# More than any answer of Intercom's; a broken peer must not fill the memory.
_LARGEST_ANSWER = 10 * 2**20
_HTTP_PACKAGES = frozenset({"certifi", "chardet", "charset_normalizer", "idna", "requests", "urllib3"})
_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class HttpTransport:
    """
    Implements ``plugins.Transport`` over HTTP/1.1 with keep-alive.

    Thread-safe. Proxies and the CA bundle come from the usual environment variables, read at the first request. Nothing is opened
    before that, and a forked child opens its own connections. No redirect is followed: a 3xx is an answer like any other.

    A kept connection that the server has closed meanwhile is noticed before a request is sent on it, and replaced. When it closes in
    that very moment, the request may have arrived: ``ReadFailed``.

    Args:
        settings: Address, key, version and timeouts.
        session: The caller's own ``requests.Session``: its adapters, headers, hooks, proxies and certificates are used as they are; the
            headers that Intercom needs win. Never closed, but that a forked child lets go of the connections it inherited. Its adapters
            should not retry by themselves: retries belong to the client (rule T3).

    Raises:
        ConfigurationError: The address is no http(s) address.
    """

    def __init__(self, settings: Settings, *, session: requests.Session | None = None) -> None:
        _check_address(settings.address)
        self._settings = settings
        self._session = session
        # By process: a lock that another thread held during a fork would stay shut in the child for ever.
        self._locks: dict[int, threading.Lock] = {}
        self._pid = 0
        self._exchange: Callable[[Request, bytes | None], requests.Response] | None = None
        self._close: Callable[[], None] | None = None
        rest_at_forks(self)

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
            from .failures import failure_of

            failure = failure_of(error)
            if failure is error:
                raise
            raise failure from error

    def close(self) -> None:
        """Release the connections of this process."""
        with self._lock():
            close, self._close, self._exchange = self._close, None, None
        if close is not None and self._pid == os.getpid():
            close()

    def _lock(self) -> threading.Lock:
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def _open(self) -> Callable[[Request, bytes | None], requests.Response]:
        with self._lock():
            exchange = self._exchange
            if exchange is None or self._pid != os.getpid():
                _load()
                exchange = self._lean() if self._session is None else self._own_session(self._session)
                # Only with the new pid a child may use it, so the pid comes last.
                self._exchange = exchange
                self._pid = os.getpid()
            return exchange

    def before_fork(self) -> None:
        """Wait for an opening in hand."""
        self._lock().acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock().release()

    def after_fork_in_child(self) -> None:
        """There is nothing to let go of: a child's lock and connections are its own."""

    def _own_session(self, session: requests.Session) -> Callable[[Request, bytes | None], requests.Response]:
        if self._pid:
            # In a forked child: the parent goes on with these sockets, the child must not use them.
            session.close()
        settings = self._settings
        address, own = settings.address, _headers(settings)
        timeouts = (settings.connect_timeout, settings.read_timeout)

        def exchange(request: Request, body: bytes | None) -> requests.Response:
            return session.request(
                request.method,
                address + request.path,
                data=body,
                headers={**own, **request.headers},
                auth=_as_it_is,
                timeout=timeouts,
                allow_redirects=False,
                stream=True,
            )

        return exchange

    def _lean(self) -> Callable[[Request, bytes | None], requests.Response]:
        from .adapter import LeanSession

        settings = self._settings
        lean = LeanSession(
            settings.address,
            pool=settings.workers + 2,
            timeouts=(settings.connect_timeout, settings.read_timeout),
            headers=_headers(settings),
            ca_bundle=_ca_bundle(settings.address),
        )
        self._close = lean.close
        return lean.exchange


def _load() -> None:
    """
    Import all that requests need, at once: a module whose import a fork cut off can never be imported in the child.

    What an interrupt cuts off is taken away again: packages that were half there would stay broken to the end of the process.
    """
    before = frozenset(sys.modules)
    try:
        from . import failures as _failures  # noqa: F401

        "localhost".encode("idna")
    except BaseException:
        for name in sys.modules.keys() - before:
            if name.partition(".")[0] in _HTTP_PACKAGES:
                del sys.modules[name]
        raise


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(
            "base_url: no http(s) address; use one like https://host or https://host/path"
        )


def _ca_bundle(address: str) -> str | None:
    """Return the file or folder of certificates that the environment names; None means the bundled ones."""
    for name in _CA_BUNDLES:
        path = os.environ.get(name)
        if path and address.startswith("https:"):
            if not os.path.exists(path):
                raise ConnectFailed(f"{name}: names no file; correct or remove it")
            return path
    return None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stand in as authentication: without any, requests puts a login of ~/.netrc in place of the access token."""
    return request


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
    headers = answer.headers
    length = headers.get("content-length", "")
    # The fast path for an answer whose length is known: neither packed nor in chunks.
    is_plain = "content-encoding" not in headers and "transfer-encoding" not in headers
    # Python reads neither "²", which is a digit, nor thousands of digits as a number.
    is_short = length.isdecimal() and len(length) < 9 and int(length) <= _LARGEST_ANSWER
    if is_plain and is_short and not answer._content_consumed:  # type: ignore[attr-defined]  # stubs leave it out
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
