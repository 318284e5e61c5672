"""The default HTTP session: requests' adapter without what a ``requests.Session`` adds to every call; knows nothing of Intercom's rules."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from .replaced import replaced_context
from .time_limits import BoundedHttp, BoundedHttps, time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...plugins import Request

# Measured: ``Session.post`` spends two thirds of its time on merging the environment, cookies and headers, on preparing the URL, and
# on building the answer. Nothing of that changes between our requests.


# In seconds.
_SHORTEST_STEP = 0.001


class _IdleConnections:
    """
    Replaces the ``queue.LifoQueue`` in which urllib3 keeps idle connections: works without a lock.

    If a worker holds a lock when the process forks, that lock is never released in the child. The child would hang when it drops the
    parent's pool (rule W3). A list needs no lock to add to its end and to take from it.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self._maxsize = maxsize
        self._items: list[Any] = []

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return self._items.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if len(self._items) >= self._maxsize:
            raise queue.Full
        self._items.append(item)

    def qsize(self) -> int:
        return len(self._items)

    def keep(self, number: int) -> None:
        """Close the connections that were idle longest, until *number* are left."""
        for _ in range(len(self._items) - number):
            try:
                connection = self._items.pop(0)
            except IndexError:
                return  # another thread took it
            if connection is not None:  # urllib3 fills its queue with places for connections
                connection.close()


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = BoundedHttp
    QueueCls = _IdleConnections  # type: ignore[assignment]  # has all that urllib3 asks of a queue


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = BoundedHttps
    QueueCls = _IdleConnections  # type: ignore[assignment]  # has all that urllib3 asks of a queue


class LeanAdapter(HTTPAdapter):
    """
    Leaves ``HTTPAdapter.send`` as it is, so that the ``responses`` library can replace it, and makes its steps cheap.

    The address never changes, so its pool is looked up once.
    """

    def __init__(self, address: str, *, pool: int, verify: bool | str, proxies: Mapping[str, str]) -> None:
        self._address = address
        self._verify = verify
        self._proxies = dict(proxies)
        self._pool_of_address: Any = None
        super().__init__(pool_connections=1, pool_maxsize=pool, max_retries=0, pool_block=False)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def init_poolmanager(self, *args: Any, **pool_kwargs: Any) -> None:
        context = replaced_context()
        if context is not None:
            pool_kwargs["ssl_context"] = context
        super().init_poolmanager(*args, **pool_kwargs)

    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if type(manager) is urllib3.ProxyManager:  # a manager for SOCKS has its own kinds of pools
            manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        if self._pool_of_address is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]  # the stubs leave it untyped
            self._pool_of_address = pool
        return self._pool_of_address

    def keep_connections(self, number: int) -> None:
        """Close idle connections beyond *number*."""
        idle = getattr(self._pool_of_address, "pool", None)
        if isinstance(idle, _IdleConnections):
            idle.keep(number)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing: the certificate settings are set once, with the pool."""

    def request_url(self, request: Any, proxies: Any) -> str:
        if self._proxies:
            return super().request_url(request, proxies)
        return request.path_url  # type: ignore[no-any-return]  # requests is typed loosely here

    def add_headers(self, request: Any, **kwargs: Any) -> None:
        """Add nothing."""

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code = resp.status
        answer.headers = CaseInsensitiveDict()
        answer.headers._store = {name.lower(): (name, value) for name, value in resp.headers.items()}  # type: ignore[attr-defined]  # filled directly, which is faster
        answer.raw = resp
        answer.request = req
        answer.url = req.url
        return answer


class _Prepared:
    """Has what ``HTTPAdapter.send`` reads of a prepared request; the ``responses`` library writes ``params`` and ``req_kwargs``."""

    __slots__ = ("_address", "body", "headers", "method", "params", "path_url", "req_kwargs")

    def __init__(
        self, method: str, address: str, path_url: str, *, headers: dict[str, str], body: bytes | None
    ) -> None:
        self.method = method
        self._address = address
        self.path_url = path_url
        self.headers = headers
        self.body = body

    @property
    def url(self) -> str:
        return self._address + self.path_url


class LeanSession:
    """
    Sends requests to one address over one pool.

    Args:
        address: Scheme and host, perhaps with a path; no slash at the end.
        pool: How many connections are kept open.
        timeouts: Connect timeout and read timeout, in seconds.
        headers: Sent with every request.
        ca_bundle: A file or folder of certificates; None means the ones that come with requests.
    """

    def __init__(
        self,
        address: str,
        *,
        pool: int,
        timeouts: tuple[float, float],
        headers: Mapping[str, str],
        ca_bundle: str | None,
    ) -> None:
        address_parts = urlsplit(address)
        self._prefix = urllib3.util.parse_url(address).path or ""
        self._origin = f"{address_parts.scheme}://{address_parts.netloc}"
        self._headers = dict(headers)
        self._verify: bool | str = ca_bundle or True
        self._proxies = requests.utils.get_environ_proxies(address)
        self._timeouts = urllib3.Timeout(connect=timeouts[0], read=timeouts[1])
        self._adapter = LeanAdapter(address, pool=pool, verify=self._verify, proxies=self._proxies)
        self._cookie: str | None = None
        self._cookie_until = 0.0

    def exchange(self, request: Request, body: bytes | None) -> requests.Response:
        """Send *request* once and return the answer; its body is not read yet."""
        headers = {**self._headers, **request.headers} if request.headers else dict(self._headers)
        if body is not None:
            headers["Content-Length"] = str(len(body))
        elif request.method in ("POST", "PUT"):
            headers["Content-Length"] = "0"
        if self._cookie is not None:
            self._add_cookie(headers)
        path_url = self._prefix + request.path
        prepared = _Prepared(request.method, self._origin, path_url, headers=headers, body=body)
        if request.timeout is None:
            answer = self._send(prepared, self._timeouts)
        else:
            with time_limit(request.timeout):
                answer = self._send(prepared, _shortened(self._timeouts, request.timeout))
        if "set-cookie" in answer.headers:
            for header in _cookies(answer):
                self._keep_cookie(header)
        return answer

    def keep_connections(self, number: int) -> None:
        """Close idle connections beyond *number*, because fewer threads send now."""
        self._adapter.keep_connections(number)

    def _send(self, prepared: _Prepared, timeouts: urllib3.Timeout) -> requests.Response:
        return self._adapter.send(
            prepared,  # type: ignore[arg-type]  # has everything that send reads
            timeout=timeouts,  # type: ignore[arg-type]  # urllib3's own value works too
            verify=self._verify,
            proxies=self._proxies,
        )

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()

    def _add_cookie(self, headers: dict[str, str]) -> None:
        cookie = self._cookie
        if cookie is not None and time.monotonic() < self._cookie_until:
            headers["Cookie"] = cookie
        else:
            self._cookie = None

    def _keep_cookie(self, header: str) -> None:
        """Keep the cookie ``recent_write`` while it is valid: with it Intercom's reads see our writes (contract, section 2)."""
        pair, _, rest = header.partition(";")
        if not pair.strip().startswith("recent_write="):
            return
        seconds = 1.0
        for part in rest.split(";"):
            name, _, value = part.strip().partition("=")
            # ``isdigit`` alone is also true of "²", which is no number to ``float``.
            if name.lower() == "max-age" and value.isascii() and value.isdigit():
                seconds = float(value)
        self._cookie_until = time.monotonic() + seconds
        self._cookie = pair.strip()


def _shortened(timeouts: urllib3.Timeout, seconds: float) -> urllib3.Timeout:
    """Return *timeouts* with no step longer than *seconds*; urllib3 refuses 0."""
    seconds = max(seconds, _SHORTEST_STEP)
    return urllib3.Timeout(connect=timeouts.connect_timeout, read=timeouts._read, total=seconds)


def _cookies(answer: requests.Response) -> Iterator[str]:
    """Yield each ``Set-Cookie`` header separately: joined by commas they could not be split again."""
    yield from answer.raw.headers.getlist("set-cookie")
