"""The default way to the network: requests' adapter without what a session adds to every call; part of the transport."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...plugins import Request

# Measured: of the time of ``Session.post`` two thirds go into merging the environment, cookies and headers, preparing the URL, and
# building the answer; none of it changes between our requests.


class _IdleConnections:
    """
    Where urllib3 keeps idle connections, in place of its ``queue.LifoQueue``: without a lock.

    A lock that a worker holds at the moment of a fork stays shut in the child, which would hang when it lets go of the parent's pool
    (rule W3). Taking from and adding to the end of a list needs none.
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


class _HttpPool(urllib3.HTTPConnectionPool):
    QueueCls = _IdleConnections  # type: ignore[assignment]  # has all that urllib3 asks of a queue


class _HttpsPool(urllib3.HTTPSConnectionPool):
    QueueCls = _IdleConnections  # type: ignore[assignment]  # has all that urllib3 asks of a queue


class LeanAdapter(HTTPAdapter):
    """
    An adapter that keeps ``send`` as it is (so that the ``responses`` library can stand in) and makes its steps cheap.

    The address never changes, so its pool is found once; the body is read at once and returned with the status and headers.
    """

    def __init__(self, address: str, *, pool: int, verify: bool | str, proxies: Mapping[str, str]) -> None:
        self._address = address
        self._verify = verify
        self._proxies = dict(proxies)
        self._pool_of_address: Any = None
        super().__init__(pool_connections=1, pool_maxsize=pool, max_retries=0, pool_block=False)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if type(manager) is urllib3.ProxyManager:  # one for SOCKS has pools of its own
            manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        if self._pool_of_address is None:
            found = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            super().cert_verify(found, request.url, verify, cert)  # type: ignore[no-untyped-call]  # the stubs leave it untyped
            self._pool_of_address = found
        return self._pool_of_address

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Done once, with the pool."""

    def request_url(self, request: Any, proxies: Any) -> str:
        if self._proxies:
            return super().request_url(request, proxies)
        return request.path_url  # type: ignore[no-any-return]  # requests is typed loosely here

    def add_headers(self, request: Any, **kwargs: Any) -> None:
        """There is nothing to add."""

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code = resp.status
        answer.headers = CaseInsensitiveDict()
        answer.headers._store = {name.lower(): (name, value) for name, value in resp.headers.items()}  # type: ignore[attr-defined]  # filled at once
        answer.raw = resp
        answer.request = req
        answer.url = req.url
        return answer


class _Prepared:
    """What ``HTTPAdapter.send`` reads of a prepared request, and where the ``responses`` library writes ``params``, ``req_kwargs``."""

    __slots__ = ("_address", "body", "headers", "method", "params", "path_url", "req_kwargs")

    def __init__(
        self, method: str, address: str, path_url: str, headers: dict[str, str], body: bytes | None
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
        address: With scheme and host, perhaps with a path; no slash at the end.
        pool: Connections that are kept.
        timeouts: Connect and read, in seconds.
        headers: Of every request.
        ca_bundle: A file or folder of certificates; None means the bundled ones.
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
        parts = urlsplit(address)
        self._prefix = urllib3.util.parse_url(address).path or ""
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._headers = dict(headers)
        self._verify: bool | str = ca_bundle or True
        self._proxies = requests.utils.get_environ_proxies(address)
        self._timeouts = urllib3.Timeout(connect=timeouts[0], read=timeouts[1])
        self._adapter = LeanAdapter(address, pool=pool, verify=self._verify, proxies=self._proxies)
        self._cookie: str | None = None
        self._cookie_until = 0.0

    def exchange(self, request: Request, body: bytes | None) -> requests.Response:
        """Send *request* once and return the answer with its body read."""
        headers = {**self._headers, **request.headers} if request.headers else dict(self._headers)
        if body is not None:
            headers["Content-Length"] = str(len(body))
        elif request.method in ("POST", "PUT"):
            headers["Content-Length"] = "0"
        if self._cookie is not None:
            self._add_cookie(headers)
        prepared = _Prepared(request.method, self._origin, self._prefix + request.path, headers, body)
        answer = self._adapter.send(
            prepared,  # type: ignore[arg-type]  # has all that send reads
            timeout=self._timeouts,  # type: ignore[arg-type]  # urllib3's own value is taken as it is
            verify=self._verify,
            proxies=self._proxies,
        )
        if "set-cookie" in answer.headers:
            for header in _cookies(answer):
                self._keep_cookie(header)
        return answer

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
        """Send ``recent_write`` back while it lasts: with it Intercom reads its own writes (contract, section 2)."""
        pair, _, rest = header.partition(";")
        if not pair.strip().startswith("recent_write="):
            return
        seconds = 1.0
        for part in rest.split(";"):
            name, _, value = part.strip().partition("=")
            if name.lower() == "max-age" and value.isdigit():
                seconds = float(value)
        self._cookie_until = time.monotonic() + seconds
        self._cookie = pair.strip()


def _cookies(answer: requests.Response) -> Iterator[str]:
    """Yield each ``Set-Cookie`` by itself: joined by commas they could not be told apart."""
    yield from answer.raw.headers.getlist("set-cookie")
