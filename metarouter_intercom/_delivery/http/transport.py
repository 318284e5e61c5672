"""Sends one request and returns its answer (rule T3); knows HTTP, and nothing of Intercom's rules."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...errors import ConfigurationError, ConnectFailed, ReadFailed
from ...plugins import Response
from ..forks import rest_at_forks
from ..hosts import PerProcessLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from ..._types import JsonObject, JsonValue
    from ...plugins import Request
    from ...settings import Settings

# In bytes; larger than any answer of Intercom. A broken peer must not fill the memory.
_LARGEST_ANSWER = 10 * 2**20
# Connections beside those of the workers: for callers that check, delete or flush in their own threads.
_OF_CALLERS = 2
# In seconds.
_SHORTEST_STEP = 0.001
_HTTP_PACKAGES = frozenset({"certifi", "chardet", "charset_normalizer", "idna", "requests", "urllib3"})
_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class HttpTransport:
    """
    Implements ``plugins.Transport`` over HTTP/1.1 with keep-alive.

    Thread-safe. Proxies and the CA bundle come from the usual environment variables, which are read at the first request. No
    connection is opened before that, and a forked child opens its own. No redirect is followed: a 3xx is an answer like any other.

    If the server has closed an idle connection, that is noticed before a request is sent, and the connection is replaced. If the server
    closes it at that very moment, the request may have arrived: ``ReadFailed``.

    Args:
        settings: Address, key, version and timeouts.
        session: The caller's own ``requests.Session``. Its adapters, headers, hooks, proxies and certificates are used as they are, except
            that the headers that Intercom needs win. It is never closed, except in a forked child, which must not use the connections
            of its parent. Its adapters should not retry by themselves: only the client retries (rule T3).

    Raises:
        ConfigurationError: The address is no http(s) address.
    """

    def __init__(self, settings: Settings, *, session: requests.Session | None = None) -> None:
        _check_address(settings.address)
        self._settings = settings
        self._session = session
        self._lock = PerProcessLock()
        self._pid = 0
        # The threading under which the connections were made. After it was replaced, they could stop every greenlet.
        self._threading: object = None
        self._exchange: Callable[[Request, bytes | None], requests.Response] | None = None
        self._close: Callable[[], None] | None = None
        self._keep_connections: Callable[[int], None] | None = None
        rest_at_forks(self)

    def send(self, request: Request) -> Response:
        """Send *request* once; see ``plugins.Transport``."""
        exchange = self._exchange
        if exchange is None or self._pid != os.getpid() or self._threading is not threading.Lock:
            exchange = self._open()
        body = None if request.body is None else _encoded(request.body)
        try:
            began_at = 0.0 if request.timeout is None else time.monotonic()
            answer = exchange(request, body)
            if request.timeout is not None and self._session is not None:
                _bound_body(answer, began_at + request.timeout)
            return Response(answer.status_code, _decoded(_content(answer)), _lower(answer.headers))
        except Exception as error:
            from .failures import transport_error_of

            failure = transport_error_of(error, self._settings.address)
            if failure is error:
                raise
            raise failure from error

    def close(self) -> None:
        """Release the connections of this process."""
        with self._lock.get():
            close, self._close, self._exchange = self._close, None, None
            self._keep_connections = None
        if close is not None and self._pid == os.getpid():
            close()

    def keep_connections(self, number: int) -> None:
        """Close idle connections beyond *number*, because fewer threads send now; those of the caller's own session are left alone."""
        if self._keep_connections is not None and self._pid == os.getpid():
            self._keep_connections(number)

    @property
    def most_connections(self) -> int | None:
        """How many requests at a time the caller's own session has connections for; None without one, or if that is not known."""
        if self._session is None:
            return None
        adapter = self._session.get_adapter(self._settings.address)
        most: int | None = getattr(adapter, "_pool_maxsize", None)
        return most

    def _open(self) -> Callable[[Request, bytes | None], requests.Response]:
        with self._lock.get():
            exchange = self._exchange
            if exchange is None or self._pid != os.getpid() or self._threading is not threading.Lock:
                _load()
                from .replaced import follow_select

                follow_select()
                exchange = (
                    self._default_exchange()
                    if self._session is None
                    else self._session_exchange(self._session)
                )
                # A forked child may use the exchange only once the pid is its own, so the pid is set last.
                self._exchange = exchange
                self._threading = threading.Lock
                self._pid = os.getpid()
            return exchange

    def before_fork(self) -> None:
        """Wait until no thread is opening the transport."""
        self._lock.get().acquire()

    def after_fork_in_parent(self) -> None:
        """Continue."""
        self._lock.get().release()

    def after_fork_in_child(self) -> None:
        """Do nothing: the child makes its own lock and connections."""

    def _session_exchange(
        self, session: requests.Session
    ) -> Callable[[Request, bytes | None], requests.Response]:
        if self._pid not in (0, os.getpid()):
            # In a forked child: the parent still uses these sockets, so the child must not.
            session.close()
        settings = self._settings
        address, headers = settings.address, _headers(settings)
        timeouts = (settings.connect_timeout, settings.read_timeout)

        def exchange(request: Request, body: bytes | None) -> requests.Response:
            return session.request(
                request.method,
                address + request.path,
                data=body,
                headers={**headers, **request.headers},
                auth=_no_login,
                timeout=timeouts if request.timeout is None else _shortened(timeouts, request.timeout),
                allow_redirects=False,
                stream=True,
            )

        return exchange

    def _default_exchange(self) -> Callable[[Request, bytes | None], requests.Response]:
        from .adapter import LeanSession
        from .instrumented import is_instrumented, plain_session

        settings = self._settings
        visible = plain_session(pool=settings.threads[1] + _OF_CALLERS)
        visible_exchange = self._session_exchange(visible)
        session = LeanSession(
            settings.address,
            pool=settings.threads[1] + _OF_CALLERS,
            timeouts=(settings.connect_timeout, settings.read_timeout),
            headers=_headers(settings),
            ca_bundle=_ca_bundle(settings.address),
        )
        lean_exchange = session.exchange

        def exchange(request: Request, body: bytes | None) -> requests.Response:
            return visible_exchange(request, body) if is_instrumented() else lean_exchange(request, body)

        def close() -> None:
            session.close()
            visible.close()

        self._close = close
        self._keep_connections = session.keep_connections
        return exchange


def _load() -> None:
    """
    Import everything that a request needs, while forks wait: if a fork interrupts the import of a module, the child can never import it.

    If an exception interrupts the import, all HTTP packages that it has begun to import are removed again: a half-imported package would
    stay broken until the end of the process.
    """
    before = frozenset(sys.modules)
    try:
        from . import failures as _failures  # noqa: F401
        from . import time_limits as _time_limits  # noqa: F401

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
                raise ConnectFailed(
                    f"{name}: there is no such file or folder; correct or remove the variable"
                )
            return path
    return None


def _shortened(timeouts: tuple[float, float], seconds: float) -> tuple[float, float]:
    """Return connect and read timeout, neither longer than *seconds*; urllib3 refuses 0."""
    seconds = max(seconds, _SHORTEST_STEP)
    return min(timeouts[0], seconds), min(timeouts[1], seconds)


def _bound_body(answer: requests.Response, ends_at: float) -> None:
    """Let the body of an answer over the caller's own session end at *ends_at*, on the monotonic clock."""
    from .time_limits import bound

    raw = answer.raw
    wire = getattr(raw, "_fp", None)
    connected = getattr(getattr(raw, "_connection", None), "sock", None)
    if getattr(wire, "fp", None) is not None:
        bound(wire, connected, ends_at)


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no login; without an ``auth`` at all, requests replaces the access token by a login from ~/.netrc."""
    return request


def _headers(settings: Settings) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        package_version = version("metarouter-intercom")
    except PackageNotFoundError:
        package_version = "0"
    return {
        "Authorization": f"Bearer {settings.api_key.reveal()}",
        "Intercom-Version": settings.api_version,
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": f"metarouter-intercom/{package_version} python/{sys.version_info[0]}.{sys.version_info[1]}",
    }


def _encoded(body: JsonObject) -> bytes:
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _decoded(content: bytes) -> JsonValue:
    """Return the JSON value of an answer's body; its text if it is no JSON; None if it is empty."""
    if not content:
        return None
    try:
        value: JsonValue = json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
    return value


def _content(answer: requests.Response) -> bytes:
    """Read the body to its end, which also returns the connection to its pool."""
    headers = answer.headers
    length = headers.get("content-length", "")
    # The fast path: an answer whose length is known, neither compressed nor in chunks.
    is_plain = "content-encoding" not in headers and "transfer-encoding" not in headers
    # ``int`` accepts neither "²", although that is a digit, nor thousands of digits.
    is_short = length.isdecimal() and len(length) < 9 and int(length) <= _LARGEST_ANSWER
    if is_plain and is_short and not answer._content_consumed:  # type: ignore[attr-defined]  # the stubs leave it out
        content: bytes = answer.raw.read(decode_content=True)
        return content
    chunks = bytearray()
    for chunk in answer.iter_content(65_536):
        chunks += chunk
        if len(chunks) > _LARGEST_ANSWER:
            answer.close()
            raise ReadFailed("the answer is larger than any answer of Intercom; it was not read to its end")
    return bytes(chunks)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
