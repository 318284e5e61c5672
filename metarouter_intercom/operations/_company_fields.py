"""Writes the standard fields of a company, and knows which traits feed them (rule C2); knows neither ids nor operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages._coercion import number, text_field, whole_number
from ..messages._facts import PLAIN, is_absent, look_up
from ..messages._timestamps import time_note, unix_seconds

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..messages._facts import Trait
    from ._draft import Draft

# Plain names of traits; where several feed one field, the first one wins.
PLAN = "plan"
TEXTS = ("name", PLAN, "industry", "website")
SIZES = ("size", "employees", "employeecount")
SPEND = "monthlyspend"
CREATED = ("remotecreatedat", "createdat", "created")
# Intercom stores the spend in 32 bits, and a whole number of at most 64 bits is the largest that JSON readers keep.
LARGEST_SPEND = 2**31 - 1
SIZE_LIMIT = 2**63


def write_company_fields(draft: Draft) -> None:
    """Write the standard fields into *draft*; a trait that stays in it came after another one."""
    known, fields = draft.known, draft.fields
    if PLAN in known and isinstance(known[PLAN][1], dict):
        _write_plan(draft, known.pop(PLAN))
    for plain in TEXTS:
        if plain in known:
            trait = known.pop(plain)
            value = trait[1]
            text = text_field(value)
            if text:
                fields[plain] = text
            else:
                draft.note("C2", trait[0], "null or blank" if is_absent(value) else "not a text")
    for plain in SIZES:
        if plain in known and "size" not in fields:
            _write_size(draft, known.pop(plain))
    if SPEND in known:
        _write_spend(draft, known.pop(SPEND))
    for plain in CREATED:
        if plain in known and "remote_created_at" not in fields:
            _write_created(draft, known.pop(plain))


def _write_plan(draft: Draft, trait: Trait) -> None:
    """Write the name of a plan that is an object, as Intercom's own answers have it."""
    key, plan = trait
    members: JsonObject = plan  # type: ignore[assignment]  # the caller has seen that it is an object
    name = look_up(members, "name")
    text = text_field(name)
    if text:
        draft.fields[PLAN] = text
    else:
        draft.note("C2", key, "null or blank" if is_absent(name) else "not a text")
    for member in members:
        if PLAIN[member] != "name":
            draft.note("C2", f"{key}.{member}", "only the name of a plan is used")


def _write_size(draft: Draft, trait: Trait) -> None:
    key, value = trait
    size = whole_number(value)
    if size is not None:
        draft.fields["size"] = size
    else:
        draft.note("C2", key, "null or blank" if is_absent(value) else "not a whole number")


def _write_spend(draft: Draft, trait: Trait) -> None:
    key, value = trait
    spend = number(value)
    if spend is not None and abs(int(spend)) <= LARGEST_SPEND:
        draft.fields["monthly_spend"] = int(spend)
    else:
        draft.note("C2", key, "null or blank" if is_absent(value) else "not a number Intercom can hold")


def _write_created(draft: Draft, trait: Trait) -> None:
    key, value = trait
    seconds = unix_seconds(value)
    if seconds is not None:
        draft.fields["remote_created_at"] = seconds
    else:
        draft.notes.append(time_note("C2", f"{draft.path}.{key}", value))
