"""Translates a message into operations (rules R6 to R8, R11, V4, L1); deterministic, knows neither HTTP nor what the workspace holds."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import attrs

from .._types import Note
from ..messages import Alias, Group, Identify, Track
from ..messages._coercion import NotJson
from ..messages._contact_keys import email_of
from ..messages._integrations import NO_OPTIONS, Options, Silence, is_selected, own_names
from ..messages._json_copy import Copier
from ._companies import UNTRUSTED_COMPANY, Companies
from ._contacts import Contacts
from ._events import Events
from ._fast_values import user
from ._flatten import Flattener
from ._ignored_people import IgnoredPeople
from ._values import MergeContact, Translation, UpsertContact, Who, who_of

if TYPE_CHECKING:
    from ..messages import Message, Page
    from ..settings import Settings
    from ._values import Operation, SubmitEvent

_OBJECTS = ("traits", "properties", "context", "integrations")


class DefaultTranslator:
    """
    Translates messages with the same settings; keeps none of their values, so it is safe in any thread.

    Args:
        settings: The choices of the mapping.
    """

    def __init__(self, settings: Settings) -> None:
        attributes = Flattener(settings, of_events=False)
        self._companies = Companies(settings, attributes)
        self._contacts = Contacts(settings, attributes, self._companies)
        self._events = Events(settings, Flattener(settings, of_events=True))
        self._names = own_names(settings.integration_names)
        self._silence = Silence(self._names)
        self._is_trusted = not settings.require_identity
        self._merges_leads = settings.anonymous == "lead"
        # Nobody can prove an anonymous id, so an untrusted sender makes no leads (V4).
        self._makes_leads = self._merges_leads and self._is_trusted
        self._for_untrusted = (
            DefaultTranslator(attrs.evolve(settings, require_identity=True)) if self._is_trusted else None
        )
        self._ignored = IgnoredPeople.named_by(settings)
        self._updates_last_seen = settings.events_update_last_seen

    def __call__(self, message: Message) -> Translation:
        """
        Return what *message* means for Intercom.

        Args:
            message: Its traits, properties, context and integrations are JSON values, as in every message that a client accepted.

        Returns:
            Operations in the order in which they make sense, with a note for each value that was changed or left out; or the reason why
            the message has nothing to do in Intercom.

        Raises:
            NotJson: A value is none that JSON knows. ``operations.translate`` takes such messages too. ``TypeError`` and
                ``AttributeError`` mean the same.
        """
        if message.is_untrusted and self._for_untrusted is not None:
            return self._for_untrusted(message)
        if self._ignored is not None and self._ignored.has(message):
            return Translation((), message.notes, "ignored_contact")
        notes: list[Note] = list(message.notes)
        if not message.integrations and self._silence[tuple(message.context)]:
            options = NO_OPTIONS
        elif is_selected(message, self._names, notes):
            options = Options(message, self._names, is_trusted=self._is_trusted, notes=notes)
        else:
            return Translation((), tuple(notes), "not_selected")
        if options is not NO_OPTIONS and not isinstance(message, Identify):
            _note_choices(options, notes)
        if isinstance(message, Track):
            return self._event(message, options, notes)
        if isinstance(message, Identify):
            return _translation(
                self._contacts.translate_identify(message, options, notes), notes, "no_identity"
            )
        if isinstance(message, Group):
            return self._group(message, options, notes)
        if isinstance(message, Alias):
            return self._alias(message, options, notes)
        return self._event(message, options, notes)

    def _group(self, message: Group, options: Options, notes: list[Note]) -> Translation:
        # A userId alone names the contact of a group, even if it looks like an e-mail address.
        email = None if message.user_id else email_of(message)
        who = self._who(message, options, email)
        if not self._is_trusted and (who is None or self._companies.rights == "off"):
            notes.append(Note("V4", "groupId" if message.group_id else "traits.name", UNTRUSTED_COMPANY))
            return Translation((), tuple(notes), "untrusted_company")
        operations = self._companies.translate_group(message, who, notes)
        return _translation(operations, notes, "no_identity" if message.group_id else "no_company")

    def _event(self, message: Track | Page, options: Options, notes: list[Note]) -> Translation:
        name, reason = self._events.name_of(message)
        if name is None:
            return Translation((), tuple(notes), reason)
        who = self._who(message, options, email_of(message))
        if who is None:
            return Translation((), tuple(notes), "no_identity")
        event = self._events.translate_event(message, name, who=who, notes=notes)
        if self._updates_last_seen and event.created_at > 0 and message.context.get("active") is not False:
            return Translation((event, _last_seen(event)), tuple(notes))
        return Translation((event,), tuple(notes))

    def _alias(self, message: Alias, options: Options, notes: list[Note]) -> Translation:
        contact_id = options.contact_id()
        lead: Who | None = None
        if contact_id is not None:
            lead = who_of(contact_id, None)
        elif message.previous_id is not None and self._merges_leads:
            lead = Who(anonymous_id=message.previous_id)
        if lead is None or message.user_id is None:
            return Translation((), tuple(notes), "nothing_to_merge")
        user = who_of(None, message.user_id)
        return Translation((MergeContact(lead=lead, user=user),), tuple(notes))

    def _who(self, message: Group | Track | Page, options: Options, email: str | None) -> Who | None:
        """Return whom *message* is about (R8); None when it names nobody, or only a visitor and the settings make no leads."""
        if options is NO_OPTIONS and email is None and message.user_id is not None:
            # Nearly every message ends here, so this one call is spared a function of its own.
            return user(message.user_id)
        contact_id = options.contact_id()
        if contact_id is not None or message.user_id is not None or email is not None:
            return who_of(contact_id, message.user_id, email)
        if message.anonymous_id is not None and self._makes_leads:
            return Who(anonymous_id=message.anonymous_id)
        return None


def _note_choices(options: Options, notes: list[Note]) -> None:
    """Note the options that follow the write of a contact, in a message that writes none (I13, I14)."""
    for rule, name in (("I13", "tags"), ("I14", "subscriptions")):
        option = options.find(name)
        if option is not None:
            notes.append(Note(rule, option[0], "only with an identify"))


def _last_seen(event: SubmitEvent) -> UpsertContact:
    """Return the operation that refreshes when the contact of *event* was last seen (E11)."""
    return UpsertContact(
        who=event.who, role=None, fields={"last_seen_at": event.created_at}, attributes={}, only_known=True
    )


@lru_cache(maxsize=16)
def _translator(settings: Settings) -> DefaultTranslator:
    return DefaultTranslator(settings)


def translate(message: Message, settings: Settings) -> Translation:
    """
    Return what *message* means for Intercom. A pure function: it sends nothing, and the same arguments give the same answer.

    It raises nothing because of what a message holds: a value that Intercom cannot take is changed or left out, with a note. For many
    messages make one ``DefaultTranslator``, which needs no look-up of the settings for each message.

    Args:
        message: Read from the wire or made by hand. Made by hand, its values may be any that a client accepts, such as ``datetime`` and
            ``Decimal``.
        settings: The choices of the mapping; its credentials are not used.

    Returns:
        The operations, in the order in which they make sense, with notes; or, in ``skipped``, why there are none.
    """
    translator = _translator(settings)
    try:
        return translator(message)
    except (NotJson, TypeError, AttributeError):
        # Only a message made by hand gets here: buffered ones are JSON. It is copied once, and then it is JSON too.
        return translator(_as_json(message))


def _as_json(message: Message) -> Message:
    """Return *message* with JSON values, as acceptance makes them; a value that has no JSON form is left out with a note."""
    import attrs

    copier = Copier()
    copies: dict[str, Any] = {
        name: copier.copy_object(getattr(message, name), name) for name in _OBJECTS if hasattr(message, name)
    }
    return attrs.evolve(message, notes=(*message.notes, *copier.notes), **copies)


def _translation(operations: list[Operation] | None, notes: list[Note], reason: str) -> Translation:
    if operations is None:
        return Translation((), tuple(notes), reason)
    return Translation(tuple(operations), tuple(notes))
