"""Segment-spec calls to Intercom contacts, companies and events: nothing accepted is lost, in order, every dropped value told."""

from ._client import Client
from ._report import Account, Health, Report, Stats
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
from .settings import Region, Settings

__all__ = [
    "Account",
    "BufferFull",
    "Client",
    "ClientClosed",
    "ConfigurationError",
    "ConnectFailed",
    "DeliveryFailed",
    "Health",
    "MetarouterError",
    "ReadFailed",
    "Region",
    "RejectedMessage",
    "Report",
    "Settings",
    "SpoolFailed",
    "Stats",
    "TransportError",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("metarouter-intercom")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
