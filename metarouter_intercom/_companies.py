"""Companies: of group messages and of an identify's traits (rules C, I12); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._instants import unix_seconds
from ._traits import PROOFS, Chain, id_text, is_absent, look_up, number, plain_name, text_field, whole_number
from .operations import AttachCompany, DetachCompany, TagCompany, UpsertCompany
from .plugins import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._attributes import Flattener
    from ._types import JsonObject, JsonValue
    from .operations import Operation, Who
    from .settings import Settings

    Json = Mapping[str, JsonValue]

_LARGEST_SPEND = 2**31 - 1
_ID_NAMES = ("id", "company_id", "companyId", "groupId")
_PLAIN_IDS = frozenset(plain_name(name) for name in _ID_NAMES)
_TEXTS = ("name", "plan", "industry", "website")
_SIZES = ("size", "employees", "employeecount")
_CREATED = ("createdat", "created")
_KNOWN = {name: name for name in (*_TEXTS, "size", "employees", "created", "tags", "remove")} | {
    "employeecount": "employeeCount",
    "monthlyspend": "monthlySpend",
    "createdat": "createdAt",
}


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

    def of_group(
        self, group_id: str | None, traits: Json, who: Who | None, notes: list[Note]
    ) -> list[Operation] | None:
        """Return the operations of a group message; None when it has no usable id, or nobody to detach."""
        found = company_id(group_id, traits, self._how)
        if found is None:
            return None
        if look_up(traits, "remove") is True:
            return None if who is None else [DetachCompany(who=who, company_id=found)]
        operations = self._upsert(found, traits, notes, "traits")
        if who is None:
            notes.append(Note("C4", "userId", "Intercom shows a company only once it has a contact"))
        else:
            operations.append(AttachCompany(who=who, company_id=found))
        return operations

    def of_identify(
        self, values: Iterator[tuple[str, JsonValue]], who: Who, notes: list[Note]
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
                notes.append(Note("I12", path, "neither an object nor a name"))
                continue
            found = company_id(_own_id(traits), traits, self._how)
            if found is None:
                notes.append(Note("C1", path, "a company without an id"))
            elif found in done:
                notes.append(Note("I12", path, "this company came before"))
            else:
                done.add(found)
                operations += self._attach_or_detach(found, traits, who, notes, path)
        return operations, done

    def _attach_or_detach(
        self, found: str, traits: Json, who: Who, notes: list[Note], path: str
    ) -> list[Operation]:
        if look_up(traits, "remove") is True:
            return [DetachCompany(who=who, company_id=found)]
        operations = self._upsert(found, traits, notes, path)
        operations.append(AttachCompany(who=who, company_id=found))
        return operations

    def _upsert(self, found: str, traits: Json, notes: list[Note], path: str) -> list[Operation]:
        fields: JsonObject = {}
        attributes: JsonObject = {}
        tags: list[Operation] = []
        if traits:
            chain = Chain(traits, _KNOWN, notes=notes, path=path)
            _write_fields(chain, fields, notes, path)
            self._note_remove(chain, notes, path)
            tags = self._tags(found, chain, notes, path)
            notes.extend(Note("I10", f"{path}.{key}", "another trait came first") for key, _ in chain.left())
            rest = [item for item in chain.rest if not _is_left_out(item, found, notes, path)]
            self._flattener.write(rest, attributes, notes, path)
        return [UpsertCompany(company_id=found, fields=fields, attributes=attributes), *tags]

    def _note_remove(self, chain: Chain, notes: list[Note], path: str) -> None:
        taken = chain.pop("remove")
        if taken is not None:
            notes.append(Note("I12", f"{path}.{taken[0]}", "not the boolean true"))

    def _tags(self, found: str, chain: Chain, notes: list[Note], path: str) -> list[Operation]:
        taken = chain.pop("tags")
        if taken is None:
            return []
        key, value = taken
        if not isinstance(value, list):
            chain.put_back(key, value)
            return []
        tags: list[Operation] = []
        for at, tag in enumerate(value):
            name = tag.strip() if isinstance(tag, str) else ""
            if name:
                tags.append(TagCompany(company_id=found, name=name))
            else:
                notes.append(Note("C3", f"{path}.{key}.{at}", "not a text"))
        return tags


def _own_id(traits: Json) -> JsonValue:
    for name in _ID_NAMES:
        found = id_text(look_up(traits, name))
        if found is not None:
            return found
    return None


def _is_left_out(item: tuple[str, JsonValue], own_id: str, notes: list[Note], path: str) -> bool:
    key, value = item
    plain = plain_name(key)
    if plain in _PLAIN_IDS and id_text(value) == own_id:
        return True
    if plain in PROOFS:
        notes.append(Note("R7", f"{path}.{key}", "a proof of identity"))
        return True
    return False


def _write_fields(chain: Chain, fields: JsonObject, notes: list[Note], path: str) -> None:
    for plain in _TEXTS:
        taken = chain.pop(plain)
        if taken is not None:
            _write(fields, plain, text_field(taken[1]), taken, "not a text", notes, path)
    for plain in _SIZES:
        taken = None if "size" in fields else chain.pop(plain)
        if taken is not None:
            _write(fields, "size", whole_number(taken[1]), taken, "not a whole number", notes, path)
    taken = chain.pop("monthlyspend")
    if taken is not None:
        spend = number(taken[1])
        in_bounds = spend is not None and abs(spend) <= _LARGEST_SPEND
        amount = int(spend) if spend is not None and in_bounds else None
        _write(fields, "monthly_spend", amount, taken, "not a number Intercom can hold", notes, path)
    for plain in _CREATED:
        taken = None if "remote_created_at" in fields else chain.pop(plain)
        if taken is not None:
            _write(fields, "remote_created_at", unix_seconds(taken[1]), taken, "not an instant", notes, path)


def _write(
    fields: JsonObject,
    field: str,
    value: JsonValue,
    taken: tuple[str, JsonValue],
    fault: str,
    notes: list[Note],
    path: str,
) -> None:
    if value is not None:
        fields[field] = value
    else:
        reason = "null or blank" if is_absent(taken[1]) else fault
        notes.append(Note("C2", f"{path}.{taken[0]}", reason))
