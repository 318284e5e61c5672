"""
What is known of the workspace: ids, what was last written, attributes (rules O3, O4, M3, M4); asks no clock and sends no request.

Losing it costs requests, never correctness. ``write_records`` knows what a record of a write looks like.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from .._types import CompanyId, ContactId
from . import write_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from .._types import JsonValue
    from ..plugins import Store

# A refused attribute or event name is tried again after an hour: somebody may have made room (rule M4).
_REFUSED_FOR = 3600.0
_CAPACITY = 50_000
# The kinds of values below, `contact_facts` and `folded` among them, are stored in spool files: renaming one loses what is stored.
Mark = Literal["foreign", "folded", "lead"]
"""
What is remembered of the contact that a key leads to.

``foreign``: another user, whose external id must stay; ``folded``: the lead of this anonymous id was merged into it; ``lead``: a
lead, so there may be a user of the same address beside it.
"""


class Token(NamedTuple):
    """One write under way."""

    kind: str
    key: str


class RecordedWrite:
    """
    What a write did: set *values* when Intercom applied it.

    Attributes:
        values: Name -> value; None as long as nobody knows what the write changed.
    """

    def __init__(self) -> None:
        self.values: Mapping[str, JsonValue] | None = None


class WorkspaceCache:
    """
    Remembers the workspace: bounded in memory, and in a store that outlives the process where there is one.

    Safe to use from several threads: every change is made in one step under *lock*, or by the store.

    Args:
        store: Shared by the processes of one spool; None keeps everything in memory.
        lock: Guards memory.
        capacity: Values of each kind in memory; the least recently used leave first.
    """

    def __init__(
        self, store: Store | None, *, lock: AbstractContextManager[object], capacity: int = _CAPACITY
    ) -> None:
        self._store = store
        self._lock = lock
        self._capacity = capacity
        self._memory: dict[str, OrderedDict[str, str]] = {}

    # --- ids (rule O4) --------------------------------------------------------------------------------

    def contact_id(self, key: str) -> ContactId | None:
        """Return Intercom's id of the contact known by *key* (``user:..``, ``email:..``, ``anonymous:..``)."""
        contact_id = self._get("contact", key)
        return None if contact_id is None else ContactId(contact_id)

    def remember_contact(self, key: str, contact_id: ContactId) -> None:
        """Remember Intercom's id of a contact."""
        self._put("contact", key, contact_id)
        if key.startswith("user:"):
            self._keep("user", contact_id, key)

    def user_key(self, contact_id: str) -> str | None:
        """Return the key (``user:..``) that led to *contact_id*, if this process has written or found that contact."""
        return self._recall("user", contact_id)

    def forget_contact(self, key: str, contact_id: ContactId) -> None:
        """Forget an id that proved wrong, and everything that was written to it."""
        self._forget("contact", key)
        self.forget_written("contact", contact_id)

    def mark(self, mark: Mark, key: str, contact_id: ContactId) -> None:
        """Set *mark* on *contact_id*, the contact that *key* leads to now; another contact under that key is not marked."""
        self._put(mark, key, contact_id)

    def is_marked(self, mark: Mark, key: str, contact_id: str) -> bool:
        """Tell whether *contact_id*, the contact that *key* leads to, has *mark*."""
        return self._get(mark, key) == contact_id

    def company_id(self, callers_id: str) -> CompanyId | None:
        """Return Intercom's id of the company that the caller knows as *callers_id*."""
        company_id = self._get("company", callers_id)
        return None if company_id is None else CompanyId(company_id)

    def remember_company(self, callers_id: str, company_id: CompanyId) -> None:
        """Remember Intercom's id of a company."""
        self._put("company", callers_id, company_id)

    def forget_company(self, callers_id: str) -> None:
        """Forget a company that is gone, and everything that was written to it."""
        self._forget("company", callers_id)
        self.forget_written("company", callers_id)

    # --- what was last written (rule O3) ----------------------------------------------------------------

    def was_written(
        self, kind: str, key: str, values: Mapping[str, JsonValue], *, now: float, within: float
    ) -> bool:
        """
        Tell whether every one of *values* is what was last written, at most *within* seconds ago.

        Args:
            kind: ``contact`` (its key is Intercom's id) or ``company`` (its key is the caller's id).
            key: Which contact or company.
            values: Name -> value, as ``write_records`` names them; any JSON values.
            now: Unix seconds.
            within: Seconds; 0 returns False.
        """
        if within <= 0:
            return False
        text = self._written(kind, key)
        return text is not None and write_records.has_values(text, values, now=now, within=within)

    def written_number(self, kind: str, key: str, name: str) -> int | None:
        """Return the whole number that was last written under *name*, however long ago; None when it is not known."""
        text = self._written(kind, key)
        return None if text is None else write_records.number_in(text, name)

    @contextmanager
    def recorded_write(self, kind: str, key: str, now: float) -> Iterator[RecordedWrite]:
        """
        Record the write that the ``with`` block makes.

        A block that sets no ``values``, because it raised or because Intercom refused the write, leaves nothing known of *key*.
        """
        token = self.begin_write(kind, key, now)
        write = RecordedWrite()
        try:
            yield write
        finally:
            if write.values is None:
                self.fail_write(token)
            else:
                self.finish_write(token, write.values, now)

    def begin_write(self, kind: str, key: str, now: float) -> Token:
        """Record that a write to *key* is under way: until it is finished nothing is known of *key*."""
        self._change(f"{kind}_facts", key, lambda text: write_records.begin(text, now))
        return Token(kind, key)

    def finish_write(self, token: Token, values: Mapping[str, JsonValue], now: float) -> None:
        """
        Remember *values* as written.

        When two writes to the same key overlap, nobody knows which one Intercom applied last, and nothing is remembered.
        """
        self._change(f"{token.kind}_facts", token.key, lambda text: write_records.finish(text, values, now))

    def fail_write(self, token: Token) -> None:
        """Record that a write ended without a clear response: nothing is known of its key any more."""
        self._change(f"{token.kind}_facts", token.key, lambda text: write_records.finish(text, None, 0.0))

    def remember_written(self, kind: str, key: str, values: Mapping[str, JsonValue], *, now: float) -> None:
        """Remember *values* of a write that is over."""
        self.finish_write(self.begin_write(kind, key, now), values, now)

    def forget_written(self, kind: str, key: str) -> None:
        """Forget what was written to *key*."""
        self._forget(f"{kind}_facts", key)

    def _written(self, kind: str, key: str) -> str | None:
        # Another process may have written since, so the store is always asked, and never memory, where there is a store.
        if self._store is not None:
            return self._store.get(f"{kind}_facts", key)
        return self._recall(f"{kind}_facts", key)

    # --- which message wrote last, where the messages of many contacts write to one company ----------------

    def superseded(self, callers_id: str, order: Mapping[str, int]) -> frozenset[str]:
        """
        Return the names that a message accepted later has written already.

        Args:
            callers_id: The caller's id of the company.
            order: Name -> seq of the message that would write it now.
        """
        text = self._get("company_order", callers_id)
        known: dict[str, int] = {} if text is None else json.loads(text)
        return frozenset(name for name, seq in order.items() if known.get(name, seq) > seq)

    def remember_order(self, callers_id: str, order: Mapping[str, int]) -> None:
        """Remember for each name of a company which message (its seq) wrote it last."""

        def change(text: str | None) -> str:
            known: dict[str, int] = {} if text is None else json.loads(text)
            return json.dumps(known | {name: max(seq, known.get(name, seq)) for name, seq in order.items()})

        self._change("company_order", callers_id, change)
        if self._store is not None:
            self._remove_from_memory("company_order", callers_id)

    # --- attributes and event names (rules M3, M4, A6) ---------------------------------------------------

    def attributes(self, model: str) -> frozenset[str] | None:
        """Return the custom attributes that the workspace is known to have; None when they were never looked up."""
        text = self._get("attributes", model)
        return None if text is None else frozenset(json.loads(text))

    def learn_attributes(self, model: str, names: Iterable[str]) -> None:
        """Remember that the workspace has the attributes *names* too."""

        def change(text: str | None) -> str:
            known = [] if text is None else json.loads(text)
            return json.dumps(sorted({*known, *names}))

        self._change("attributes", model, change)
        if self._store is not None:
            self._remove_from_memory("attributes", model)

    def effective(self, model: str, values: Mapping[str, JsonValue], now: float) -> dict[str, JsonValue]:
        """Return *values* without the custom attributes whose write would change nothing."""
        return {
            name: value
            for name, value in values.items()
            if (attribute := write_records.attribute_name(name)) is None
            or self._can_change(model, attribute, value, now)
        }

    def _can_change(self, model: str, attribute: str, value: JsonValue, now: float) -> bool:
        """Tell whether a write can change *attribute*: not while Intercom refuses it, nor by clearing one that does not exist."""
        if self.is_refused(model, attribute, now):
            return False
        known = self.attributes(model) if value is None else None
        return known is None or attribute in known

    def refuse(self, model: str, name: str, now: float) -> None:
        """Remember for an hour that Intercom refuses *name* (an attribute, or an event's name under ``event``)."""
        self._put("refused", f"{model}:{name}", repr(now + _REFUSED_FOR))

    def is_refused(self, model: str, name: str, now: float) -> bool:
        """Tell whether Intercom refused *name* within the last hour."""
        until = self._get("refused", f"{model}:{name}")
        return until is not None and now < float(until)

    # --- contacts that Intercom cannot unarchive (rule M1) ------------------------------------------------

    def count_failure(self, contact_id: str) -> int:
        """Count one more failure to unarchive the contact, and return their number."""
        number = int(self._get("failures", contact_id) or 0) + 1
        self._put("failures", contact_id, str(number))
        return number

    def forget_failures(self, contact_id: str) -> None:
        """Start the count again at zero."""
        self._forget("failures", contact_id)

    # --- memory and store --------------------------------------------------------------------------------

    def _get(self, kind: str, key: str) -> str | None:
        value = self._recall(kind, key)
        if value is None and self._store is not None:
            value = self._store.get(kind, key)
            if value is not None:
                self._keep(kind, key, value)
        return value

    def _put(self, kind: str, key: str, value: str) -> None:
        if self._recall(kind, key) == value:
            return
        self._keep(kind, key, value)
        if self._store is not None:
            self._store.put(kind, key, value)

    def _forget(self, kind: str, key: str) -> None:
        self._remove_from_memory(kind, key)
        if self._store is not None:
            self._store.forget(kind, key)

    def _change(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        """Replace a value by what *change* makes of it, as one step; None removes it."""
        if self._store is not None:
            self._store.update(kind, key, change)
            return
        with self._lock:
            values = self._memory.setdefault(kind, OrderedDict())
            value = change(values.pop(key, None))
            if value is not None:
                self._insert(values, key, value)

    def _recall(self, kind: str, key: str) -> str | None:
        with self._lock:
            values = self._memory.get(kind)
            value = None if values is None else values.get(key)
            if value is not None and values is not None:
                values.move_to_end(key)
            return value

    def _keep(self, kind: str, key: str, value: str) -> None:
        with self._lock:
            self._insert(self._memory.setdefault(kind, OrderedDict()), key, value)

    def _insert(self, values: OrderedDict[str, str], key: str, value: str) -> None:
        """Store *value* as the most recently used one; the caller holds the lock."""
        values[key] = value
        values.move_to_end(key)
        if len(values) > self._capacity:
            values.popitem(last=False)

    def _remove_from_memory(self, kind: str, key: str) -> None:
        with self._lock:
            self._memory.get(kind, OrderedDict()).pop(key, None)
