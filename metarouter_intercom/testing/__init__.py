"""
Helpers for the tests of your application: a recording client, a local Intercom, a scripted transport and a fake clock.

Each name is imported when it is first used, because pytest loads the plugin in this folder whenever it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._clock import FakeClock
    from ._in_process import IntercomTestMixin, Session, connect, intercom, undelivered
    from ._recording import RecordingClient
    from ._scripted import ScriptedTransport, UnexpectedRequest

__all__ = [
    "FakeClock",
    "IntercomTestMixin",
    "RecordingClient",
    "ScriptedTransport",
    "Session",
    "UnexpectedRequest",
    "connect",
    "intercom",
    "undelivered",
]

_MODULES = {
    "FakeClock": "_clock",
    "RecordingClient": "_recording",
    "ScriptedTransport": "_scripted",
    "UnexpectedRequest": "_scripted",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES.get(name, '_in_process')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
