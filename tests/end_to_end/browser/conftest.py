"""One browser for all tests of the pages; each test has a sandbox of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metarouter_intercom.sandbox import Sandbox

try:
    from . import chromium
except ImportError:  # selenium is in the extra [test]; without it these tests are skipped
    chromium = None


@pytest.fixture(scope="session")
def _running(tmp_path_factory):
    """Run a browser, or skip the test with the reason."""
    if chromium is None:
        pytest.skip("selenium is not installed")
    reason = chromium.missing()
    if reason is not None:
        pytest.skip(reason)
    with chromium.browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def driver(_running):
    """The browser at its default size, with light colours, an empty page and an empty console."""
    chromium.resize(_running, 1180)
    chromium.prefer(_running, "light", reduced_motion=True)
    _running.get("about:blank")
    _running.get_log("browser")
    return _running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox."""
    with Sandbox() as running:
        yield running
