"""
The quick way for traits that need no note; gives what ``_contacts`` and ``_companies`` do, or leaves them to those; pure.

Applications send the same traits again and again, so what their names mean is worked out once for each set of names. Values are looked
at each time: one that would be changed, cut or left out is for the careful way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from ..messages._coercion import address
from ..messages._facts import PLAIN
from ..messages._timestamps import unix_seconds
from ._attribute_names import CLEAN, INNER, LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from .._types import JsonObject, JsonValue
    from ..settings import Settings

    Json = Mapping[str, JsonValue]
    Shape = tuple[str, ...]

_S = TypeVar("_S")

# Sets of names are few and repeat; beyond so many they are worked out each time.
_KEPT_SHAPES = 5_000
_LARGEST_WHOLE = 2**63
_LARGEST_SPEND = 2**31 - 1
_TEXTS = ("name", "plan", "industry", "website")
_SIZES = ("size", "employees", "employeecount")
_COMPANY_IDS = ("id", "companyid", "groupid")


class UsualContact(NamedTuple):
    """What an identify's traits say: standard fields, custom attributes, and the traits of its one company."""

    fields: JsonObject
    attributes: JsonObject
    company: UsualCompany | None


class UsualCompany(NamedTuple):
    """What a company's traits say; no own id where the message tells it elsewhere."""

    own_id: str | None
    fields: JsonObject
    attributes: JsonObject


class _ContactShape(NamedTuple):
    """Which key feeds which field, and key -> attribute for the rest; None for a field that no key feeds."""

    email: str | None
    name: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    signed_up_at: str | None
    company: str | None
    rest: tuple[tuple[str, str], ...]


class _CompanyShape(NamedTuple):
    """As ``_ContactShape``; *texts* holds pairs of key and field."""

    own_id: str | None
    texts: tuple[tuple[str, str], ...]
    size: str | None
    monthly_spend: str | None
    created_at: str | None
    rest: tuple[tuple[str, str], ...]


class _Shapes(dict["Shape", "_S | None"], Generic[_S]):
    """Names -> what they mean; None where that depends on more than the names."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[Shape], _S | None]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, names: Shape) -> _S | None:
        made = self._make(names) if all(type(name) is str for name in names) else None
        if len(self) < _KEPT_SHAPES:
            self[names] = made
        return made


class _Attributes:
    """Reads custom attributes; keeps none of their values."""

    __slots__ = ("_inner",)

    def __init__(self) -> None:
        self._inner: dict[str, _Shapes[Shape]] = {}

    def read(self, names: tuple[tuple[str, str], ...], traits: Json) -> JsonObject | None:
        """Return the custom attributes of the keys in *names*; None when one of them needs a careful look."""
        out: JsonObject = {}
        nested: list[tuple[str, JsonObject]] = []
        for key, name in names:
            value = traits[key]
            kind = type(value)
            if kind is str:
                if len(value) > LONGEST_TEXT or (value[4:5] == "-" and value[:4].isdigit()):  # type: ignore[arg-type, index, union-attr]  # kind says that it is a text
                    return None
            elif kind is float:
                if not math.isfinite(value):  # type: ignore[arg-type]  # as above
                    return None
            elif kind is dict:
                nested.append((key, value))  # type: ignore[arg-type]  # as above
                continue
            elif kind is not int and kind is not bool and value is not None:
                return None
            out[name] = value
        # The names of a shape differ; those of nested members may be taken.
        for key, traits in nested:
            if not self._read_inner(key, traits, out):
                return None
        return out

    def _read_inner(self, key: str, traits: JsonObject, out: JsonObject) -> bool:
        """Read the members of a nested object into *out*; False when one of them needs a careful look."""
        shapes = self._inner.get(key)
        if shapes is None:
            shapes = _Shapes(lambda names: _inner_names(key, names))
            if len(self._inner) < _KEPT_SHAPES:
                self._inner[key] = shapes
        names = shapes[tuple(traits)]
        if names is None:
            return False
        for name, value in zip(names, traits.values(), strict=True):
            if type(value) is str:
                if len(value) > LONGEST_TEXT or (value[4:5] == "-" and value[:4].isdigit()):
                    return False
            elif type(value) is not int:
                return False
            if name in out:
                return False
            out[name] = value
        return True


class UsualCompanies:
    """
    Reads a company's usual traits; keeps none of their values, so it is safe in any thread.

    Args:
        settings: With other choices than the default ones for nested values and dates nothing is usual.
        known: Plain names that mean something on a company; those that feed no field here are not usual.
    """

    def __init__(self, settings: Settings, known: Iterable[str]) -> None:
        names = frozenset(known)
        self._shapes = _Shapes(lambda shape: _company_shape(shape, names) if _is_usual(settings) else None)
        self._attributes = _Attributes()

    def read(self, traits: Json) -> UsualCompany | None:
        """Return what *traits* say; None when they are not of the usual kind."""
        shape = self._shapes[tuple(traits)]
        if shape is None:
            return None
        own_id = None if shape.own_id is None else traits[shape.own_id]
        if shape.own_id is not None and (type(own_id) is not str or not own_id.strip()):
            return None
        fields: JsonObject = {}
        for key, field in shape.texts:
            text = traits[key]
            if type(text) is not str or not (text := text.strip()):
                return None
            fields[field] = text
        if not _write_numbers(shape, traits, fields):
            return None
        if shape.created_at is not None:
            fields["remote_created_at"] = seconds = unix_seconds(traits[shape.created_at])
            if seconds is None:
                return None
        attributes = self._attributes.read(shape.rest, traits) if shape.rest else {}
        return None if attributes is None else UsualCompany(own_id, fields, attributes)  # type: ignore[arg-type]  # a text or None


class UsualContacts:
    """
    Reads an identify's usual traits; keeps none of their values, so it is safe in any thread.

    Args:
        settings: As of ``UsualCompanies``.
        known: Plain names that mean something on a contact; those that feed no field here are not usual.
        companies: Reads the company among the traits.
    """

    def __init__(self, settings: Settings, known: Iterable[str], companies: UsualCompanies) -> None:
        names = frozenset(known)
        self._shapes = _Shapes(lambda shape: _contact_shape(shape, names) if _is_usual(settings) else None)
        self._attributes = _Attributes()
        self._companies = companies

    def read(self, traits: Json) -> UsualContact | None:
        """Return what *traits* say; None when they are not of the usual kind."""
        shape = self._shapes[tuple(traits)]
        if shape is None:
            return None
        fields: JsonObject = {}
        if shape.email is not None:
            fields["email"] = email = address(traits[shape.email])
            if email is None:
                return None
        if not _write_names(shape, traits, fields):
            return None
        if shape.signed_up_at is not None:
            fields["signed_up_at"] = seconds = unix_seconds(traits[shape.signed_up_at])
            if seconds is None:
                return None
        company: UsualCompany | None = None
        if shape.company is not None:
            given = traits[shape.company]
            company = self._companies.read(given) if type(given) is dict else None
            if company is None or company.own_id is None:
                return None
        attributes = self._attributes.read(shape.rest, traits)
        return None if attributes is None else UsualContact(fields, attributes, company)


def _is_usual(settings: Settings) -> bool:
    return settings.nested == "flatten" and not settings.nested_overrides and settings.dates == "seconds"


def _write_names(shape: _ContactShape, traits: Json, fields: JsonObject) -> bool:
    """Write name and telephone; False when one of them is no text with something in it."""
    parts: list[str] = []
    for key in (shape.name,) if shape.name is not None else (shape.first_name, shape.last_name):
        if key is not None:
            part = traits[key]
            if type(part) is not str or not (part := part.strip()):
                return False
            parts.append(part)
    if parts:
        fields["name"] = " ".join(parts)
    if shape.phone is not None:
        phone = traits[shape.phone]
        if type(phone) is not str or not (phone := phone.strip()):
            return False
        fields["phone"] = phone
    return True


def _write_numbers(shape: _CompanyShape, traits: Json, fields: JsonObject) -> bool:
    """Write a company's size and spend; False when one of them is not simply a number."""
    if shape.size is not None:
        size = traits[shape.size]
        if type(size) is not int or not -_LARGEST_WHOLE < size < _LARGEST_WHOLE:
            return False
        fields["size"] = size
    if shape.monthly_spend is not None:
        spend = traits[shape.monthly_spend]
        if type(spend) is not int and type(spend) is not float:
            return False
        if not -_LARGEST_SPEND <= spend <= _LARGEST_SPEND:  # NaN is not
            return False
        fields["monthly_spend"] = int(spend)
    return True


def _contact_shape(names: Shape, known: frozenset[str]) -> _ContactShape | None:
    by_plain = {PLAIN[name]: name for name in names}
    fed = [by_plain.get(plain) for plain in ("email", "name", "phone", "createdat", "company")]
    email, name, phone, signed_up_at, company = fed
    rest = _rest(names, fed)
    if rest is None or len(by_plain) < len(names) or any(PLAIN[key] in known for key, _ in rest):
        return None
    first_name, last_name = by_plain.get("firstname"), by_plain.get("lastname")
    return _ContactShape(email, name, first_name, last_name, phone, signed_up_at, company, rest)


def _company_shape(names: Shape, known: frozenset[str]) -> _CompanyShape | None:
    by_plain = {PLAIN[name]: name for name in names}
    ids = [by_plain[plain] for plain in _COMPANY_IDS if plain in by_plain]
    sizes = [by_plain[plain] for plain in _SIZES if plain in by_plain]
    if len(ids) > 1 or len(sizes) > 1 or len(by_plain) < len(names):
        return None
    texts = tuple((by_plain[plain], plain) for plain in _TEXTS if plain in by_plain)
    own_id, size = (*ids, None)[0], (*sizes, None)[0]
    spend, created_at = by_plain.get("monthlyspend"), by_plain.get("createdat")
    rest = _rest(names, (own_id, size, spend, created_at, *(key for key, _ in texts)))
    if rest is None or any(PLAIN[key] in known for key, _ in rest):
        return None
    return _CompanyShape(own_id, texts, size, spend, created_at, rest)


def _rest(names: Shape, fed: Collection[str | None]) -> tuple[tuple[str, str], ...] | None:
    """Return key -> attribute for the names that feed no field; None when two have one name, or one has none."""
    rest = tuple((name, CLEAN[name]) for name in names if name not in fed)
    cleaned = {clean for _, clean in rest}
    return rest if len(cleaned) == len(rest) and "" not in cleaned else None


def _inner_names(key: str, names: Shape) -> Shape | None:
    inner = tuple(INNER[f"{key}_{name}"] for name in names)
    return inner if names and "" not in inner and len(set(inner)) == len(inner) else None
