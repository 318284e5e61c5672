"""The machine's clock; nothing else in this folder reads the time."""

from __future__ import annotations

import time


class SystemClock:
    """Implements ``plugins.Clock`` with the machine's own time."""

    __slots__ = ()

    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)
