"""How long to wait before the next attempt (rule T2)."""

from __future__ import annotations

import pytest

from metarouter_intercom._delivery.backoff import backoff


@pytest.mark.parametrize(
    ("failures", "jitter", "expected"),
    [(1, 1.0, 0.5), (1, 0.0, 0.0), (2, 0.5, 0.5), (3, 1.0, 2.0), (8, 1.0, 60.0), (5000, 0.5, 30.0)],
)
def test_the_back_off(failures, jitter, expected):
    """T2: exponential from 0.5 s to 60 s with full jitter."""
    assert backoff(failures, jitter, base=0.5, longest=60.0) == expected
