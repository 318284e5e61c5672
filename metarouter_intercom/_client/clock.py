"""The world's clock; the only place of the core that reads it."""

from __future__ import annotations

import time


class SystemClock:
    """Implements ``plugins.Clock`` with the machine's own time."""

    __slots__ = ()

    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)
