"""The fixtures of the sandbox's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import urllib3

from metarouter_intercom.sandbox import Sandbox

from .api_calls import Api


@pytest.fixture
def api() -> Api:
    """A workspace with a few attributes and a clock that only the test moves."""
    return Api()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    """A connection pool that retries nothing."""
    with urllib3.PoolManager(retries=False, timeout=5.0) as manager:
        yield manager
