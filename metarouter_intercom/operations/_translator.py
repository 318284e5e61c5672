"""From a message to operations (rules R6 to R8, I, C, E, L, A): pure, deterministic, never raising on a customer's data."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .._types import Note
from ..messages import Alias, Group, Identify, Track
from ..messages._coercion import NotJson, address
from ..messages._facts import look_up, object_at
from ..messages._integrations import NO_OPTIONS, Options, Silence, is_selected, own_names
from ..messages._json_copy import Copier
from ._companies import Companies
from ._contacts import Contacts
from ._events import Events, email_of_event
from ._flatten import Flattener
from ._values import MergeContact, Translation, Who

if TYPE_CHECKING:
    from .._types import ContactId, ExternalId
    from ..messages import Message, Page
    from ..settings import Settings
    from ._values import Operation

_FACTS = ("traits", "properties", "context", "integrations")


class DefaultTranslator:
    """Translates messages under one settings; keeps nothing of them, so it is safe in any thread."""

    def __init__(self, settings: Settings) -> None:
        attributes = Flattener(settings, of_events=False)
        self._companies = Companies(settings, attributes)
        self._contacts = Contacts(settings, attributes, self._companies)
        self._events = Events(settings, Flattener(settings, of_events=True))
        self._names = own_names(settings.integration_names)
        self._silence = Silence(self._names)
        self._is_trusted = not settings.require_identity
        self._makes_leads = settings.anonymous == "lead"

    def __call__(self, message: Message) -> Translation:
        """
        Say what *message* means for Intercom.

        Returns:
            Operations in the order in which they make sense, with notes for whatever was changed or left out; or the reason why
            the message has nothing to do in Intercom.
        """
        notes: list[Note] = list(message.notes)
        if not message.integrations and self._silence[tuple(message.context)]:
            options = NO_OPTIONS
        elif is_selected(message, self._names):
            options = Options(message, self._names, is_trusted=self._is_trusted, notes=notes)
        else:
            return Translation((), message.notes, "not_selected")
        if isinstance(message, Track):
            return self._event(message, options, notes)
        if isinstance(message, Identify):
            return _translation(self._contacts.translate(message, options, notes), notes, "no_identity")
        if isinstance(message, Group):
            return self._group(message, options, notes)
        if isinstance(message, Alias):
            return self._alias(message, options, notes)
        return self._event(message, options, notes)

    def _group(self, message: Group, options: Options, notes: list[Note]) -> Translation:
        email: str | None = None
        if not message.user_id:
            email = address(look_up(object_at(message.context, "traits"), "email"))
        who = self._who(message, options, email)
        operations = self._companies.of_group(message.group_id, message.traits, who, notes)
        return _translation(operations, notes, "no_identity" if message.group_id else "no_company")

    def _event(self, message: Track | Page, options: Options, notes: list[Note]) -> Translation:
        name, reason = self._events.name_of(message)
        if name is None:
            return Translation((), tuple(notes), reason)
        email = address(message.user_id) if message.user_id else email_of_event(message)
        who = self._who(message, options, email)
        if who is None:
            return Translation((), tuple(notes), "no_identity")
        return Translation((self._events.translate(message, name, who, notes),), tuple(notes))

    def _alias(self, message: Alias, options: Options, notes: list[Note]) -> Translation:
        contact_id = options.contact_id()
        lead: Who | None = None
        if contact_id is not None:
            lead = Who(contact_id=_contact(contact_id))
        elif message.previous_id is not None and self._makes_leads:
            lead = Who(anonymous_id=message.previous_id)
        if lead is None or message.user_id is None:
            return Translation((), tuple(notes), "nothing_to_merge")
        user = Who(external_id=_external(message.user_id))
        return Translation((MergeContact(lead=lead, user=user),), tuple(notes))

    def _who(self, message: Group | Track | Page, options: Options, email: str | None) -> Who | None:
        """Return whom *message* is about (R8); None when that is nobody we may name."""
        if options is NO_OPTIONS and email is None and message.user_id is not None:
            return Who(external_id=_external(message.user_id))
        contact_id = options.contact_id()
        if contact_id is not None or message.user_id is not None or email is not None:
            return Who(contact_id=_contact(contact_id), external_id=_external(message.user_id), email=email)
        if message.anonymous_id is not None and self._makes_leads:
            return Who(anonymous_id=message.anonymous_id)
        return None


@lru_cache(maxsize=16)
def _translator(settings: Settings) -> DefaultTranslator:
    return DefaultTranslator(settings)


def translate(message: Message, settings: Settings) -> Translation:
    """
    Say what *message* means for Intercom under *settings*; see ``Translator``.

    Args:
        message: Read from the wire or made by hand: its facts may hold what acceptance takes, such as ``datetime`` and ``Decimal``.
        settings: The mapping's choices.
    """
    translator = _translator(settings)
    try:
        return translator(message)
    except (NotJson, TypeError, AttributeError):
        # Buffered messages are JSON; only one that was made by hand gets here, and once.
        return translator(_as_json(message))


def _as_json(message: Message) -> Message:
    """Return *message* with facts that are JSON values, as acceptance makes them; what cannot be one is left out with a note."""
    import attrs

    copier = Copier()
    copied: dict[str, Any] = {
        name: copier.copy_object(getattr(message, name), name) for name in _FACTS if hasattr(message, name)
    }
    told = (*copier.notes, *(Note("Q2", problem.path, problem.fault) for problem in copier.problems))
    return attrs.evolve(message, notes=(*message.notes, *told), **copied)


def _translation(operations: list[Operation] | None, notes: list[Note], reason: str) -> Translation:
    if operations is None:
        return Translation((), tuple(notes), reason)
    return Translation(tuple(operations), tuple(notes))


def _contact(value: str | None) -> ContactId | None:
    return value  # type: ignore[return-value]  # a NewType is its base at run time


def _external(value: str | None) -> ExternalId | None:
    return value  # type: ignore[return-value]  # as above
