"""What users ask about the last messages (rule X2): what became of this person, this message? The buffer keeps the entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import _codec
from ..messages._contact_keys import contact_keys, emails_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .._types import JsonObject
    from ..plugins import HistoryEntry, HistoryStore, Outcome

_PAGE = 100


class History:
    """
    How the last messages ended; iterating begins with the newest. Safe to use from any thread.

    With the spool the entries are in its file: they survive a restart, and the processes of one spool share them. In memory they are
    those of this process. When there are too many, delivered messages leave first, then skipped ones, and dead letters last.
    """

    def __init__(self, store: HistoryStore, names: frozenset[str]) -> None:
        self._store = store
        self._names = names

    def __iter__(self) -> Iterator[HistoryEntry]:
        return (entry for _, entry in self._numbered())

    def find(
        self,
        *,
        user_id: str | None = None,
        email: str | None = None,
        message_id: str | None = None,
        event: str | None = None,
        reason: str | None = None,
        outcome: Outcome | None = None,
        limit: int = 100,
    ) -> list[HistoryEntry]:
        """
        Return at most *limit* entries that fit everything that is given, newest first.

        Args:
            user_id: The caller's id of the person.
            email: An address by which the message names its person, in any letter case.
            message_id: The message's own id.
            event: The name of the event of a track message.
            reason: Why a message was skipped or given up.
            outcome: ``delivered``, ``skipped`` or ``dead``.
            limit: How many at most.
        """
        wanted = {"messageId": message_id, "event": event}
        keys = {
            key
            for key, value in (
                (f"user:{user_id}", user_id),
                (f"email:{(email or '').strip().lower()}", email),
            )
            if value is not None
        }
        found: list[HistoryEntry] = []
        for entry in self:
            if len(found) >= limit:
                break
            if (
                reason in (None, entry.reason)
                and outcome in (None, entry.outcome)
                and all(value in (None, entry.message.get(name)) for name, value in wanted.items())
                and keys <= self._keys_of(entry.message)
            ):
                found.append(entry)
        return found

    def forget(self, keys: Collection[str]) -> None:
        """
        Remove every entry of a person who was deleted.

        Args:
            keys: Of the person. An entry that has one of them may name further ones: an address beside a user id; entries that have
                only those go as well.
        """
        rows = [(number, self._keys_of(entry.message)) for number, entry in self._numbered()]
        known, going = set(keys), set[int]()
        while news := [row for row in rows if row[0] not in going and not known.isdisjoint(row[1])]:
            for number, others in news:
                going.add(number)
                known |= others
        if going:
            self._store.forget(sorted(going))

    def _numbered(self) -> Iterator[tuple[int, HistoryEntry]]:
        before: int | None = None
        while rows := self._store.page(before, _PAGE):
            yield from rows
            before = rows[-1][0]

    def _keys_of(self, message: JsonObject) -> set[str]:
        """Return every key by which *message* names its person."""
        keys = {f"user:{message[name]}" for name in ("userId", "previousId") if name in message}
        try:
            keys.update(contact_keys(message, self._names))
            keys.update(f"email:{email.lower()}" for email in emails_in(_codec.read_stamped(message)))
        except Exception:
            # Another version may have written the entry: its ids still name the person.
            return keys
        return keys
