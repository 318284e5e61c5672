"""Lets tools that replace methods of ``requests.Session`` see the requests: requests-mock, OpenTelemetry and others; knows no request."""

from __future__ import annotations

from types import FunctionType

import requests
from requests.adapters import HTTPAdapter

_OWN_FILE = requests.Session.__init__.__code__.co_filename


def is_instrumented() -> bool:
    """Return whether a tool has replaced what every ``requests.Session`` calls; it looks at each request, so it costs next to nothing."""
    return not (_is_own(requests.Session.send) and _is_own(requests.Session.get_adapter))


def _is_own(method: object) -> bool:
    # The file of the code, because a wrapper copies the name and the module of what it wraps.
    return type(method) is FunctionType and method.__code__.co_filename == _OWN_FILE


def plain_session(*, pool: int) -> requests.Session:
    """Return a session for the tools to see, which keeps at most *pool* connections and never retries."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=pool))
    return session
