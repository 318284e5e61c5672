"""Turns the properties of an event into metadata (rules E2 to E8); knows neither the event's name rules nor its contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._types import Note
from ..messages._coercion import address
from ..messages._facts import PLAIN, PROOFS, KnownTraits, is_absent
from ..messages._memo import Memo
from ._attribute_names import CLEAN, FOLDED, LONGEST_TEXT
from ._dates import DATE_ENDINGS, FINE_FROM, OLDEST
from ._money import currency_code, read_price
from ._rich_values import read_rich

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._types import JsonObject, JsonValue
    from ..messages._facts import Trait
    from ..settings import Settings
    from ._flatten import Flattener

    Json = Mapping[str, JsonValue]
    Names = tuple[str, ...]

_ORDER_COMPLETED = frozenset({"ordercompleted", "completedorder"})
_MONEY = ("revenue", "currency")
_SPECIAL = KnownTraits(("revenue", "total", "currency", "price", "email", "user_hash", "intercom_user_jwt"))
# How many sets of names to remember: an application sends the same few again and again.
_MOST_SHAPES = 5_000


class _Shape(NamedTuple):
    """What the names of some properties mean: the keys of the money, if any, and pairs of key and metadata key for the rest."""

    revenue: str | None
    currency: str | None
    names: tuple[tuple[str, str], ...]


class Metadata:
    """Turns properties into metadata, always with the same settings."""

    def __init__(self, settings: Settings, flattener: Flattener) -> None:
        self._default_currency = currency_code(settings.default_currency) or "USD"
        self._rich = frozenset(settings.rich_link_properties)
        self._first = settings.metadata_first
        self._limit = settings.metadata_limit
        self._flattener = flattener
        self._shapes: Memo[Names, _Shape | None] = Memo(self._shape_of, _MOST_SHAPES)

    def read_fast(self, properties: Json) -> JsonObject | None:
        """
        Return what ``read_full`` does, at half of the cost; None leaves *properties* to it.

        The fast path takes properties that need no note: few, flat, short, without dates. Applications send the same properties again
        and again, so the meaning of their names is worked out once.
        """
        shape = self._shapes[tuple(properties)]
        if shape is None:
            return None
        metadata: JsonObject = {}
        if shape.revenue is not None:
            revenue = properties[shape.revenue]
            currency = None if shape.currency is None else properties[shape.currency]
            code = None if currency is None else currency_code(currency)
            if code is None and currency is not None:
                return None
            price = read_price(revenue, code, self._default_currency)
            if price.reason is not None or type(revenue) is dict:
                return None
            metadata["price"] = {"amount": price.amount, "currency": price.currency}
        for key, name in shape.names:
            value = properties[key]
            kind = type(value)
            if kind is str:
                if len(value) > LONGEST_TEXT or value[4:5] == "-":  # type: ignore[arg-type, index]  # kind proves that it is a text
                    return None
            elif kind is bool:
                value = "true" if value else "false"
            elif kind is int:
                if not OLDEST < value < FINE_FROM:  # type: ignore[operator]  # kind proves that it is a number
                    return None
            # NaN is not in between either.
            elif kind is not float or not OLDEST < value < FINE_FROM or name.endswith(DATE_ENDINGS):  # type: ignore[operator]  # as above
                return None
            metadata[name] = value
        return metadata

    def read_full(self, properties: Json, name: str, *, email: str | None, notes: list[Note]) -> JsonObject:
        """
        Return *properties* as metadata, in the order in which Intercom must keep them (E8).

        Args:
            properties: Those of the event.
            name: The event's name.
            email: The address that names the contact; it needs no note when it is among the properties.
            notes: Receives a note for each property that is changed or left out.
        """
        metadata: JsonObject = {}
        items = list(properties.items())
        price_key: str | None = None
        if any(_SPECIAL.plain[key] for key in properties):
            has_price = self._write_price(items, name, metadata, notes=notes)
            items = _without_special(items, email, has_price=has_price, notes=notes)
            if has_price:
                price_key = next((key for key, _ in items if PLAIN[key] == "price"), None)
        if self._first or "price" in properties:
            items.sort(key=lambda item: self._rank(item[0], price_key))
        if price_key is None and not any(type(value) in (dict, list) for _, value in items):
            self._flattener.write(items, metadata, notes=notes, path="properties")
        else:
            self._write_each(items, price_key, metadata, notes=notes)
        return metadata

    def _shape_of(self, names: Names) -> _Shape | None:
        """Return what *names* mean; None where that depends on more than the names."""
        by_plain = {PLAIN[key]: key for key in names}
        special = {plain for plain in by_plain if plain in _SPECIAL.exact}
        if self._first or len(by_plain) < len(names) or not special.issubset(_MONEY):
            return None
        revenue = by_plain.get("revenue")
        currency = None if revenue is None else by_plain.get("currency")
        rest = tuple((key, CLEAN[key]) for key in names if key not in (revenue, currency))
        folded = {FOLDED[name] for _, name in rest} | ({"price"} if revenue is not None else set())
        count = len(rest) + (revenue is not None)
        if not all(name for _, name in rest) or len(folded) < count or count > self._limit:
            return None
        return _Shape(revenue, currency, rest)

    def _write_each(
        self, items: list[Trait], price_key: str | None, metadata: JsonObject, *, notes: list[Note]
    ) -> None:
        """Write *items* one by one: rich values as objects, and the property *price_key* as ``item_price``."""
        for item in items:
            key = item[0]
            name = "item_price" if key == price_key else key
            rich = read_rich(item, is_named=key in self._rich, notes=notes)
            if rich is not None:
                self._put_rich(name, (key, rich), metadata, notes=notes)
            elif key == price_key:
                self._flattener.write_as(name, item, metadata, notes=notes, path="properties")
            else:
                self._flattener.write([item], metadata, notes=notes, path="properties")

    def _put_rich(
        self, name: str, item: tuple[str, JsonObject], metadata: JsonObject, *, notes: list[Note]
    ) -> None:
        key, rich = item
        path, clean = f"properties.{key}", CLEAN[name]
        if not clean:
            notes.append(Note("A2", path, "nothing usable is left of the name"))
        elif any(FOLDED[clean] == FOLDED[other] for other in metadata):
            notes.append(Note("A2", path, "another value has this name"))
        elif len(metadata) >= self._limit:
            notes.append(Note("E8", path, "beyond the limit of metadata keys"))
        else:
            metadata[clean] = rich

    def _rank(self, key: str, price_key: str | None) -> int:
        if key == "price" and key != price_key:
            return -1
        names = ("item_price", key) if key == price_key else (key,)
        return min(
            (self._first.index(name) for name in names if name in self._first), default=len(self._first)
        )

    def _write_price(self, items: list[Trait], name: str, metadata: JsonObject, *, notes: list[Note]) -> bool:
        """Write the price of the event *name*, if it has one, and tell whether it has (E4)."""
        known = _SPECIAL.sort(dict(items), [], "")[0]
        currency = known.get("currency")
        code = None if currency is None else currency_code(currency[1])
        for plain in ("revenue", "total"):
            if plain not in known or (plain == "total" and PLAIN[name] not in _ORDER_COMPLETED):
                continue
            key, value = known[plain]
            if is_absent(value):
                continue
            price = read_price(value, code, self._default_currency)
            if price.reason is not None:
                notes.append(Note("E4", f"properties.{key}", price.reason))
            if price.amount is None and price.is_money:
                return False
            if price.amount is not None:
                metadata["price"] = {"amount": price.amount, "currency": price.currency}
                _note_unused(known, items, price.currency, notes)
                return True
        return False


def _note_unused(known: Mapping[str, Trait], items: list[Trait], code: str, notes: list[Note]) -> None:
    """Note what the price, whose currency is *code*, did not use of the properties of money (E4)."""
    key, value = known.get("currency", ("", None))
    if not is_absent(value) and currency_code(value) != code:
        is_code = currency_code(value) is not None
        reason = "the amount has its own currency" if is_code else "not a currency of three letters"
        notes.append(Note("E4", f"properties.{key}", reason))
    notes += [
        Note("E4", f"properties.{other}", "second spelling of a property")
        for other, _ in items
        if PLAIN[other] in _MONEY and other != known[PLAIN[other]][0]
    ]


def _without_special(
    items: list[Trait], email: str | None, *, has_price: bool, notes: list[Note]
) -> list[Trait]:
    """
    Return *items* without e-mail addresses and proofs (E2, R7), and, if the money is written already, without it (E4).

    Args:
        items: Key and value of each property.
        email: The address that names the contact; any other one gets a note.
        has_price: The money is written as ``price`` already.
        notes: Receives them.
    """
    rest: list[Trait] = []
    for key, value in items:
        plain = PLAIN[key]
        if plain == "email" and (own := address(value)) is not None:
            if own != email:
                notes.append(Note("E2", f"properties.{key}", "e-mail addresses are kept out of metadata"))
        elif plain in PROOFS:
            notes.append(Note("R7", f"properties.{key}", "a proof of identity"))
        elif not has_price or plain not in _MONEY:
            rest.append((key, value))
    return rest
