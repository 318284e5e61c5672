"""Follows gevent and eventlet where they replaced standard modules after urllib3 was imported (rule W8); knows no request."""

from __future__ import annotations

import select
import ssl

import urllib3.util.ssl_
import urllib3.util.wait


def follow_select() -> None:
    """Have urllib3 wait with what is there: it may have chosen ``select.poll``, which eventlet removes."""
    if not hasattr(select, "poll"):
        urllib3.util.wait.wait_for_socket = urllib3.util.wait.select_wait_for_socket


def replaced_context() -> ssl.SSLContext | None:
    """
    Return a context for TLS, if urllib3 still uses a class that was replaced; None leaves it to urllib3.

    The class that urllib3 took at its import ends in an endless recursion once ``ssl`` has another one.
    """
    if urllib3.util.ssl_.SSLContext is ssl.SSLContext:
        return None
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
