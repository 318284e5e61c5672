"""A local Intercom for development and tests: a workspace in memory, an HTTP server around it, and faults on demand."""

from ._request import Exchange, Violation
from ._settings import Admin, Segment, SubscriptionType, WorkspaceSettings
from .faults import Fault, Faults
from .server import Sandbox
from .transport import WorkspaceTransport
from .workspace import Workspace

__all__ = [
    "Admin",
    "Exchange",
    "Fault",
    "Faults",
    "Sandbox",
    "Segment",
    "SubscriptionType",
    "Violation",
    "Workspace",
    "WorkspaceSettings",
    "WorkspaceTransport",
]
