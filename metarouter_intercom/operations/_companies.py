"""Turns group messages, and the companies of an identify, into operations (rules C, I12, V4); knows no other trait of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import Note
from ..messages._coercion import check_json, id_text, text_field
from ..messages._edges import accident_note, is_accident, trimmed, trimmed_note
from ..messages._facts import PLAIN, KnownTraits, is_absent, look_up
from ._company_fields import write_company_fields
from ._custom_attributes import write_attributes
from ._draft import Draft
from ._fast_traits import FastCompanies
from ._flatten import top_level_first
from ._values import AttachCompany, DetachCompany, TagCompany, UpsertCompany

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._types import JsonObject, JsonValue
    from ..messages import Group
    from ..messages._facts import Trait
    from ..settings import Settings
    from ._flatten import Flattener
    from ._values import Operation, Origin, Who

    Json = Mapping[str, JsonValue]

UNTRUSTED_COMPANY = "company of an untrusted sender"
"""The reason of a note for a company that the sender may not even be attached to (V4)."""
_ID_NAMES = ("id", "company_id", "companyId", "groupId")
# In the order of precedence (C1); ``company_id`` and ``companyId`` have one plain name (R3).
_PLAIN_IDS = tuple(dict.fromkeys(PLAIN[name] for name in _ID_NAMES))
_KNOWN = KnownTraits(
    (
        *_ID_NAMES,
        "name",
        "plan",
        "industry",
        "website",
        "size",
        "employees",
        "employeeCount",
        "monthlySpend",
        "remoteCreatedAt",
        "createdAt",
        "created",
        "tags",
        "remove",
        "custom_attributes",
        "user_hash",
        "intercom_user_jwt",
    )
)


def name_hash(name: str) -> str:
    """
    Return the id of a company that has a name and no id, as Segment and MetaRouter make it (C1).

    It is the 32-bit djb2-xor hash over the name's UTF-16 units, from the last one to the first: ``Segment`` gives ``2017828326``.
    """
    code = 5381
    units = name.encode("utf-16-le", "surrogatepass")
    for at in range(len(units) - 2, -1, -2):
        code = (code * 33 ^ (units[at] | units[at + 1] << 8)) & 0xFFFFFFFF
    return str(code)


def company_id(own_id: JsonValue, traits: Json, how: str) -> str | None:
    """
    Return the caller's id of a company; None when there is none (C1).

    Args:
        own_id: The id in the message.
        traits: Those of the company; its name may replace a missing id.
        how: Setting ``company_id_from_name``.
    """
    text = id_text(own_id)
    if text is not None or how == "reject":
        return text
    name = text_field(look_up(traits, "name"))
    if name is None:
        return None
    return name if how == "name" else name_hash(name)


class Companies:
    """
    Turns the traits of companies into operations, always with the same settings.

    Attributes:
        fast: Reads the traits of a company on the fast path.
        rights: What the sender may do to companies (V4): ``off``, ``attach`` or ``write``.
    """

    def __init__(self, settings: Settings, flattener: Flattener) -> None:
        self.rights = settings.untrusted_companies if settings.require_identity else "write"
        self._how = settings.company_id_from_name
        self._flattener = flattener
        self.fast = FastCompanies(settings, _KNOWN.exact)

    def translate_group(self, message: Group, who: Who | None, notes: list[Note]) -> list[Operation] | None:
        """Return the operations of a group message; None when it has no usable id, or no contact to detach."""
        own_id, traits = message.group_id, message.traits
        if own_id is None:
            own_id = company_id(None, traits, self._how)
            if own_id is None:
                return None
        operations: list[Operation] | None = None
        if who is not None and self.rights == "write":
            operations = self.translate_group_fast(own_id, traits, who)
        if operations is not None:
            return operations
        is_named = message.group_id is None
        return self.translate_group_full(own_id, traits, who, notes=notes, is_named=is_named)

    def translate_group_fast(self, own_id: str, traits: Json, who: Who) -> list[Operation] | None:
        """Return what ``translate_group_full`` does, at a third of the cost; None leaves *traits* to it."""
        company = self.fast.read(traits)
        if company is None or company.own_id is not None:
            return None
        return [
            UpsertCompany(
                company_id=own_id,
                fields=company.fields,
                attributes=company.attributes,
                origins=company.origins,
            ),
            AttachCompany(who=who, company_id=own_id),
        ]

    def translate_group_full(
        self, own_id: str, traits: Json, who: Who | None, *, notes: list[Note], is_named: bool = False
    ) -> list[Operation] | None:
        """
        Return the operations of a group message about the company *own_id*; None when there is no contact to detach.

        Args:
            own_id: The caller's id of the company.
            traits: Those of the company.
            who: The contact, if the message names one.
            notes: Receives a note for each trait that is changed or left out.
            is_named: The id was made from the company's name.
        """
        path = "traits.name" if is_named else "groupId"
        draft = Draft(*_KNOWN.sort(traits, notes, "traits"), {}, notes, "traits")
        if _removes(draft, "C5"):
            _note_unchanged(draft, "C5", is_named=is_named)
            return None if who is None else [DetachCompany(who=who, company_id=own_id, path=path)]
        if who is not None and self.rights != "write":
            return [self._attach_untrusted(own_id, draft, who, path=path, is_named=is_named)]
        operations = self._upsert(own_id, draft)
        if who is None:
            notes.append(Note("C4", "userId", "Intercom shows a company only once it has a contact"))
        else:
            operations.append(AttachCompany(who=who, company_id=own_id))
        return operations

    def translate_companies(
        self, companies: Iterable[tuple[str, JsonValue]], who: Who, notes: list[Note]
    ) -> tuple[list[Operation], set[str]]:
        """
        Return the operations of an identify's companies, and their ids.

        Args:
            companies: ``(path, company)`` in the order of precedence; each company is an object or a name.
            who: The contact.
            notes: Receives a note for each value that is changed or left out.
        """
        operations: list[Operation] = []
        ids: set[str] = set()
        for path, company in companies:
            traits = _traits_of(company, path, notes)
            if traits is None:
                continue
            if self.rights == "off":
                notes.append(Note("V4", path, UNTRUSTED_COMPANY))
                continue
            draft = Draft(*_KNOWN.sort(traits, notes, path), {}, notes, path)
            id_trait = _id_trait({**_ids_left_out(path, notes), **draft.known})
            trait_id = None if id_trait is None else id_text(id_trait[1])
            own_id = trait_id or company_id(None, traits, self._how)
            if id_trait is not None and trait_id is None:
                draft.note("C1", id_trait[0], "not an id, so the company is left out")
            elif own_id is None:
                notes.append(Note("C1", path, "a company without an id"))
            elif own_id in ids:
                notes.append(Note("I12", path, "this company came before"))
            else:
                ids.add(own_id)
                if _removes(draft, "I12"):
                    _note_unchanged(draft, "I12", is_named=trait_id is None)
                    operations.append(DetachCompany(who=who, company_id=own_id, path=path))
                elif self.rights != "write":
                    attached = self._attach_untrusted(
                        own_id, draft, who, path=path, is_named=trait_id is None
                    )
                    operations.append(attached)
                else:
                    operations += self._upsert(own_id, draft)
                    operations.append(AttachCompany(who=who, company_id=own_id))
        return operations, ids

    def _attach_untrusted(
        self, own_id: str, draft: Draft, who: Who, *, path: str, is_named: bool
    ) -> AttachCompany:
        """Attach the contact to a company that exists already, and leave the company as it is (V4)."""
        _note_unchanged(draft, "V4", is_named=is_named)
        return AttachCompany(who=who, company_id=own_id, only_known=True, path=path)

    def _upsert(self, own_id: str, draft: Draft) -> list[Operation]:
        attributes: JsonObject = {}
        origins: dict[str, Origin] = {}
        known, rest = draft.known, draft.rest
        for plain in _PLAIN_IDS:
            if plain in known:
                trait = known.pop(plain)
                if is_accident(trait[1]):
                    draft.notes.append(accident_note(f"{draft.path}.{trait[0]}"))
                elif is_absent(trait[1]):
                    draft.note("C1", trait[0], "null or blank")
                elif trait[1] != own_id and id_text(trait[1]) != own_id:
                    rest.append(trait)
                elif isinstance(trait[1], str) and trait[1] != own_id:
                    draft.notes.append(trimmed_note(f"{draft.path}.{trait[0]}"))
        tags = _tags(own_id, draft) if "tags" in known else ()
        if known:
            write_company_fields(draft)
        write_attributes(draft, attributes, origins, self._flattener)
        upsert = UpsertCompany(
            company_id=own_id,
            fields=draft.fields,
            attributes=top_level_first(attributes, origins),
            traits_path=draft.path,
            origins=origins,
        )
        return [upsert, *tags]


def _traits_of(company: JsonValue, path: str, notes: list[Note]) -> Json | None:
    """Return the traits of one of an identify's companies, which may be a bare name; None, with a note, when it is neither (I12)."""
    if isinstance(company, dict):
        return company
    if is_accident(company):
        notes.append(accident_note(path))
        return None
    if isinstance(company, str) and not is_absent(company):
        return {"name": company}
    check_json(company)
    notes.append(Note("I12", path, "neither an object nor a name"))
    return None


def _tags(own_id: str, draft: Draft) -> list[Operation]:
    key, value = draft.known.pop("tags")
    if not isinstance(value, list):
        draft.rest.append((key, value))
        return []
    # Intercom compares tags without case (contract, section 5).
    tags: dict[str, Operation] = {}
    for at, tag in enumerate(value):
        name = trimmed(tag) if isinstance(tag, str) else ""
        if name:
            tags.setdefault(name.casefold(), TagCompany(company_id=own_id, name=name))
        else:
            draft.note("C3", f"{key}.{at}", "not a text")
    return list(tags.values())


def _removes(draft: Draft, rule: str) -> bool:
    """Tell whether the contact is to be detached: only the boolean true asks for that (*rule* I12 or C5)."""
    if "remove" not in draft.known:
        return False
    key, value = draft.known.pop("remove")
    if not isinstance(value, bool):
        draft.note(rule, key, "not a boolean")
    return value is True


def _note_unchanged(draft: Draft, rule: str, *, is_named: bool) -> None:
    """Note each trait of a company that is not written; *is_named* says that the company's name made its id."""
    is_untrusted = rule == "V4"
    reason = (
        "company field of an untrusted sender" if is_untrusted else "detaching leaves the company as it is"
    )
    used = (*_PLAIN_IDS, "name") if is_named else _PLAIN_IDS
    for key in [trait[0] for plain, trait in draft.known.items() if plain not in used] + [
        key for key, _ in draft.rest
    ]:
        draft.note(rule, key, reason)


def _ids_left_out(path: str, notes: list[Note]) -> dict[str, Trait]:
    """
    Return the traits of the company at *path* that name its id and have no form in JSON, so that acceptance left them out (Q6).

    Such a value is there and cannot be read, so the name or another id must not stand in for it (C1). An empty object stands for it.
    """
    prefix = f"{path}."
    keys = [
        note.path.removeprefix(prefix) for note in notes if note.rule == "Q6" and note.path.startswith(prefix)
    ]
    return {PLAIN[key]: (key, {}) for key in keys if "." not in key and PLAIN[key] in _PLAIN_IDS}


def _id_trait(known: Mapping[str, Trait]) -> Trait | None:
    """Return the trait that decides on the company's id: the first one that is there, also if it cannot be an id (C1)."""
    for plain in _PLAIN_IDS:
        if plain in known:
            value = known[plain][1]
            # A text that is no id counts as absent (R2).
            if not is_absent(value) and (type(value) is not str or id_text(value) is not None):
                return known[plain]
    return None
