"""What is known of the workspace (rules O3, O4, M3, M4): ids, what was last written, attributes; no clock, no I/O of its own."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from .._types import CompanyId, ContactId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from .._types import JsonValue
    from ..plugins import Store

# A write that was begun so long ago has ended somehow: its process died.
_OPEN_WRITE = 120.0
# A refused attribute or event name is tried again after an hour: somebody may have made room (rule M4).
_REFUSED_FOR = 3600.0
_CAPACITY = 50_000
Mark = Literal["foreign", "folded", "lead"]
"""``foreign``: has another external id than the key; ``folded``: a lead that is a user now; ``lead``: no user of that address."""


class _Written(TypedDict):
    """What was written to one contact or company: name -> digest and Unix second, and the writes under way."""

    facts: dict[str, tuple[str, float]]
    open: int
    opened_at: float
    mixed: bool


class Token(NamedTuple):
    """One write in hand."""

    kind: str
    key: str


class WorkspaceCache:
    """
    Remembers the workspace; bounded in memory, and kept beyond the process where there is a shelf.

    Safe to use from several threads: every change is made in one step under *lock*, or by the shelf.

    Args:
        shelf: Shared by the processes of one spool; None keeps everything in memory.
        lock: Guards memory.
        capacity: Remembered values of each kind in memory; those not used for longest leave first.
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
        found = self._get("contact", key)
        return None if found is None else ContactId(found)

    def remember_contact(self, key: str, contact_id: ContactId) -> None:
        """Remember Intercom's id of a contact."""
        self._put("contact", key, contact_id)

    def forget_contact(self, key: str, contact_id: ContactId) -> None:
        """Forget an id that proved wrong, with all that was written under it."""
        self._forget("contact", key)
        self.forget_facts("contact", contact_id)

    def mark(self, as_what: Mark, key: str, contact_id: ContactId) -> None:
        """Remember something of the contact that *key* leads to; holds for that contact only."""
        self._put(as_what, key, contact_id)

    def is_marked(self, as_what: Mark, key: str, contact_id: str) -> bool:
        """Tell whether *contact_id*, to which *key* leads, was marked so."""
        return self._get(as_what, key) == contact_id

    def company_id(self, own_id: str) -> CompanyId | None:
        """Return Intercom's id of the company that the caller knows as *own_id*."""
        found = self._get("company", own_id)
        return None if found is None else CompanyId(found)

    def remember_company(self, own_id: str, company_id: CompanyId) -> None:
        """Remember Intercom's id of a company."""
        self._put("company", own_id, company_id)

    def forget_company(self, own_id: str) -> None:
        """Forget a company that is gone, with all that was written to it."""
        self._forget("company", own_id)
        self.forget_facts("company", own_id)

    # --- what was last written (rule O3) ----------------------------------------------------------------

    def knows(
        self, kind: str, key: str, facts: Mapping[str, JsonValue], *, now: float, within: float
    ) -> bool:
        """
        Tell whether every one of *facts* is what was last written, at most *within* seconds ago.

        Args:
            kind: ``contact`` (key: Intercom's id) or ``company`` (key: the caller's id).
            key: Whose facts.
            facts: Name -> value; any JSON values.
            now: Unix seconds.
            within: 0 answers False.
        """
        if within <= 0:
            return False
        written = self._written(kind, key)
        if written is None or written["open"]:
            return False
        known = written["facts"]
        for name, value in facts.items():
            entry = known.get(name)
            if entry is None or entry[0] != _print(value) or not 0 <= now - entry[1] < within:
                return False
        return True

    def number_of(self, kind: str, key: str, name: str) -> int | None:
        """Return a number that was written under *name*, whatever its age; None when it is not known."""
        written = self._written(kind, key)
        entry = None if written is None else written["facts"].get(name)
        return int(entry[0]) if entry is not None and entry[0].lstrip("-").isdigit() else None

    def begin_write(self, kind: str, key: str, now: float) -> Token:
        """Say that a write to *key* is under way: until it is finished nothing is known of what it touches."""

        def change(old: str | None) -> str:
            written = _read(old)
            is_stale = written["open"] > 0 and now - written["opened_at"] > _OPEN_WRITE
            others = 0 if is_stale else written["open"]
            begun: _Written = {
                "facts": {} if others or is_stale else written["facts"],
                "open": others + 1,
                "opened_at": now,
                "mixed": others > 0,
            }
            return json.dumps(begun)

        self._change(f"{kind}_facts", key, change)
        return Token(kind, key)

    def finish_write(self, token: Token, facts: Mapping[str, JsonValue], now: float) -> None:
        """
        Remember *facts* as written.

        When another write to the same key was under way at the same time nobody knows which one came last, and nothing is remembered.
        """
        self._end(token, {name: (_print(value), now) for name, value in facts.items()})

    def fail_write(self, token: Token) -> None:
        """Say that a write ended without a clear answer: what it touched is unknown."""
        self._end(token, None)

    def add_facts(self, kind: str, key: str, facts: Mapping[str, JsonValue], now: float) -> None:
        """Remember *facts* of a write that nobody else can have been making."""
        self.finish_write(self.begin_write(kind, key, now), facts, now)

    def forget_facts(self, kind: str, key: str) -> None:
        """Forget what was written to *key*."""
        self._forget(f"{kind}_facts", key)

    def _end(self, token: Token, facts: dict[str, tuple[str, float]] | None) -> None:
        def change(old: str | None) -> str | None:
            written = _read(old)
            left = max(0, written["open"] - 1)
            is_mixed = written["mixed"] or facts is None
            known = {} if is_mixed or facts is None else {**written["facts"], **facts}
            if not left and not known:
                return None
            ended: _Written = {
                "facts": known,
                "open": left,
                "opened_at": written["opened_at"],
                "mixed": is_mixed and left > 0,
            }
            return json.dumps(ended)

        self._change(f"{token.kind}_facts", token.key, change)

    def _written(self, kind: str, key: str) -> _Written | None:
        # Another process may have written since, so what was written is always read from the shelf where there is one.
        text = (
            self._store.get(f"{kind}_facts", key)
            if self._store is not None
            else self._recall(f"{kind}_facts", key)
        )
        return None if text is None else _read(text)

    # --- who wrote last, where many contacts' messages write to one company ------------------------------

    def superseded(self, own_id: str, order: Mapping[str, int]) -> frozenset[str]:
        """Return the names in *order* (name -> seq of its message) that a later accepted message has written already."""
        text = self._get("company_order", own_id)
        known: dict[str, int] = {} if text is None else json.loads(text)
        return frozenset(name for name, seq in order.items() if known.get(name, seq) > seq)

    def note_order(self, own_id: str, order: Mapping[str, int]) -> None:
        """Remember which message (its seq) wrote each name of a company last."""

        def change(old: str | None) -> str:
            known: dict[str, int] = {} if old is None else json.loads(old)
            return json.dumps(known | {name: max(seq, known.get(name, seq)) for name, seq in order.items()})

        self._change("company_order", own_id, change)
        if self._store is not None:
            self._drop_from_memory("company_order", own_id)

    # --- attributes and event names (rules M3, M4, A6) ---------------------------------------------------

    def attributes(self, model: str) -> frozenset[str] | None:
        """Return the custom attributes that the workspace is known to have; None when nobody has looked yet."""
        text = self._get("attributes", model)
        return None if text is None else frozenset(json.loads(text))

    def learn_attributes(self, model: str, names: Iterable[str]) -> None:
        """Remember that the workspace has *names* too."""

        def change(old: str | None) -> str:
            known = [] if old is None else json.loads(old)
            return json.dumps(sorted({*known, *names}))

        self._change("attributes", model, change)
        self._drop_from_memory("attributes", model)

    def takes(self, model: str, name: str, value: JsonValue, now: float) -> bool:
        """Tell whether a write of an attribute can change anything: not while it is refused, nor by clearing what is not there."""
        if self.is_refused(model, name, now):
            return False
        known = self.attributes(model) if value is None else None
        return known is None or name in known

    def refuse(self, model: str, name: str, now: float) -> None:
        """Remember for an hour that Intercom refuses *name* (an attribute, or an event's name under ``event``)."""
        self._put("refused", f"{model}:{name}", repr(now + _REFUSED_FOR))

    def is_refused(self, model: str, name: str, now: float) -> bool:
        """Tell whether *name* was refused within the last hour."""
        until = self._get("refused", f"{model}:{name}")
        return until is not None and now < float(until)

    # --- what failed again and again (rule M1) ------------------------------------------------------------

    def count_failure(self, contact_id: str) -> int:
        """Count one more failure to bring the contact back, and return their number."""
        number = int(self._get("failures", contact_id) or 0) + 1
        self._put("failures", contact_id, str(number))
        return number

    def forget_failures(self, contact_id: str) -> None:
        """Start the count anew."""
        self._forget("failures", contact_id)

    # --- memory and shelf --------------------------------------------------------------------------------

    def _get(self, kind: str, key: str) -> str | None:
        found = self._recall(kind, key)
        if found is None and self._store is not None:
            found = self._store.get(kind, key)
            if found is not None:
                self._keep(kind, key, found)
        return found

    def _put(self, kind: str, key: str, value: str) -> None:
        if self._recall(kind, key) == value:
            return
        self._keep(kind, key, value)
        if self._store is not None:
            self._store.put(kind, key, value)

    def _forget(self, kind: str, key: str) -> None:
        self._drop_from_memory(kind, key)
        if self._store is not None:
            self._store.forget(kind, key)

    def _change(self, kind: str, key: str, change: Callable[[str | None], str | None]) -> None:
        if self._store is not None:
            self._store.update(kind, key, change)
            return
        with self._lock:
            values = self._memory.setdefault(kind, OrderedDict())
            new = change(values.pop(key, None))
            if new is not None:
                values[key] = new
                if len(values) > self._capacity:
                    values.popitem(last=False)

    def _recall(self, kind: str, key: str) -> str | None:
        with self._lock:
            values = self._memory.get(kind)
            found = None if values is None else values.get(key)
            if found is not None and values is not None:
                values.move_to_end(key)
            return found

    def _keep(self, kind: str, key: str, value: str) -> None:
        with self._lock:
            values = self._memory.setdefault(kind, OrderedDict())
            values[key] = value
            values.move_to_end(key)
            if len(values) > self._capacity:
                values.popitem(last=False)

    def _drop_from_memory(self, kind: str, key: str) -> None:
        if self._store is None and kind == "attributes":
            return
        with self._lock:
            self._memory.get(kind, OrderedDict()).pop(key, None)


def _read(text: str | None) -> _Written:
    if text is None:
        return {"facts": {}, "open": 0, "opened_at": 0.0, "mixed": False}
    written: _Written = json.loads(text)
    return written


def _print(value: JsonValue) -> str:
    """Return a short text that is the same for the same value only: numbers as they are, others as a digest."""
    if type(value) is int:
        return str(value)
    from hashlib import blake2b

    return "#" + blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=9).hexdigest()
