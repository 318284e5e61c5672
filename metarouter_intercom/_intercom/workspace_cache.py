"""
What is known of the workspace: ids, what was last written, attributes (rules O3, O4, M3, M4); asks no clock and sends no request.

Losing it costs requests, never correctness. ``write_records`` knows what a record of a write looks like.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from .._types import CompanyId, ContactId
from ..messages._memo import Memo
from . import write_records
from .kept_values import CAPACITY, KeptValues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from .._types import JsonValue
    from ..plugins import Store

# A refused attribute or event name is tried again after an hour: somebody may have made room (rule M4).
_REFUSED_FOR = 3600.0
# Tags and subscription types may be renamed in Intercom.
_NAMES_KEPT_FOR = 3600.0
# A list of attributes is read again before more are created after so many seconds: other processes and people create and archive too.
_LISTED_FOR = 300.0
_FEW_LISTS = 500
# The kinds of values below, `contact_facts` and `folded` among them, are stored in spool files: renaming one loses what is stored.
_LISTED_AT = "listed_at"
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

    Attributes:
        changes: Another number after each change of the attributes that the workspace is known to have.
    """

    def __init__(
        self, store: Store | None, *, lock: AbstractContextManager[object], capacity: int = CAPACITY
    ) -> None:
        self._store = store
        self._values = KeptValues(store, lock=lock, capacity=capacity)
        self.changes = 0
        self._parsed_names: Memo[str, frozenset[str]] = Memo(
            lambda text: frozenset(json.loads(text)), _FEW_LISTS
        )

    # --- ids (rule O4) --------------------------------------------------------------------------------

    def contact_id(self, key: str) -> ContactId | None:
        """Return Intercom's id of the contact known by *key* (``user:..``, ``email:..``, ``anonymous:..``)."""
        contact_id = self._values.get("contact", key)
        return None if contact_id is None else ContactId(contact_id)

    def remember_contact(self, key: str, contact_id: ContactId) -> None:
        """Remember Intercom's id of a contact."""
        self._values.put("contact", key, contact_id)
        if key.startswith("user:"):
            self._values.keep("user", contact_id, key)

    def follow_merge(self, key: str, contact_id: ContactId) -> None:
        """Remember the contact that the one under *key* was merged into: a user, since Intercom merges nothing into a lead."""
        self.remember_contact(key, contact_id)
        self.mark("folded", key, contact_id)

    def user_key(self, contact_id: str) -> str | None:
        """Return the key (``user:..``) that led to *contact_id*, if this process has written or found that contact."""
        return self._values.recall("user", contact_id)

    def forget_contact(self, key: str, contact_id: ContactId) -> None:
        """Forget an id that proved wrong, and everything that was written to it."""
        self._values.forget("contact", key)
        self.forget_written("contact", contact_id)

    def mark(self, mark: Mark, key: str, contact_id: ContactId) -> None:
        """Set *mark* on *contact_id*, the contact that *key* leads to now; another contact under that key is not marked."""
        self._values.put(mark, key, contact_id)

    def is_marked(self, mark: Mark, key: str, contact_id: str) -> bool:
        """Tell whether *contact_id*, the contact that *key* leads to, has *mark*."""
        return self._values.get(mark, key) == contact_id

    def company_id(self, callers_id: str) -> CompanyId | None:
        """Return Intercom's id of the company that the caller knows as *callers_id*."""
        company_id = self._values.get("company", callers_id)
        return None if company_id is None else CompanyId(company_id)

    def remember_company(self, callers_id: str, company_id: CompanyId) -> None:
        """Remember Intercom's id of a company."""
        self._values.put("company", callers_id, company_id)

    def forget_company(self, callers_id: str) -> None:
        """Forget a company that is gone, and everything that was written to it."""
        self._values.forget("company", callers_id)
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
        self._values.change(f"{kind}_facts", key, lambda text: write_records.begin(text, now))
        return Token(kind, key)

    def finish_write(self, token: Token, values: Mapping[str, JsonValue], now: float) -> None:
        """
        Remember *values* as written.

        When two writes to the same key overlap, nobody knows which one Intercom applied last, and nothing is remembered.
        """
        self._values.change(
            f"{token.kind}_facts", token.key, lambda text: write_records.finish(text, values, now)
        )

    def fail_write(self, token: Token) -> None:
        """Record that a write ended without a clear response: nothing is known of its key any more."""
        self._values.change(
            f"{token.kind}_facts", token.key, lambda text: write_records.finish(text, None, 0.0)
        )

    def remember_written(self, kind: str, key: str, values: Mapping[str, JsonValue], *, now: float) -> None:
        """Remember *values* of a write that is over."""
        self.finish_write(self.begin_write(kind, key, now), values, now)

    def forget_written(self, kind: str, key: str) -> None:
        """Forget what was written to *key*."""
        self._values.forget(f"{kind}_facts", key)

    def _written(self, kind: str, key: str) -> str | None:
        # Another process may have written since, so the store is always asked, and never memory, where there is a store.
        if self._store is not None:
            return self._store.get(f"{kind}_facts", key)
        return self._values.recall(f"{kind}_facts", key)

    # --- which message wrote last, where the messages of many contacts write to one company ----------------

    def superseded(self, callers_id: str, order: Mapping[str, int]) -> frozenset[str]:
        """
        Return the names that a message accepted later has written already.

        Args:
            callers_id: The caller's id of the company.
            order: Name -> seq of the message that would write it now.
        """
        text = self._values.get("company_order", callers_id)
        known: dict[str, int] = {} if text is None else json.loads(text)
        return frozenset(name for name, seq in order.items() if known.get(name, seq) > seq)

    def remember_order(self, callers_id: str, order: Mapping[str, int]) -> None:
        """Remember for each name of a company which message (its seq) wrote it last."""

        def change(text: str | None) -> str:
            known: dict[str, int] = {} if text is None else json.loads(text)
            return json.dumps(known | {name: max(seq, known.get(name, seq)) for name, seq in order.items()})

        self._values.change("company_order", callers_id, change)
        if self._store is not None:
            self._values.remove_from_memory("company_order", callers_id)

    # --- attributes and event names (rules M3, M4, A6) ---------------------------------------------------

    def attributes(self, model: str) -> frozenset[str] | None:
        """Return the custom attributes that the workspace is known to have; None when they were never looked up."""
        text = self._values.get("attributes", model)
        return None if text is None else self._parsed_names[text]

    def list_attributes(self, names_of: Mapping[str, Iterable[str]], now: float) -> None:
        """Remember the custom attributes of each model, and no others, as Intercom listed them at *now*."""
        for model, names in names_of.items():
            listed = json.dumps(sorted({*names}))
            self._values.change("attributes", model, lambda _, listed=listed: listed)  # type: ignore[misc]  # bound now, not at the call
        self._values.change("attributes", _LISTED_AT, lambda _: repr(now))
        self._forget_copies()
        self.changes += 1

    def learn_attribute(self, model: str, name: str) -> None:
        """Remember that the workspace has the attribute *name* too; nothing where the others are not known."""

        def change(text: str | None) -> str | None:
            return None if text is None else json.dumps(sorted({*json.loads(text), name}))

        self._values.change("attributes", model, change)
        self._forget_copies()
        self.changes += 1

    def is_list_fresh(self, now: float) -> bool:
        """Tell whether the attributes were listed in the last minutes."""
        self._forget_copies()  # another process may have listed them since
        listed_at = self._values.get("attributes", _LISTED_AT)
        return listed_at is not None and 0 <= now - float(listed_at) < _LISTED_FOR

    def attribute_count(self) -> int | None:
        """Return how many custom attributes the workspace has, of contacts and companies; None when they were never listed."""
        contacts, companies = self.attributes("contact"), self.attributes("company")
        return None if contacts is None or companies is None else len(contacts) + len(companies)

    def _forget_copies(self) -> None:
        if self._store is not None:
            for key in ("contact", "company", _LISTED_AT):
                self._values.remove_from_memory("attributes", key)

    def created_by(self, message_id: str) -> int:
        """Return how many attributes were created for a message, in all its attempts."""
        return int(self._values.get("created", message_id) or 0)

    def count_created(self, message_id: str) -> None:
        """Count one more attribute that was created for a message."""
        self._values.put("created", message_id, str(self.created_by(message_id) + 1))

    def effective(
        self,
        model: str,
        values: Mapping[str, JsonValue],
        now: float,
        *,
        can_create: Callable[[str], bool] = lambda name: True,
    ) -> dict[str, JsonValue]:
        """
        Return *values* without the custom attributes whose write would change nothing.

        Those are the ones that Intercom refuses, and of those that do not exist the ones that clear it or cannot be created.
        """
        known = self.attributes(model)
        kept: dict[str, JsonValue] = {}
        for name, value in values.items():
            attribute = write_records.attribute_name(name)
            if attribute is not None and self.is_refused(model, attribute, now):
                continue
            is_missing = attribute is not None and known is not None and attribute not in known
            if is_missing and (value is None or not can_create(attribute)):  # type: ignore[arg-type]  # is_missing proves that it is one
                continue
            kept[name] = value
        return kept

    def refuse(self, model: str, name: str, now: float) -> None:
        """Remember for an hour that Intercom refuses *name* (an attribute, or an event's name under ``event``)."""
        self._values.put("refused", f"{model}:{name}", repr(now + _REFUSED_FOR))

    def is_refused(self, model: str, name: str, now: float) -> bool:
        """Tell whether Intercom refused *name* within the last hour."""
        until = self._values.get("refused", f"{model}:{name}")
        return until is not None and now < float(until)

    # --- tags and subscription types (rules I13, I14) ------------------------------------------------------

    def tag_id(self, name: str, now: float) -> str | None:
        """Return Intercom's id of the tag *name*, learnt within the last hour: afterwards somebody may have renamed the tag."""
        text = self._values.get("tag", name.casefold())
        known: tuple[str, float] = ("", 0.0) if text is None else json.loads(text)
        return known[0] if 0 <= now - known[1] < _NAMES_KEPT_FOR and known[0] else None

    def remember_tag(self, name: str, tag_id: str, now: float) -> None:
        """Remember Intercom's id of a tag."""
        self._values.put("tag", name.casefold(), json.dumps((tag_id, now)))

    def forget_tag(self, name: str) -> None:
        """Forget a tag that is gone."""
        self._values.forget("tag", name.casefold())

    def subscription_types(self, now: float, *, within: float = _NAMES_KEPT_FOR) -> JsonValue:
        """Return Intercom's list of subscription types, if it was read at most *within* seconds ago."""
        text = self._values.get("subscription_types", "")
        if text is None:
            return None
        types, read_at = json.loads(text)
        return types if 0 <= now - read_at < within else None

    def remember_subscription_types(self, types: JsonValue, now: float) -> None:
        """Remember Intercom's list of subscription types."""
        self._values.put("subscription_types", "", json.dumps((types, now)))

    # --- contacts that Intercom cannot unarchive (rule M1) ------------------------------------------------

    def count_failure(self, contact_id: str) -> int:
        """Count one more failure to unarchive the contact, and return their number."""
        number = int(self._values.get("failures", contact_id) or 0) + 1
        self._values.put("failures", contact_id, str(number))
        return number

    def forget_failures(self, contact_id: str) -> None:
        """Start the count again at zero."""
        self._values.forget("failures", contact_id)
