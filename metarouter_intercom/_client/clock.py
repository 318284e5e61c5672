"""The machine's clock; nothing else in this folder reads the time."""

from __future__ import annotations

import time


class SystemClock:
    """Implements ``plugins.Clock`` with the machine's own time."""

    __slots__ = ()

    now = staticmethod(time.time)

    @staticmethod
    def sleep(seconds: float) -> None:
        """Let *seconds* pass."""
        # Looked up at each call, because gevent and eventlet may replace it after this module was imported.
        time.sleep(seconds)
