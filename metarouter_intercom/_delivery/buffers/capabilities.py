"""What a buffer can do beyond a queue: keep values, dead letters, a history and the seconds of events; knows the protocols and no built-in buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from ...plugins import DeadLetterStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from ..._intercom.event_seconds import SecondsStore
    from ..._types import JsonObject
    from ...plugins import Acceptance, Buffer, DeadLetter, HistoryEntry, HistoryStore, Store
    from ..report import SpoolState

    # Takes a message, its keys, whether it upserts, and when it was accepted.
    AcceptOwn: TypeAlias = Callable[[JsonObject, Sequence[str], bool, float], Acceptance]


class _EarlierBuffer(Protocol):
    """A buffer that was written when ``store`` was called ``shelf``."""

    def shelf(self) -> Store | None: ...


class Identified(NamedTuple):
    """
    What a spool says when it knows the workspace of its client.

    Attributes:
        workspace: The id; None when Intercom did not say one.
        before: The id of the workspace that used the spool last; None when there was none, or it was the same.
    """

    workspace: str | None
    before: str | None


class WorkspaceRegistry(Protocol):
    """What a durable buffer keeps of its workspaces; ``SpoolWorkspaces`` implements it."""

    @property
    def number(self) -> int | None: ...
    def refuse(self) -> None: ...
    def identify(self, workspace: str | None, *, adopt: bool) -> Identified: ...
    def owns(self, claim: int) -> bool: ...
    def waiting(self) -> dict[str | None, int]: ...
    def owner_of_letter(self, letter: int) -> tuple[bool, str | None]: ...
    def id(self) -> str | None: ...


def accept_own_of(buffer: Buffer) -> AcceptOwn | None:
    """
    Return what accepts a plain message that nobody else has, faster than ``accept``; None when the buffer has nothing of the kind.

    A buffer that only inherits it, and has an ``accept`` of its own, must see every message there.
    """
    places = [getattr(buffer, "__dict__", {}), *map(vars, type(buffer).__mro__)]
    place = next((place for place in places if "accept" in place), {})
    return getattr(buffer, "accept_own", None) if "accept_own" in place else None


def store_of(buffer: Buffer) -> Store | None:
    """Return where *buffer* keeps the values of the workspace cache, or None; asks a buffer of version 0.1 by the earlier name."""
    if hasattr(buffer, "store"):
        return buffer.store()
    return cast("_EarlierBuffer", buffer).shelf()


def dead_letter_store_of(buffer: Buffer) -> DeadLetterStore:
    """Return *buffer* if it keeps dead letters, else a store that keeps none."""
    return buffer if isinstance(buffer, DeadLetterStore) else NoDeadLetters()


def seconds_store_of(buffer: Buffer) -> SecondsStore | None:
    """Return where *buffer* keeps the seconds of events (rule E10); None for memory and for a buffer that users wrote."""
    event_seconds: Callable[[], SecondsStore] | None = getattr(buffer, "event_seconds", None)
    return None if event_seconds is None else event_seconds()


def workspaces_of(buffer: Buffer) -> Callable[[], WorkspaceRegistry] | None:
    """Return how to ask *buffer* for what it knows of its workspaces (rule Q7); None for memory and for a buffer that users wrote."""
    find: Callable[[], WorkspaceRegistry] | None = getattr(buffer, "workspaces", None)
    return find


def spool_state_of(buffer: Buffer) -> SpoolState | None:
    """Return what is known about the files of *buffer*; None for a buffer without."""
    state: Callable[[], SpoolState] | None = getattr(buffer, "state", None)
    return None if state is None else state()


def steady_offset_of(buffer: Buffer, *, monotonic: float, wall: float) -> float:
    """Return what to add to the monotonic clock to get the time in which *buffer* and all processes that share it reckon (rule W7)."""
    agree: Callable[..., float] | None = getattr(buffer, "steady_offset", None)
    return wall - monotonic if agree is None else agree(monotonic=monotonic, wall=wall)


def history_store_of(buffer: Buffer) -> HistoryStore:
    """Return where *buffer* keeps the last ends of messages (rule X2), or an empty store."""
    history: Callable[[], HistoryStore] | None = getattr(buffer, "history", None)
    return NoHistory() if history is None else history()


class NoHistory:
    """Implements ``plugins.HistoryStore`` for a buffer that keeps none: it is always empty."""

    def page(self, before: int | None, limit: int) -> list[tuple[int, HistoryEntry]]:
        """Return an empty list."""
        return []

    def forget(self, numbers: Sequence[int]) -> None:
        """Keep nothing."""


class NoDeadLetters:
    """
    Implements ``plugins.DeadLetterStore`` for a buffer that keeps no dead letters: it is always empty.

    A dead letter is lost here, but not unseen: the delivery has counted and logged it and passed it to the hooks.
    """

    def bury(self, message: JsonObject, *, reason: str, now: float) -> None:
        """Keep nothing."""

    def dead_letters(
        self, *, reason: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Return an empty list."""
        return []

    def count_dead(self) -> dict[str, int]:
        """Return no counts."""
        return {}

    def take_dead(self, *, ids: Sequence[int] | None = None, reason: str | None = None) -> list[DeadLetter]:
        """Return an empty list."""
        return []
