"""Turns the option ``subscriptions`` into operations (rule I14); knows no subscription type: only Intercom does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._types import Note
from ..messages._coercion import check_json, text_field
from ._values import SetSubscription

if TYPE_CHECKING:
    from ..messages._integrations import Options
    from ._values import Who


def subscriptions_of(options: Options, who: Who, notes: list[Note]) -> list[SetSubscription]:
    """Return the choices of the contact, in the caller's order; *notes* receives a note for each that is none."""
    option = None if options.is_empty else options.find("subscriptions")
    if option is None:
        return []
    path, value = option
    if not isinstance(value, dict):
        check_json(value)
        notes.append(Note("I14", path, "not an object of names with true or false"))
        return []
    choices: list[SetSubscription] = []
    for key, is_wanted in value.items():
        own_path, name = f"{path}.{key}", text_field(key)
        if not isinstance(is_wanted, bool):
            check_json(is_wanted)
            notes.append(Note("I14", own_path, "not a boolean"))
        elif name is None:
            notes.append(Note("I14", own_path, "nothing usable is left of the name"))
        else:
            choice = SetSubscription(who=who, subscription=name, is_wanted=is_wanted, path=own_path)
            choices.append(choice)
    return choices
