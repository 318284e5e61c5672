"""
What names an event and its contact when seconds are shared out (rule E10); pure, knows no second that is taken.

A message id of the caller names its event. An id that this library made names nothing, because the same file read twice gets other ids:
then the event is named by its second and its properties.
"""

from __future__ import annotations

import json
import marshal
from typing import TYPE_CHECKING

from ..messages._memo import Memo
from ..messages._message_ids import is_own_message_id
from ..operations import MergeContact, UpsertContact
from .event_seconds import Slot, digest, digest_of_place, folded_name

if TYPE_CHECKING:
    from .._types import JsonObject
    from ..operations import Operation, SubmitEvent, Who
    from .event_seconds import Place
    from .workspace_cache import WorkspaceCache

# This version of the format packs equal values into equal bytes, in every version of Python.
_FORMAT = 2
_NESTED = frozenset((dict, list))
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
# Names and people repeat; beyond these numbers their texts and digests are worked out each time.
_names: Memo[str, str] = Memo(folded_name, 5_000)
_digests: Memo[str, int] = Memo(digest, 5_000)
_places: Memo[Place, int] = Memo(digest_of_place, 5_000)


def wish_of(event: SubmitEvent, message: JsonObject, places: Places, number: int) -> Slot:
    """
    Return what *event* asks for, to be kept in memory.

    Args:
        event: One operation of *message*.
        message: In Segment's wire form.
        places: Knows the place of each contact.
        number: How many events of the message come before it; only a translator of the caller's makes several.
    """
    name, second = _names[event.event_name], event.created_at
    return Slot(hash(_identity(event, message, name, number)), places.of(event.who), name, second)


def digested(event: SubmitEvent, message: JsonObject, places: Places, number: int) -> Slot:
    """Return what *event* asks for, as digests that a file can keep; the arguments are those of ``wish_of``."""
    name, second = _names[event.event_name], event.created_at
    identity = marshal.dumps(_identity(event, message, name, number), _FORMAT)  # type: ignore[arg-type]  # texts, numbers and bytes
    return Slot(digest(identity), _places[places.of(event.who)], _digests[name], second)


def digested_links(links: dict[Place, Place]) -> dict[Place, Place]:
    """Return *links* as digests."""
    return {_places[key]: _places[place] for key, place in links.items()}


def _identity(event: SubmitEvent, message: JsonObject, name: str, number: int) -> tuple[object, ...]:
    message_id: str = message["messageId"]  # type: ignore[assignment]  # stamped messages have a text there
    key = event.who.external_id or (event.who.key,)
    if not is_own_message_id(message_id):
        return key, name, number, message_id
    return key, name, number, event.created_at, _content_of(message)


def _content_of(message: JsonObject) -> bytes:
    """
    Return what tells a message from others of its contact, name and second: equal contents give equal bytes, in any order of their keys.

    These are the properties as the caller sent them: Intercom's metadata has only ten of them, and depends on the settings.
    """
    properties = message.get("properties")
    if message["type"] != "track":
        context = message.get("context")
        properties = [properties, context.get("page") if isinstance(context, dict) else None]
    elif type(properties) is dict and _NESTED.isdisjoint(map(type, properties.values())):
        return marshal.dumps(sorted(properties.items()), _FORMAT)
    return _encode(properties).encode()


class Places:
    """
    Which keys lead to one contact: what the cache knows, and what the operations of one claim say.

    Args:
        cache: Intercom's ids of contacts.

    Attributes:
        links: Key -> key of the same contact under which its events are compared.
    """

    def __init__(self, cache: WorkspaceCache) -> None:
        self._cache = cache
        self.links: dict[Place, Place] = {}

    def learn(self, operation: Operation) -> None:
        """Learn from an upsert or a merge which keys its contact has."""
        if isinstance(operation, UpsertContact):
            place = self.of(operation.who)
            email = operation.fields.get("email")
            if isinstance(email, str):
                self._link((f"email:{email.lower()}",), place)
        elif isinstance(operation, MergeContact):
            self._link(self.of(operation.lead), self.of(operation.user))

    def of(self, who: Who) -> Place:
        """
        Return the place of a contact, after linking all its keys to it.

        The most lasting key comes first. Intercom itself compares events by the caller's id of the contact, and that id is known from
        the first message on. Intercom's id may become known between two attempts, and changes when contacts are merged or made again.
        """
        contact_id = who.contact_id
        if who.external_id is not None and contact_id is None and who.email is None:
            # So it is for nearly every event.
            return who.external_id
        keys: list[Place] = []
        if who.external_id is not None:
            keys.append(who.external_id)
        if contact_id is None and who.external_id is None:
            contact_id = self._cache.contact_id(who.key)
        if contact_id is not None:
            user_key = self._cache.user_key(contact_id)
            if user_key is not None:
                keys.append(user_key.removeprefix("user:"))
            keys.append((f"contact:{contact_id}",))
        if who.email is not None:
            keys.append((f"email:{who.email.lower()}",))
        if who.anonymous_id is not None:
            keys.append((f"anonymous:{who.anonymous_id}",))
        for key in keys[1:]:
            self._link(key, keys[0])
        return keys[0]

    def _link(self, key: Place, place: Place) -> None:
        if key != place and not isinstance(key, str):
            self.links[key] = place
