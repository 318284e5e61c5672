"""Segment's calls as methods: names and order of parameters as in the usual Segment client; knows nothing of delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from .accepting import Acceptor


class Calls:
    """The six calls and ``send``; each hands one message in Segment's wire form to the client's acceptor."""

    _acceptor: Acceptor

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
        Say who a person is: the contact gets *traits* as fields and custom attributes.

        Args:
            user_id: Your id of the person. You can leave it out if you pass *anonymous_id* or an e-mail trait.
            traits: Facts about the person; ``company`` and ``companies`` attach companies.
            context: Facts about the call.
            timestamp: When it happened: a datetime, ISO text or Unix seconds. None means now.
            anonymous_id: Id of a visitor who has not signed in.
            integrations: Which destinations the message is for, with options under ``Intercom``.
            message_id: Messages with the same id are accepted once (Q5). None makes an id.

        Returns:
            The message id; an empty text if the message was rejected and ``on_invalid`` is ``"log"``.

        Raises:
            RejectedMessage: The message can never be delivered; names path, fault and remedy.
            BufferFull: The buffer is full, and ``when_full`` says to raise.
            ClientClosed: The client was closed.
            DeliveryFailed: With ``delivery="inline"``, the message was not delivered.
        """
        if timestamp is None and anonymous_id is None and integrations is None and message_id is None:
            accepted = self._acceptor.accept_fast("identify", user_id, None, traits, context)
            if accepted is not None:
                return accepted
        own: dict[str, object] = {"type": "identify", "userId": user_id, "traits": traits}
        common = (context, timestamp, anonymous_id, integrations, message_id)
        return self._acceptor.accept(_wire_form(own, common))

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
        """Say what a person did: *event* with *properties* becomes an event of the contact. The rest is as for ``identify``."""
        if timestamp is None and anonymous_id is None and integrations is None and message_id is None:
            accepted = self._acceptor.accept_fast("track", user_id, event, properties, context)
            if accepted is not None:
                return accepted
        own: dict[str, object] = {
            "type": "track",
            "userId": user_id,
            "event": event,
            "properties": properties,
        }
        common = (context, timestamp, anonymous_id, integrations, message_id)
        return self._acceptor.accept(_wire_form(own, common))

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
        """Say which company a person belongs to; *traits* are the company's. The rest is as for ``identify``."""
        own: dict[str, object] = {"type": "group", "userId": user_id, "groupId": group_id, "traits": traits}
        common = (context, timestamp, anonymous_id, integrations, message_id)
        return self._acceptor.accept(_wire_form(own, common))

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
        """Say which page a person looked at; skipped unless ``page_events`` is set. The rest is as for ``identify``."""
        own: dict[str, object] = {
            "type": "page",
            "userId": user_id,
            "category": category,
            "name": name,
            "properties": properties,
        }
        common = (context, timestamp, anonymous_id, integrations, message_id)
        return self._acceptor.accept(_wire_form(own, common))

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
        """Say which screen of an app a person looked at; skipped unless ``screen_events`` is set. The rest is as for ``identify``."""
        own: dict[str, object] = {
            "type": "screen",
            "userId": user_id,
            "category": category,
            "name": name,
            "properties": properties,
        }
        common = (context, timestamp, anonymous_id, integrations, message_id)
        return self._acceptor.accept(_wire_form(own, common))

    def alias(
        self,
        previous_id: str | int | None = None,
        user_id: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: date | str | float | None = None,
        integrations: Mapping[str, Any] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Say that the lead *previous_id* is the user *user_id*. The rest is as for ``identify``."""
        own: dict[str, object] = {"type": "alias", "userId": user_id, "previousId": previous_id}
        common = (context, timestamp, None, integrations, message_id)
        return self._acceptor.accept(_wire_form(own, common))

    def send(self, message: Mapping[str, Any]) -> str:
        """
        Take one whole Segment-spec message, as pipelines have it (camelCase). Errors are as for ``identify``.

        Args:
            message: ``type`` and what that type needs; unknown keys are ignored.
        """
        return self._acceptor.accept(message)


def _wire_form(
    own: dict[str, object], common: tuple[object, object, object, object, object]
) -> Mapping[str, object]:
    """
    Complete a message in Segment's wire form; None stands for what the caller left out.

    Args:
        own: Type, ids and facts. The result is this dict, because a copy would cost time.
        common: What any call may carry: context, timestamp, anonymous id, integrations, message id.
    """
    own["context"], own["timestamp"], own["anonymousId"], own["integrations"], own["messageId"] = common
    return own
