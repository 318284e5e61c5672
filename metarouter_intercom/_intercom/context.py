"""What all flows share: their types, and the world that a flow reads and changes; pure, knows no single operation."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

from ..plugins import Request, Response
from .payloads import version_number
from .responses import FlowResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from ..operations import Operation
    from ..settings import Settings
    from .workspace_cache import WorkspaceCache

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Request, Response, _T]
"""A part of a flow: yields requests, receives responses, returns a value."""
Flow: TypeAlias = Generator[Request, Response, FlowResult]
"""A whole flow: yields requests, receives responses, returns how it ended."""

MAX_HOPS = 3
"""How many merges of a contact a flow follows: Intercom's links lead to the final contact within three (OpenAPI 2.16)."""


class Part(NamedTuple):
    """
    One operation of one message that a write serves.

    Attributes:
        seq: Of the message; 0 or less when it has no place in the order of all messages.
        operation: As the message was translated.
        message_id: Of the message; None when there is none.
    """

    seq: int
    operation: Operation
    message_id: str | None = None


class World(NamedTuple):
    """
    What a flow sees besides its operation.

    Attributes:
        cache: What is known of the workspace; the flow adds what it learns.
        settings: The client's.
        now: Unix seconds.
        parts: The operations of the messages that this one serves, those among them that were merged into it.
        lock_of: Name -> the lock to hold while a flow writes something that several contacts share, such as a company.
    """

    cache: WorkspaceCache
    settings: Settings
    now: float
    parts: Sequence[Part] = ()
    lock_of: Callable[[str], AbstractContextManager[object]] = nullcontext

    @property
    def version(self) -> tuple[int, ...]:
        """The version of the API that the client asks for, as numbers."""
        return version_number(self.settings.api_version)


def path_segment(text: str) -> str:
    """Return *text* quoted, so that it is one segment of a path whatever characters it has."""
    quoted = quote(text, safe="")
    # A server reads "." and ".." as folders, and `quote` leaves dots as they are.
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted
