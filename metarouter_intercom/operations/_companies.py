"""Companies: of group messages and of an identify's traits (rules C, I12); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._types import Note
from ..messages._coercion import check_json, id_text, number, text_field, whole_number
from ..messages._facts import PLAIN, PROOFS, Known, is_absent, look_up
from ..messages._timestamps import unix_seconds
from ._fast_traits import UsualCompanies
from ._values import AttachCompany, DetachCompany, TagCompany, UpsertCompany

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._types import JsonObject, JsonValue
    from ..settings import Settings
    from ._flatten import Flattener
    from ._values import Operation, Who

    Json = Mapping[str, JsonValue]

_LARGEST_SPEND = 2**31 - 1
_ID_NAMES = ("id", "company_id", "companyId", "groupId")
# In the order in which they are asked (C1); ``company_id`` and ``companyId`` are one name (R3).
_PLAIN_IDS = tuple(dict.fromkeys(PLAIN[name] for name in _ID_NAMES))
_TEXTS = ("name", "plan", "industry", "website")
_SIZES = ("size", "employees", "employeecount")
_CREATED = ("createdat", "created")
_KNOWN = Known(
    (
        *_ID_NAMES,
        *_TEXTS,
        "size",
        "employees",
        "employeeCount",
        "monthlySpend",
        "createdAt",
        "created",
        "tags",
        "remove",
        "user_hash",
        "intercom_user_jwt",
    )
)


def name_hash(name: str) -> str:
    """
    Return the id of a company that is known by its name only, as Segment and MetaRouter made it (C1).

    The 32-bit djb2-xor hash over UTF-16 units from the last one to the first: ``Segment`` gives ``2017828326``.
    """
    code = 5381
    units = name.encode("utf-16-le", "surrogatepass")
    for at in range(len(units) - 2, -1, -2):
        code = (code * 33 ^ (units[at] | units[at + 1] << 8)) & 0xFFFFFFFF
    return str(code)


def company_id(own_id: JsonValue, traits: Json, how: str) -> str | None:
    """
    Return the id by which a company is known, or None when there is none (C1).

    Args:
        own_id: What the message says it is.
        traits: Of the company; its name may stand in.
        how: Setting ``company_id_from_name``.
    """
    found = id_text(own_id)
    if found is not None or how == "reject":
        return found
    name = text_field(look_up(traits, "name"))
    if name is None:
        return None
    return name if how == "name" else name_hash(name)


class Companies:
    """Turns company traits into operations; built once for each settings."""

    def __init__(self, settings: Settings, flattener: Flattener) -> None:
        self._how = settings.company_id_from_name
        self._flattener = flattener
        self.usual = UsualCompanies(settings, _KNOWN.exact)

    def of_group(
        self, group_id: str | None, traits: Json, who: Who | None, notes: list[Note]
    ) -> list[Operation] | None:
        """Return the operations of a group message; None when it has no usable id, or nobody to detach."""
        found = group_id if group_id is not None else company_id(None, traits, self._how)
        if found is None:
            return None
        usual = None if who is None else self.of_usual_group(found, traits, who)
        if usual is not None:
            return usual
        return self.of_group_carefully(found, traits, who, notes, is_named=group_id is None)

    def of_usual_group(self, own_id: str, traits: Json, who: Who) -> list[Operation] | None:
        """Return what ``of_group_carefully`` does for usual traits, at a third of its cost; None for any others."""
        usual = self.usual.read(traits)
        if usual is None or usual.own_id is not None:
            return None
        return [
            UpsertCompany(company_id=own_id, fields=usual.fields, attributes=usual.attributes),
            AttachCompany(who=who, company_id=own_id),
        ]

    def of_group_carefully(
        self, own_id: str, traits: Json, who: Who | None, notes: list[Note], *, is_named: bool = False
    ) -> list[Operation] | None:
        """
        Return the operations of a group message about the company *own_id*; None when there is nobody to detach.

        Args:
            own_id: The caller's id of it.
            traits: Of the company.
            who: The contact, if the message names one.
            notes: Told what is left out.
            is_named: The id comes from the company's name.
        """
        draft = _Draft(*_KNOWN.sort(traits, notes, "traits"), notes, "traits")
        if _removes(draft, "C5"):
            _tell_untouched(draft, "C5", is_named=is_named)
            return None if who is None else [DetachCompany(who=who, company_id=own_id)]
        operations = self._upsert(own_id, draft)
        if who is None:
            notes.append(Note("C4", "userId", "Intercom shows a company only once it has a contact"))
        else:
            operations.append(AttachCompany(who=who, company_id=own_id))
        return operations

    def of_identify(
        self, values: Iterable[tuple[str, JsonValue]], who: Who, notes: list[Note]
    ) -> tuple[list[Operation], set[str]]:
        """
        Return the operations of an identify's companies and their ids.

        Args:
            values: ``(path, company)`` in the order in which they are handled; each an object or a name.
            who: The contact.
            notes: Told what is left out.
        """
        operations: list[Operation] = []
        done: set[str] = set()
        for path, value in values:
            traits: Json | None = {"name": value} if isinstance(value, str) and value.strip() else None
            if isinstance(value, dict):
                traits = value
            if traits is None:
                check_json(value)
                notes.append(Note("I12", path, "neither an object nor a name"))
                continue
            draft = _Draft(*_KNOWN.sort(traits, notes, path), notes, path)
            found = _own_id(draft.found) or company_id(None, traits, self._how)
            if found is None:
                notes.append(Note("C1", path, "a company without an id"))
            elif found in done:
                notes.append(Note("I12", path, "this company came before"))
            else:
                done.add(found)
                if _removes(draft, "I12"):
                    _tell_untouched(draft, "I12", is_named=_own_id(draft.found) is None)
                    operations.append(DetachCompany(who=who, company_id=found))
                else:
                    operations += self._upsert(found, draft)
                    operations.append(AttachCompany(who=who, company_id=found))
        return operations, done

    def _upsert(self, own_id: str, draft: _Draft) -> list[Operation]:
        fields: JsonObject = {}
        attributes: JsonObject = {}
        found, rest, notes, path = draft
        for plain in _PLAIN_IDS:
            if plain in found:
                taken = found.pop(plain)
                if taken[1] != own_id and id_text(taken[1]) != own_id:
                    rest.append(taken)
        tags = self._tags(own_id, draft) if "tags" in found else ()
        if found:
            _write_fields(draft, fields)
            for plain, (key, _) in found.items():
                if plain in PROOFS:
                    notes.append(Note("R7", f"{path}.{key}", "a proof of identity"))
                else:
                    notes.append(Note("I10", f"{path}.{key}", "another trait came first"))
        if rest:
            self._flattener.write(rest, attributes, notes, path)
        return [UpsertCompany(company_id=own_id, fields=fields, attributes=attributes), *tags]

    def _tags(self, own_id: str, draft: _Draft) -> list[Operation]:
        key, value = draft.found.pop("tags")
        if not isinstance(value, list):
            draft.rest.append((key, value))
            return []
        # Intercom compares tags without case (contract, section 5).
        tags: dict[str, Operation] = {}
        for at, tag in enumerate(value):
            name = tag.strip() if isinstance(tag, str) else ""
            if name:
                tags.setdefault(name.casefold(), TagCompany(company_id=own_id, name=name))
            else:
                draft.notes.append(Note("C3", f"{draft.path}.{key}.{at}", "not a text"))
        return list(tags.values())


class _Draft(NamedTuple):
    """The traits of one company, sorted: those that feed fields by plain name, the rest, and where notes go."""

    found: dict[str, tuple[str, JsonValue]]
    rest: list[tuple[str, JsonValue]]
    notes: list[Note]
    path: str


def _removes(draft: _Draft, rule: str) -> bool:
    """Tell whether the contact shall be detached: only the boolean true does that (*rule* I12 or C5)."""
    if "remove" not in draft.found:
        return False
    taken = draft.found.pop("remove")
    if not isinstance(taken[1], bool):
        draft.notes.append(Note(rule, f"{draft.path}.{taken[0]}", "not a boolean"))
    return taken[1] is True


def _tell_untouched(draft: _Draft, rule: str, *, is_named: bool) -> None:
    """Add a note for each fact of a company that the contact is detached from; *is_named* says that its name is its id."""
    used = (*_PLAIN_IDS, "name") if is_named else _PLAIN_IDS
    for key in [item[0] for plain, item in draft.found.items() if plain not in used] + [
        key for key, _ in draft.rest
    ]:
        draft.notes.append(Note(rule, f"{draft.path}.{key}", "detaching leaves the company as it is"))


def _own_id(found: Mapping[str, tuple[str, JsonValue]]) -> str | None:
    for plain in _PLAIN_IDS:
        if plain in found and (own := id_text(found[plain][1])) is not None:
            return own
    return None


def _write_fields(draft: _Draft, fields: JsonObject) -> None:
    """Write the standard fields (C2); what is left in the draft afterwards stood behind another trait."""
    found = draft.found
    for plain in _TEXTS:
        if plain in found:
            taken = found.pop(plain)
            given = taken[1]
            fields[plain] = text = given.strip() if type(given) is str else text_field(given)
            if not text:
                _tell(draft, fields, plain, taken, "not a text")
    for plain in _SIZES:
        if plain in found and "size" not in fields:
            taken = found.pop(plain)
            fields["size"] = whole_number(taken[1])
            if fields["size"] is None:
                _tell(draft, fields, "size", taken, "not a whole number")
    if "monthlyspend" in found:
        taken = found.pop("monthlyspend")
        spend = number(taken[1])
        if spend is None or abs(int(spend)) > _LARGEST_SPEND:
            _tell(draft, fields, "monthly_spend", taken, "not a number Intercom can hold")
        else:
            fields["monthly_spend"] = int(spend)
    for plain in _CREATED:
        if plain in found and "remote_created_at" not in fields:
            taken = found.pop(plain)
            fields["remote_created_at"] = seconds = unix_seconds(taken[1])
            if seconds is None:
                _tell(draft, fields, "remote_created_at", taken, "not an instant")


def _tell(draft: _Draft, fields: JsonObject, field: str, taken: tuple[str, JsonValue], fault: str) -> None:
    """Leave *field* out and say why."""
    fields.pop(field, None)
    reason = "null or blank" if is_absent(taken[1]) else fault
    draft.notes.append(Note("C2", f"{draft.path}.{taken[0]}", reason))
