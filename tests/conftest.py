"""What all tests share: a busy machine fails no property, and the runner's summary is the last line."""

from __future__ import annotations

import logging

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_unconfigure() -> None:
    """Be silent from now on: clients that tests left open end at the interpreter's exit, and log what they could not deliver."""
    logging.getLogger("metarouter_intercom").setLevel(logging.CRITICAL + 1)
