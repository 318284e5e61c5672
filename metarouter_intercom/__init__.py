"""Delivers Segment-spec calls to Intercom: loses nothing that it accepted, keeps the order, and notes each value that it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._client.client import Client
    from ._client.dead_letters import DeadLetters
    from ._client.history import History
    from ._delivery.report import (
        AttributeCount,
        Health,
        RateBudget,
        Report,
        SpoolState,
        Stats,
        WorkersHealth,
    )
    from ._intercom.account import Account
    from .errors import (
        BufferFull,
        ClientClosed,
        ConfigurationError,
        ConnectFailed,
        DeliveryFailed,
        MetarouterError,
        ReadFailed,
        RejectedMessage,
        SpoolFailed,
        TransportError,
    )
    from .plugins import HistoryEntry, SentRequest
    from .settings import Region, Settings

__all__ = [
    "Account",
    "AttributeCount",
    "BufferFull",
    "Client",
    "ClientClosed",
    "ConfigurationError",
    "ConnectFailed",
    "DeadLetters",
    "DeliveryFailed",
    "Health",
    "History",
    "HistoryEntry",
    "MetarouterError",
    "RateBudget",
    "ReadFailed",
    "Region",
    "RejectedMessage",
    "Report",
    "SentRequest",
    "Settings",
    "SpoolFailed",
    "SpoolState",
    "Stats",
    "TransportError",
    "WorkersHealth",
]


# Each name is imported when it is first used, because every start of pytest imports this package for its plugin.
_HOMES = {
    "Client": "_client.client",
    "DeadLetters": "_client.dead_letters",
    "History": "_client.history",
    "Account": "_intercom.account",
    **dict.fromkeys(
        ("AttributeCount", "Health", "RateBudget", "Report", "SpoolState", "Stats", "WorkersHealth"),
        "_delivery.report",
    ),
    **dict.fromkeys(("HistoryEntry", "SentRequest"), "plugins"),
    **dict.fromkeys(("Region", "Settings"), "settings"),
}
_NAMESPACES = frozenset(
    {"errors", "identity", "messages", "operations", "plugins", "sandbox", "settings", "testing"}
)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("metarouter-intercom")
    if name in _NAMESPACES:
        return import_module(f".{name}", __name__)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_NAMESPACES})
