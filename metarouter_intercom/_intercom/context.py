"""What the flows share: their type, the world they see, and small readings of answers; pure."""

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

# A merged contact's Link is followed this often (contract, section 5: it resolves within three hops).
HOPS = 3


class World(NamedTuple):
    """
    What a flow sees besides its operation.

    Attributes:
        directory: What is known of the workspace; the flow adds what it learns.
        settings: Of the client.
        now: Unix seconds.
        parts: The operations behind a merged one, each with the seq of its message; empty when there is no such order.
        turn: Returns what to hold while writing what several contacts share, so that two of them do not write it at once.
    """

    cache: WorkspaceCache
    settings: Settings
    now: float
    parts: Sequence[tuple[int, Operation]] = ()
    turn: Callable[[str], AbstractContextManager[object]] = nullcontext

    @property
    def version(self) -> tuple[int, ...]:
        """The pinned version of the API, as numbers."""
        return version_number(self.settings.api_version)


def in_path(word: str) -> str:
    """Return *word* as one segment of a path, whatever is in it."""
    quoted = quote(word, safe="")
    # A segment of dots would be taken for a folder.
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def waits() -> FlowResult:
    """Return the outcome of what needs a contact that is not there (rule M2)."""
    return FlowResult("wait", "contact_missing", 404)
