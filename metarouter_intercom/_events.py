"""Track, page and screen messages: one event each (rules E); pure."""

from __future__ import annotations

import math
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from ._money import currency_code, minor_units
from ._traits import CLEAN, FOLDED, LONGEST_TEXT, PLAIN, PROOFS, Known, address, is_absent, look_up, object_at
from .messages import Page, Screen, Track
from .operations import SubmitEvent
from .plugins import Note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._attributes import Flattener
    from ._types import JsonObject, JsonValue
    from .operations import Who
    from .settings import Settings

    Json = Mapping[str, JsonValue]
    EventMessage = Track | Page


class _Plan(NamedTuple):
    """What the names of some properties mean: where the money stands, and name -> key of the metadata."""

    revenue: str | None
    currency: str | None
    names: tuple[tuple[str, str], ...]


_ORDER_COMPLETED = frozenset({"ordercompleted", "completedorder"})
_PAGE_FACTS = ("url", "path", "title", "referrer")
_SPECIAL = Known(("revenue", "total", "currency", "price", "email", "user_hash", "intercom_user_jwt"))
_SPECIAL_PLAIN = frozenset(_SPECIAL.exact)
# Sets of names are few and repeat; beyond so many they are worked out each time.
_KEPT_PLANS = 5_000
_UNPLANNED = _Plan("", "", ())
_GAPS = re.compile(r"\s+")


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
        if self._is_filtered(name):
            return None, "event_filtered"
        return name, None

    def translate(self, message: EventMessage, name: str, who: Who, notes: list[Note]) -> SubmitEvent:
        """Return the event of *message* under *name*."""
        properties = message.properties
        if not isinstance(message, Track):
            properties = _with_page_facts(message)
        metadata = self._usual(properties) if properties else {}
        if metadata is None:
            metadata = {}
            self._write_metadata(properties, name, metadata, notes)
        return SubmitEvent(
            who=who,
            event_name=name,
            created_at=math.floor(message.timestamp or 0.0),
            metadata=metadata,
        )

    def _is_filtered(self, name: str) -> bool:
        if self._allow and not any(fnmatchcase(name, pattern) for pattern in self._allow):
            return True
        return bool(self._deny) and any(fnmatchcase(name, pattern) for pattern in self._deny)

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

    def _write_metadata(self, properties: Json, name: str, out: JsonObject, notes: list[Note]) -> None:
        items = list(properties.items())
        if any(_SPECIAL[key] for key in properties):
            items = self._without_special(items, name, out, notes)
        if self._first:
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
        if any(name.casefold() == other.casefold() for other in out):
            notes.append(Note("A2", f"properties.{key}", "another value has this name"))
        else:
            out[name] = dict(value)

    def _rank(self, key: str) -> int:
        return self._first.index(key) if key in self._first else len(self._first)

    def _without_special(
        self, items: list[tuple[str, JsonValue]], name: str, out: JsonObject, notes: list[Note]
    ) -> list[tuple[str, JsonValue]]:
        """Return *items* without money, which is written as ``price``, e-mail address and proofs (E2, E4)."""
        has_price = self._write_price(items, name, out, notes)
        kept: list[tuple[str, JsonValue]] = []
        for key, value in items:
            plain = PLAIN[key]
            if plain == "email" and address(value) is not None:
                continue
            if plain in PROOFS:
                notes.append(Note("R7", f"properties.{key}", "a proof of identity"))
            elif not has_price:
                kept.append((key, value))
            elif plain not in ("currency", "revenue"):
                kept.append(("item_price" if plain == "price" else key, value))
        return kept

    def _write_price(
        self, items: list[tuple[str, JsonValue]], name: str, out: JsonObject, notes: list[Note]
    ) -> bool:
        """Write the price, if there is one, and tell whether there was."""
        by_plain = {PLAIN[key]: (key, value) for key, value in reversed(items)}
        currency = self._default_currency
        given = by_plain.get("currency")
        code = None if given is None else currency_code(given[1])
        for plain in ("revenue", "total"):
            if plain not in by_plain or (plain == "total" and PLAIN[name] not in _ORDER_COMPLETED):
                continue
            key, value = by_plain[plain]
            if is_absent(value):
                continue
            amount = minor_units(value, code or currency)
            if amount is None:
                notes.append(Note("E4", f"properties.{key}", "not an amount of money"))
                continue
            out["price"] = {"amount": amount, "currency": code or currency}
            if given is not None and code is None:
                notes.append(Note("E4", f"properties.{given[0]}", "not a currency of three letters"))
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


def _filled(template: str, message: Page) -> str:
    name = template
    for slot in ("name", "category"):
        value = getattr(message, slot) or message.properties.get(slot)
        name = name.replace(f"{{{slot}}}", value if isinstance(value, str) else "")
    return _GAPS.sub(" ", name).strip()


def _with_page_facts(message: Page | Screen) -> Json:
    page = object_at(message.context, "page")
    extra = {key: page[key] for key in _PAGE_FACTS if key in page and key not in message.properties}
    return {**message.properties, **extra} if extra else message.properties
