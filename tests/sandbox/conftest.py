"""The fixtures of the sandbox's tests."""

from __future__ import annotations

import pytest

from .asking import Api


@pytest.fixture
def api() -> Api:
    """A strict workspace with a few attributes and a clock that only the test moves."""
    return Api()
