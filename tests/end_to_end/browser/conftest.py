"""One browser for all tests of the pages; each test has a sandbox of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metarouter_intercom.sandbox import Sandbox

try:
    from . import chromium as browsing
except ImportError:  # selenium is in the extra [test]; whoever runs without it skips these tests
    browsing = None


@pytest.fixture(scope="session")
def _running(tmp_path_factory):
    """Run a browser, or say why not."""
    if browsing is None:
        pytest.skip("selenium is not installed")
    lacking = browsing.missing()
    if lacking is not None:
        pytest.skip(lacking)
    with browsing.browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def driver(_running):
    """The browser in its usual state, with an empty page and an empty console."""
    browsing.resize(_running, 1180)
    browsing.prefer(_running, "light", reduced_motion=True)
    _running.get("about:blank")
    _running.get_log("browser")
    return _running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox."""
    with Sandbox() as running:
        yield running
