"""The measurement of a drain measures something: a small one with real processes."""

from __future__ import annotations

import pytest

from .drain.runs import Load, describe, run

_SMALL = Load(
    messages=300,
    contacts=60,
    delay=0.01,
    limit=60,
    window=1,
    seconds=3.0,
    counted_from=0.0,
    alone=0.2,
)


@pytest.mark.parametrize("is_spooled", [True, False])
def test_a_small_drain_uses_the_limit_and_no_thread_too_many(is_spooled):
    """W1: a backlog is delivered at the speed of the rate limit, and requests of some milliseconds need few threads."""
    drain = run(_SMALL, is_spooled=is_spooled)

    assert drain.delivered >= 60
    assert 0.3 <= drain.share <= 1.5
    assert 1 <= drain.threads <= 8
    assert not any("urllib3" in line for line in drain.logs)
    assert f"{drain.share:.1%} of the limit" in describe(drain)
