"""
The fast path for traits that need no note: gives what ``_contacts`` and ``_companies`` give, or None to leave them to that full path.

Applications send the same traits again and again, so the meaning of their names is worked out once for each set of names. Values are
checked each time: a value that would be changed, cut or left out is for the full path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..messages._coercion import address
from ..messages._edges import is_plain_id, trimmed
from ..messages._facts import PLAIN
from ..messages._memo import Memo
from ..messages._timestamps import unix_seconds
from ._attribute_names import CLEAN, INNER, LONGEST_TEXT
from ._company_fields import CREATED, LARGEST_SPEND, SIZE_LIMIT, SIZES, SPEND, TEXTS
from ._dates import DATE_ENDINGS, FINE_FROM, OLDEST
from ._values import FLATTENED, SCALAR, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from .._types import JsonObject, JsonValue
    from ..settings import Settings

    Json = Mapping[str, JsonValue]
    Names = tuple[str, ...]
    Origins = Mapping[str, Origin]

_Shape = TypeVar("_Shape")

# How many sets of names to remember: an application sends the same few again and again.
_MOST_SHAPES = 5_000
_COMPANY_IDS = ("id", "companyid", "groupid")
_NO_ORIGINS: Origins = {}
# Makes a named tuple at a third of its class's cost.
_new = tuple.__new__


class ContactTraits(NamedTuple):
    """The traits of an identify as standard fields, custom attributes with their origins, and the traits of its one company."""

    fields: JsonObject
    attributes: JsonObject
    origins: Origins
    company: CompanyTraits | None


class CompanyTraits(NamedTuple):
    """The traits of a company as standard fields and custom attributes; *own_id* is None when there is no id among them."""

    own_id: str | None
    fields: JsonObject
    attributes: JsonObject
    path: str
    origins: Origins


class _ContactShape(NamedTuple):
    """
    What the names of an identify's traits mean.

    Each field holds the key that feeds it, or None when no key does; *rest* holds pairs of key and attribute for all other keys, and
    *renamed* those of them that differ.
    """

    email: str | None
    name: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    signed_up_at: str | None
    company: str | None
    company_path: str
    rest: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]


class _CompanyShape(NamedTuple):
    """What the names of a company's traits mean, as in ``_ContactShape``; *texts* holds pairs of key and field."""

    own_id: str | None
    texts: tuple[tuple[str, str], ...]
    size: str | None
    monthly_spend: str | None
    created_at: str | None
    rest: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]


class _InnerShape(NamedTuple):
    """The attributes that the members of a nested object become, in their order, with their origins."""

    names: Names
    origins: Origins


def _shapes(make: Callable[[Names], _Shape | None]) -> Memo[Names, _Shape | None]:
    """Return a memo of names -> what they mean by *make*; None where that depends on more than the names."""
    return Memo(lambda names: make(names) if all(type(name) is str for name in names) else None, _MOST_SHAPES)


class _Attributes:
    """Reads custom attributes; keeps none of their values."""

    __slots__ = ("_inner_shapes",)

    def __init__(self) -> None:
        # Key of a nested object and path of the traits -> the names of its members -> their attributes.
        self._inner_shapes: Memo[tuple[str, str], Memo[Names, _InnerShape | None]] = Memo(
            _shapes_below, _MOST_SHAPES
        )

    def read(
        self, names: tuple[tuple[str, str], ...], traits: Json, path: str
    ) -> tuple[JsonObject, Origins] | None:
        """
        Return the custom attributes for the pairs of key and attribute in *names*, and the origins of those that are nested.

        None leaves *traits*, whose place in the message is *path*, to the full path.
        """
        attributes: JsonObject = {}
        nested: list[tuple[str, JsonObject]] = []
        for key, name in names:
            value = traits[key]
            kind = type(value)
            if kind is str:
                if len(value) > LONGEST_TEXT or (value[4:5] == "-" and value[:4].isdigit()):  # type: ignore[arg-type, index, union-attr]  # kind proves that it is a text
                    return None
            elif kind is int:
                if not OLDEST < value < FINE_FROM:  # type: ignore[operator]  # as above
                    return None
            elif kind is float:
                # NaN is not in between either.
                if not OLDEST < value < FINE_FROM or name.endswith(DATE_ENDINGS):  # type: ignore[operator]  # as above
                    return None
            elif kind is dict:
                nested.append((key, value))  # type: ignore[arg-type]  # as above
                continue
            elif kind is not bool and value is not None:
                return None
            attributes[name] = value
        # After all others, because a member's name may be that of another trait.
        origins: Origins = _NO_ORIGINS
        for key, members in nested:
            shape = self._inner_shapes[key, path][tuple(members)]
            if shape is None or not self._read_members(shape.names, members, attributes):
                return None
            origins = {**origins, **shape.origins} if origins else shape.origins
        return attributes, origins

    def _read_members(self, names: Names, members: JsonObject, attributes: JsonObject) -> bool:
        """Read the *members* of a nested object into *attributes*; False leaves the traits to the full path."""
        for name, value in zip(names, members.values(), strict=True):
            if type(value) is str:
                if len(value) > LONGEST_TEXT or (value[4:5] == "-" and value[:4].isdigit()):
                    return False
            elif type(value) is not int or not OLDEST < value < FINE_FROM:
                return False
            if name in attributes:
                return False
            attributes[name] = value
        return True


class FastCompanies:
    """
    Reads the traits of a company on the fast path; keeps none of their values, so it is safe in any thread.

    Args:
        settings: Other choices than the default ones for nested values and dates leave everything to the full path.
        known: Plain names of all traits that feed a company's fields; those that the fast path does not read are for the full path.
    """

    def __init__(self, settings: Settings, known: Iterable[str]) -> None:
        known_names = frozenset(known)
        self._shapes = _shapes(
            lambda names: _company_shape(names, known_names) if _has_fast_path(settings) else None
        )
        self._attributes = _Attributes()

    def read(self, traits: Json, path: str = "traits") -> CompanyTraits | None:
        """Return *traits*, whose place in the message is *path*, as fields and attributes; None leaves them to the full path."""
        shape = self._shapes[tuple(traits)]
        if shape is None:
            return None
        own_id = None if shape.own_id is None else traits[shape.own_id]
        if shape.own_id is not None and (type(own_id) is not str or not is_plain_id(own_id)):
            return None
        fields: JsonObject = {}
        for key, field in shape.texts:
            text = traits[key]
            if type(text) is not str:
                return None
            # Of the characters that ``trimmed`` takes off, only the plain blank is printable.
            fields[field] = text = text.strip() if text.isprintable() else trimmed(text)
            if not text:
                return None
        if not _write_numbers(shape, traits, fields):
            return None
        if shape.created_at is not None:
            fields["remote_created_at"] = seconds = unix_seconds(traits[shape.created_at])
            if seconds is None:
                return None
        if not shape.rest:
            return _new(CompanyTraits, (own_id, fields, {}, path, _NO_ORIGINS))
        custom = self._attributes.read(shape.rest, traits, path)
        if custom is None:
            return None
        attributes, origins = custom
        if shape.renamed:
            origins = {**origins, **_origins_of_renamed(shape.renamed, traits, path)}
        return _new(CompanyTraits, (own_id, fields, attributes, path, origins))


class FastContacts:
    """
    Reads the traits of an identify on the fast path; keeps none of their values, so it is safe in any thread.

    Args:
        settings: As of ``FastCompanies``.
        known: Plain names of all traits that feed a contact's fields; those that the fast path does not read are for the full path.
        companies: Reads the company among the traits.
    """

    def __init__(self, settings: Settings, known: Iterable[str], companies: FastCompanies) -> None:
        known_names = frozenset(known)
        self._shapes = _shapes(
            lambda names: _contact_shape(names, known_names) if _has_fast_path(settings) else None
        )
        self._attributes = _Attributes()
        self._companies = companies

    def read(self, traits: Json) -> ContactTraits | None:
        """Return *traits* as fields and attributes; None leaves them to the full path."""
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
        company: CompanyTraits | None = None
        if shape.company is not None:
            company_traits = traits[shape.company]
            if type(company_traits) is dict:
                company = self._companies.read(company_traits, shape.company_path)
            if company is None or company.own_id is None:
                return None
        custom = self._attributes.read(shape.rest, traits, "traits")
        if custom is None:
            return None
        attributes, origins = custom
        if shape.renamed:
            origins = {**origins, **_origins_of_renamed(shape.renamed, traits, "traits")}
        return _new(ContactTraits, (fields, attributes, origins, company))


def _has_fast_path(settings: Settings) -> bool:
    return settings.nested == "flatten" and not settings.nested_overrides and settings.dates == "seconds"


def _write_names(shape: _ContactShape, traits: Json, fields: JsonObject) -> bool:
    """Write name and telephone; False when one of them is blank or not a text."""
    parts: list[str] = []
    for key in (shape.name,) if shape.name is not None else (shape.first_name, shape.last_name):
        if key is not None:
            part = traits[key]
            if type(part) is not str:
                return False
            part = part.strip() if part.isprintable() else trimmed(part)
            if not part:
                return False
            parts.append(part)
    if parts:
        fields["name"] = " ".join(parts)
    if shape.phone is not None:
        phone = traits[shape.phone]
        if type(phone) is not str:
            return False
        fields["phone"] = phone = phone.strip() if phone.isprintable() else trimmed(phone)
        return bool(phone)
    return True


def _write_numbers(shape: _CompanyShape, traits: Json, fields: JsonObject) -> bool:
    """Write a company's size and spend; False when one of them is not a number that Intercom takes as it is."""
    if shape.size is not None:
        size = traits[shape.size]
        if type(size) is not int or not -SIZE_LIMIT < size < SIZE_LIMIT:
            return False
        fields["size"] = size
    if shape.monthly_spend is not None:
        spend = traits[shape.monthly_spend]
        if type(spend) is not int and type(spend) is not float:
            return False
        if not -LARGEST_SPEND <= spend <= LARGEST_SPEND:  # NaN is not in between either
            return False
        fields["monthly_spend"] = int(spend)
    return True


def _contact_shape(names: Names, known: frozenset[str]) -> _ContactShape | None:
    by_plain = {PLAIN[name]: name for name in names}
    fed = [by_plain.get(plain) for plain in ("email", "name", "phone", "createdat", "company")]
    email, name, phone, signed_up_at, company = fed
    rest = _rest(names, fed)
    if rest is None or len(by_plain) < len(names) or any(PLAIN[key] in known for key, _ in rest):
        return None
    first_name, last_name = by_plain.get("firstname"), by_plain.get("lastname")
    return _ContactShape(
        email,
        name,
        first_name,
        last_name,
        phone,
        signed_up_at,
        company,
        f"traits.{company}",
        rest,
        _renamed(rest),
    )


def _company_shape(names: Names, known: frozenset[str]) -> _CompanyShape | None:
    by_plain = {PLAIN[name]: name for name in names}
    ids = [by_plain[plain] for plain in _COMPANY_IDS if plain in by_plain]
    sizes = [by_plain[plain] for plain in SIZES if plain in by_plain]
    dates = [by_plain[plain] for plain in CREATED if plain in by_plain]
    if len(ids) > 1 or len(sizes) > 1 or len(dates) > 1 or len(by_plain) < len(names):
        return None
    texts = tuple((by_plain[plain], plain) for plain in TEXTS if plain in by_plain)
    own_id, size, created_at = (*ids, None)[0], (*sizes, None)[0], (*dates, None)[0]
    spend = by_plain.get(SPEND)
    rest = _rest(names, (own_id, size, spend, created_at, *(key for key, _ in texts)))
    if rest is None or any(PLAIN[key] in known for key, _ in rest):
        return None
    return _CompanyShape(own_id, texts, size, spend, created_at, rest, _renamed(rest))


def _rest(names: Names, fed: Collection[str | None]) -> tuple[tuple[str, str], ...] | None:
    """Return pairs of key and attribute for the names that feed no field; None when two attributes have one name, or one has none."""
    rest = tuple((name, CLEAN[name]) for name in names if name not in fed)
    cleaned = {clean for _, clean in rest}
    return rest if len(cleaned) == len(rest) and "" not in cleaned else None


def _renamed(rest: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((key, name) for key, name in rest if key != name)


def _origins_of_renamed(renamed: tuple[tuple[str, str], ...], traits: Json, path: str) -> Origins:
    return {name: Origin(f"{path}.{key}", SCALAR) for key, name in renamed if type(traits[key]) is not dict}


def _shapes_below(place: tuple[str, str]) -> Memo[Names, _InnerShape | None]:
    """
    Return a memo of the names of members -> the attributes that they become; None as in ``_rest``.

    Args:
        place: The key of the nested trait, and the path of the traits.
    """
    key, path = place

    def attributes_of(names: Names) -> _InnerShape | None:
        attributes = tuple(INNER[f"{key}_{name}"] for name in names)
        is_plain = names and "" not in attributes and len(set(attributes)) == len(attributes)
        if not is_plain:
            return None
        places = zip(attributes, names, strict=True)
        return _InnerShape(
            attributes, {name: Origin(f"{path}.{key}.{member}", FLATTENED) for name, member in places}
        )

    return _shapes(attributes_of)
