"""Segment's calls as methods: the names and the order of parameters of the usual Segment client; knows nothing of delivery."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


class Calls(ABC):
    """The six calls and ``send``, each of which hands one message in Segment's wire form to ``_accept``."""

    @abstractmethod
    def _accept(self, call: Mapping[str, object]) -> str:
        """Check, stamp and buffer *call*; return its message id."""

    @abstractmethod
    def _accept_usual(
        self, kind: str, user_id: object, event: object, facts: object, context: object
    ) -> str | None:
        """Do what ``_accept`` does for a call that tells no more than this, the quick way; None when it takes the careful one."""

    def identify(
        self,
        user_id: str | int | None = None,
        traits: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: date | str | float | None = None,
        anonymous_id: str | int | None = None,
        integrations: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> str:
        """
        Say who somebody is: the contact gets *traits* as fields and custom attributes.

        Args:
            user_id: Your id of the person; may be left out where *anonymous_id* or an e-mail trait is given.
            traits: Facts of the person; ``company`` and ``companies`` attach companies.
            context: Facts around the call.
            timestamp: When; None means now. A datetime, ISO text or Unix seconds.
            anonymous_id: Id of a visitor who has not signed in.
            integrations: Which destinations the message is for, with options under ``Intercom``.
            message_id: Accepted once however often it is sent; None makes one.

        Returns:
            The message id; an empty text when ``on_invalid="log"`` and the message was rejected.

        Raises:
            RejectedMessage: It can never be delivered; names path, fault and remedy.
            BufferFull: The buffer is full, and the settings say to tell.
            ClientClosed: The client was closed.
            DeliveryFailed: With ``delivery="inline"``, it was not delivered.
        """
        if timestamp is None and anonymous_id is None and integrations is None and message_id is None:
            taken = self._accept_usual("identify", user_id, None, traits, context)
            if taken is not None:
                return taken
        return self._accept(
            {
                "type": "identify",
                "userId": user_id,
                "traits": traits,
                "context": context,
                "timestamp": timestamp,
                "anonymousId": anonymous_id,
                "integrations": integrations,
                "messageId": message_id,
            }
        )

    def track(
        self,
        user_id: str | int | None = None,
        event: str | None = None,
        properties: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: date | str | float | None = None,
        anonymous_id: str | int | None = None,
        integrations: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Say what somebody did: *event* with *properties* becomes an event of the contact. Else as ``identify``."""
        if timestamp is None and anonymous_id is None and integrations is None and message_id is None:
            taken = self._accept_usual("track", user_id, event, properties, context)
            if taken is not None:
                return taken
        return self._accept(
            {
                "type": "track",
                "userId": user_id,
                "event": event,
                "properties": properties,
                "context": context,
                "timestamp": timestamp,
                "anonymousId": anonymous_id,
                "integrations": integrations,
                "messageId": message_id,
            }
        )

    def group(
        self,
        user_id: str | int | None = None,
        group_id: str | int | None = None,
        traits: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: date | str | float | None = None,
        anonymous_id: str | int | None = None,
        integrations: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Say which company somebody belongs to; *traits* are the company's. Else as ``identify``."""
        return self._accept(
            {
                "type": "group",
                "userId": user_id,
                "groupId": group_id,
                "traits": traits,
                "context": context,
                "timestamp": timestamp,
                "anonymousId": anonymous_id,
                "integrations": integrations,
                "messageId": message_id,
            }
        )

    def page(
        self,
        user_id: str | int | None = None,
        category: str | None = None,
        name: str | None = None,
        properties: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: date | str | float | None = None,
        anonymous_id: str | int | None = None,
        integrations: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Say which page somebody looked at; skipped unless ``page_events`` is set. Else as ``identify``."""
        return self._accept(
            {
                "type": "page",
                "userId": user_id,
                "category": category,
                "name": name,
                "properties": properties,
                "context": context,
                "timestamp": timestamp,
                "anonymousId": anonymous_id,
                "integrations": integrations,
                "messageId": message_id,
            }
        )

    def screen(
        self,
        user_id: str | int | None = None,
        category: str | None = None,
        name: str | None = None,
        properties: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: date | str | float | None = None,
        anonymous_id: str | int | None = None,
        integrations: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Say which screen of an app somebody looked at; skipped unless ``screen_events`` is set. Else as ``identify``."""
        return self._accept(
            {
                "type": "screen",
                "userId": user_id,
                "category": category,
                "name": name,
                "properties": properties,
                "context": context,
                "timestamp": timestamp,
                "anonymousId": anonymous_id,
                "integrations": integrations,
                "messageId": message_id,
            }
        )

    def alias(
        self,
        previous_id: str | int | None = None,
        user_id: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: date | str | float | None = None,
        integrations: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Say that the lead *previous_id* is the user *user_id*. Else as ``identify``."""
        return self._accept(
            {
                "type": "alias",
                "userId": user_id,
                "previousId": previous_id,
                "context": context,
                "timestamp": timestamp,
                "integrations": integrations,
                "messageId": message_id,
            }
        )

    def send(self, message: Mapping[str, Any]) -> str:
        """
        Take one whole Segment-spec message, as pipelines have it (camelCase); errors as ``identify``.

        Args:
            message: ``type`` and what that type needs; unknown keys are ignored.
        """
        return self._accept(message)
