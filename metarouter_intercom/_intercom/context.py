"""What the flows share: their type, the world they see, and small readings of answers; pure."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote, unquote

from .._types import ContactId
from ..plugins import Request, Response
from .payloads import version_number
from .responses import FlowResult, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from .._types import JsonObject, JsonValue
    from ..operations import Operation
    from ..settings import Settings
    from .workspace_cache import WorkspaceCache

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Request, Response, _T]
"""A part of a flow: yields requests, receives responses, returns a value."""
Flow: TypeAlias = Generator[Request, Response, FlowResult]

# A merged contact's Link is followed this often (contract, section 5: it resolves within three hops).
HOPS = 3
_ID_IN_TEXT = re.compile(r"\bid=([0-9A-Za-z_-]+)")
_CANONICAL = re.compile(r"<(?:https?://[^>/]+)?/contacts/([^>/?]+)>[^<]*;\s*rel=\"?canonical\b")


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


def text_of(response: Response) -> str:
    """Return Intercom's error text; empty when there is none."""
    return error_of(response)["message"] or ""


def id_in_text(response: Response) -> str | None:
    """Return the id that a 409 carries in its text only (contract, fact 7)."""
    found = _ID_IN_TEXT.search(text_of(response))
    return None if found is None else found.group(1)


def canonical_id(response: Response) -> ContactId | None:
    """Return the contact that a merged one became, from a 410's ``Link``."""
    found = _CANONICAL.search(response.headers.get("link", ""))
    return None if found is None else ContactId(unquote(found.group(1)))


def object_of(response: Response) -> JsonObject:
    """Return the object that an answer holds; an empty one when it holds none."""
    return response.body if isinstance(response.body, dict) else {}


def id_of(found: JsonObject) -> str | None:
    """Return the id of an answer's object; None when it has none."""
    value = found.get("id")
    return (
        str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
    )


def is_success(response: Response) -> bool:
    """Tell whether the request took effect."""
    return 200 <= response.status < 300


def objects_in(value: JsonValue) -> list[JsonObject]:
    """Return the objects of a list; an empty list for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def waits() -> FlowResult:
    """Return the outcome of what needs a contact that is not there (rule M2)."""
    return FlowResult("wait", "contact_missing", 404)
