"""Track, page and screen messages: one event each (rules E); pure."""

from __future__ import annotations

import math
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from .._types import Note
from ..messages import Page, Track
from ..messages._coercion import address
from ..messages._facts import PLAIN, PROOFS, Known, is_absent, is_proof, look_up, object_at
from ._attribute_names import CLEAN, FOLDED, LONGEST_TEXT
from ._money import currency_code, minor_units
from ._values import SubmitEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._types import JsonObject, JsonValue
    from ..settings import Settings
    from ._flatten import Flattener
    from ._values import Who

    Json = Mapping[str, JsonValue]
    EventMessage = Track | Page


class _Plan(NamedTuple):
    """What the names of some properties mean: where the money stands, and name -> key of the metadata."""

    revenue: str | None
    currency: str | None
    names: tuple[tuple[str, str], ...]


_ORDER_COMPLETED = frozenset({"ordercompleted", "completedorder"})
_MONEY = ("revenue", "currency")
_PAGE_FACTS = ("url", "path", "title", "referrer")
_SPECIAL = Known(("revenue", "total", "currency", "price", "email", "user_hash", "intercom_user_jwt"))
_SPECIAL_PLAIN = frozenset(_SPECIAL.exact)
# Sets of names are few and repeat; beyond so many they are worked out each time.
_KEPT_PLANS = 5_000
_UNPLANNED = _Plan("", "", ())
_GAPS = re.compile(r"\s+")
_SLOTS = re.compile(r"\{(name|category)\}")


def email_of_event(message: Track | Page) -> str | None:
    """Return the e-mail address that names the contact of an event without a ``userId`` (E2)."""
    for facts in (message.properties, object_at(message.context, "traits"), message.traits):
        if facts and (found := address(look_up(facts, "email"))) is not None:
            return found
    return None


class Events:
    """Turns messages about what somebody did into events; built once for each settings."""

    def __init__(self, settings: Settings, flattener: Flattener) -> None:
        self._allow = settings.events_allow
        self._deny = settings.events_deny
        self._filters = bool(self._allow or self._deny)
        self._default_currency = currency_code(settings.default_currency) or "USD"
        self._rich = frozenset(settings.rich_link_properties)
        self._first = settings.metadata_first
        self._limit = settings.metadata_limit
        self._templates = {"page": settings.page_events, "screen": settings.screen_events}
        self._flattener = flattener
        self._plans: dict[tuple[str, ...], _Plan | None] = {}

    def name_of(self, message: EventMessage) -> tuple[str | None, str | None]:
        """Return the event's name, or None and the reason why the message is skipped (E1, E9)."""
        if isinstance(message, Track):
            name: str = message.event.strip()
        else:
            template = self._templates[message.type]
            if template == "off":
                return None, f"{message.type}_off"
            name = _filled(template, message)
            if not name:
                return None, f"{message.type}_unnamed"
        if self._filters and self._is_filtered(name):
            return None, "event_filtered"
        return name, None

    def translate(self, message: EventMessage, name: str, who: Who, notes: list[Note]) -> SubmitEvent:
        """Return the event of *message* under *name*."""
        properties = message.properties
        of_page: Json = {} if isinstance(message, Track) else _page_facts(message)
        if of_page:
            properties = {**properties, **of_page}
        metadata = self._usual(properties) if properties else {}
        if metadata is None:
            metadata = {}
            told: list[Note] = []
            self._write_metadata(properties, name, metadata, told, email=who.email)
            notes += [_in_context(note, of_page) for note in told] if of_page else told
        return SubmitEvent(
            who=who,
            event_name=name,
            created_at=math.floor(message.timestamp or 0.0),
            metadata=metadata,
        )

    def _is_filtered(self, name: str) -> bool:
        if self._allow and not _is_named(name, self._allow):
            return True
        return bool(self._deny) and _is_named(name, self._deny)

    def _usual(self, properties: Json) -> JsonObject | None:
        """
        Return the metadata of properties that need no note: few, flat, short, no dates; None for any others.

        It is what ``_write_metadata`` writes for the same, at half of the cost. Applications send the same properties again and
        again, so what their names mean is worked out once.
        """
        shape = tuple(properties)
        plan = self._plans.get(shape, _UNPLANNED)
        if plan is _UNPLANNED:
            plan = self._planned(shape)
            if len(self._plans) < _KEPT_PLANS:
                self._plans[shape] = plan
        if plan is None:
            return None
        out: JsonObject = {}
        if plan.revenue is not None:
            value = properties[plan.revenue]
            given = None if plan.currency is None else properties[plan.currency]
            code = self._default_currency if given is None else currency_code(given)
            amount = None if code is None or is_absent(value) else minor_units(value, code)
            if amount is None:
                return None
            out["price"] = {"amount": amount, "currency": code}
        for key, name in plan.names:
            value = properties[key]
            kind = type(value)
            if kind is str:
                if len(value) > LONGEST_TEXT or value[4:5] == "-":  # type: ignore[arg-type, index]  # kind says that it is a text
                    return None
            elif kind is bool:
                value = "true" if value else "false"
            elif kind is float:
                if not math.isfinite(value):  # type: ignore[arg-type]  # as above
                    return None
            elif kind is not int:
                return None
            out[name] = value
        return out

    def _planned(self, shape: tuple[str, ...]) -> _Plan | None:
        """Work out what the names in *shape* mean; None where that depends on more than the names."""
        by_plain = {PLAIN[key]: key for key in shape}
        special = {plain for plain in by_plain if plain in _SPECIAL_PLAIN}
        if self._first or len(by_plain) < len(shape) or special - {"revenue", "currency"}:
            return None
        revenue = by_plain.get("revenue")
        currency = None if revenue is None else by_plain.get("currency")
        names = tuple((key, CLEAN[key]) for key in shape if key not in (revenue, currency))
        folded = {FOLDED[name] for _, name in names} | ({"price"} if revenue is not None else set())
        count = len(names) + (revenue is not None)
        if not all(name for _, name in names) or len(folded) < count or count > self._limit:
            return None
        return _Plan(revenue, currency, names)

    def _write_metadata(
        self, properties: Json, name: str, out: JsonObject, notes: list[Note], *, email: str | None = None
    ) -> None:
        """Write *properties* into *out*, in the order in which Intercom shall keep them (E8); *email* names the contact."""
        items = list(properties.items())
        if any(_SPECIAL[key] for key in properties):
            items = self._without_special(items, name, out, notes, email)
        if self._first or "price" in properties:
            items.sort(key=lambda item: self._rank(item[0]))
        limit = self._limit
        if len(items) + len(out) <= limit and not any(type(value) in (dict, list) for _, value in items):
            self._flattener.write(items, out, notes, "properties")
            return
        self._write_bounded(items, out, notes)

    def _write_bounded(self, items: list[tuple[str, JsonValue]], out: JsonObject, notes: list[Note]) -> None:
        """Write *items*, rich values as objects, and leave out what lies beyond the limit."""
        for key, value in items:
            before = len(out)
            if isinstance(value, dict) and (key in self._rich or _is_rich(value)):
                self._put_rich(key, value, out, notes)
            else:
                self._flattener.write([(key, value)], out, notes, "properties")
            for name in list(out)[max(before, self._limit) :]:
                del out[name]
                notes.append(Note("E8", f"properties.{key}", "beyond the limit of metadata keys"))

    def _put_rich(self, key: str, value: Json, out: JsonObject, notes: list[Note]) -> None:
        name = CLEAN[key]
        if not name:
            notes.append(Note("A2", f"properties.{key}", "nothing usable is left of the name"))
        elif any(name.casefold() == other.casefold() for other in out):
            notes.append(Note("A2", f"properties.{key}", "another value has this name"))
        else:
            out[name] = {inner: member for inner, member in value.items() if not is_proof(inner)}

    def _rank(self, key: str) -> int:
        if key == "price":
            return -1
        return self._first.index(key) if key in self._first else len(self._first)

    def _without_special(
        self,
        items: list[tuple[str, JsonValue]],
        name: str,
        out: JsonObject,
        notes: list[Note],
        email: str | None,
    ) -> list[tuple[str, JsonValue]]:
        """Return *items* without money, which is written as ``price``, e-mail address and proofs (E2, E4)."""
        has_price = self._write_price(items, name, out, notes)
        kept: list[tuple[str, JsonValue]] = []
        for key, value in items:
            plain = PLAIN[key]
            if plain == "email" and (given := address(value)) is not None:
                if given != email:
                    notes.append(Note("E2", f"properties.{key}", "e-mail addresses are kept out of metadata"))
            elif plain in PROOFS:
                notes.append(Note("R7", f"properties.{key}", "a proof of identity"))
            elif not has_price:
                kept.append((key, value))
            elif plain not in _MONEY:
                kept.append(("item_price" if plain == "price" else key, value))
        return kept

    def _write_price(
        self, items: list[tuple[str, JsonValue]], name: str, out: JsonObject, notes: list[Note]
    ) -> bool:
        """Write the price, if there is one, and tell whether there was."""
        found = _SPECIAL.sort(dict(items), [], "")[0]
        given = found.get("currency")
        code = None if given is None else currency_code(given[1])
        for plain in ("revenue", "total"):
            if plain not in found or (plain == "total" and PLAIN[name] not in _ORDER_COMPLETED):
                continue
            key, value = found[plain]
            if is_absent(value):
                continue
            amount = minor_units(value, code or self._default_currency)
            if amount is None:
                notes.append(Note("E4", f"properties.{key}", "not an amount of money"))
                continue
            out["price"] = {"amount": amount, "currency": code or self._default_currency}
            if given is not None and code is None and not is_absent(given[1]):
                notes.append(Note("E4", f"properties.{given[0]}", "not a currency of three letters"))
            notes += [
                Note("E4", f"properties.{other}", "second spelling of a property")
                for other, _ in items
                if PLAIN[other] in _MONEY and other != found[PLAIN[other]][0]
            ]
            return True
        return False


def _is_rich(value: Mapping[str, JsonValue]) -> bool:
    """Tell whether *value* is a rich link or a price as Intercom shows them (E5)."""
    if value.keys() == {"url", "value"}:
        return isinstance(value["url"], str) and isinstance(value["value"], str)
    if value.keys() == {"amount", "currency"}:
        amount = value["amount"]
        return isinstance(amount, int) and not isinstance(amount, bool) and isinstance(value["currency"], str)
    return False


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether *name* is one of *patterns* to the letter, or fits one as a glob (E1)."""
    return name in patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _filled(template: str, message: Page) -> str:
    def fact(slot: re.Match[str]) -> str:
        value = getattr(message, slot[1]) or message.properties.get(slot[1])
        return value if isinstance(value, str) else ""

    return _GAPS.sub(" ", _SLOTS.sub(fact, template)).strip()


def _page_facts(message: Page) -> Json:
    """Return what ``context.page`` adds to the properties of *message* (E9)."""
    page = object_at(message.context, "page")
    return {key: page[key] for key in _PAGE_FACTS if key in page and key not in message.properties}


def _in_context(note: Note, of_page: Json) -> Note:
    """Return *note* with the path in the message where it is about a fact of ``context.page``."""
    _, key, *inner = note.path.split(".")
    return note._replace(path=".".join(("context.page", key, *inner))) if key in of_page else note
