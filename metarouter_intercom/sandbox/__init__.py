"""A local Intercom: the workspace as a pure model, an HTTP server around it, faults on demand."""

from .faults import Fault, Faults
from .server import Sandbox
from .transport import WorkspaceTransport
from .workspace import Workspace

__all__ = ["Fault", "Faults", "Sandbox", "Workspace", "WorkspaceTransport"]
